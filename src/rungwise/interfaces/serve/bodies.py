"""A request's body, received within limits, and the image files that it holds."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from rungwise.interfaces.serve.limits import Limits
from rungwise.interfaces.serve.refusal import Refusal

RAW_TYPES = ("image/", "application/octet-stream")
MULTIPART = "multipart/form-data"
EXAMPLES = (
    "curl -F images=@a.png URL, or curl -H 'Content-Type: image/png' --data-binary @a.png URL"
)


@dataclass(frozen=True)
class ImageFile:
    """One image file of a request.

    Args:
        name: What its sender calls it; None for a body that is the file.
        content: What it holds.
    """

    name: str | None
    content: bytes


async def image_files(request: Request, limits: Limits) -> list[ImageFile]:
    """Receive a body and return the image files in it, at least one.

    Raises:
        Refusal: The body is too large, too slow, of another kind, or holds no or too many files.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != MULTIPART and not kind.startswith(RAW_TYPES):
        raise Refusal(
            415,
            f"the body's type is {kind[:80]!r}" if kind else "the body's type is not given",
            expected="multipart/form-data, or an image file as image/… or application/octet-stream",
            fix=f"for example {EXAMPLES}",
        )
    coding = request.headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        raise Refusal(
            415,
            f"the body is encoded as {coding[:80]!r}",
            expected="a body as it is: image files are compressed already",
            fix="leave Content-Encoding out",
        )
    body = await receive_body(request, limits)
    if kind != MULTIPART:
        return [ImageFile(None, body)]
    return await _parts(request.headers["content-type"], body, limits)


async def receive_body(request: Request, limits: Limits) -> bytes:
    """Return the whole body.

    Raises:
        Refusal: It is larger than allowed (413), takes longer than allowed (408), or its sender
            left.
    """
    try:
        async with asyncio.timeout(limits.receive_seconds):
            return await _receive(request, limits.body_bytes)
    except TimeoutError:
        raise Refusal(
            408,
            f"the body was not there after {limits.receive_seconds:g} seconds",
            expected=f"a body within {limits.receive_seconds:g} seconds",
            fix="send smaller images, or over a faster line",
            headers={"Connection": "close"},
        ) from None


async def _receive(request: Request, most_bytes: int) -> bytes:
    announced = int(request.headers.get("content-length", 0))
    body, more = bytearray(), True
    while more:
        if max(announced, len(body)) > most_bytes:
            raise _too_large(most_bytes)
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the client left", expected="a whole request", fix="send it again")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if len(body) > most_bytes:
        raise _too_large(most_bytes)
    return bytes(body)


def _too_large(most_bytes: int) -> Refusal:
    return Refusal(
        413,
        "the body is too large",
        expected=f"at most {most_bytes / 1e6:g} megabytes",
        fix="send smaller images, or fewer at a time",
    )


async def _parts(content_type: str, body: bytes, limits: Limits) -> list[ImageFile]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(
        Headers({"content-type": content_type}),
        stream(),
        max_files=limits.images,
        max_fields=limits.images,
    )
    parser.spool_max_size = limits.body_bytes + 1  # Nothing is written to the disk.
    try:
        form = await parser.parse()
    except (MultiPartException, HTTPException, ValueError, LookupError) as error:
        # Charsets of the client's choice raise more than UnicodeDecodeError.
        raise _malformed(getattr(error, "message", "") or str(error)) from None
    files = []
    for field, part in form.multi_items():
        if not isinstance(part, UploadFile):
            raise _malformed(f"the field {_plain(field)!r} is no file")
        files.append(ImageFile(_plain(part.filename or ""), await part.read()))
        await part.close()
    if not files:
        raise _malformed("it holds no file")
    return files


def _malformed(reason: str) -> Refusal:
    return Refusal(
        400,
        f"the multipart body cannot be used: {_plain(reason)}",
        expected="image files in fields called 'images'",
        fix="for example curl -F images=@a.png -F images=@b.png URL",
    )


def _plain(text: str) -> str:
    """Return the start of a client's text, without what cannot be written as UTF-8."""
    return text[:200].encode("utf-8", "replace").decode()
