"""Image files to pixels, many of them: here at first, in other processes where that takes long.

Threads would not do: three quarters of the time that Pillow spends on a small file it holds
Python's lock, and two threads take longer than one.
"""

import contextlib
import itertools
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from rungwise.data.sources.picture import ImageSize, Picture, read_picture
from rungwise.data.sources.workers import Worker
from rungwise.errors import DataError

Decoded = Picture | str
"""A picture, or why there is none."""

SECONDS_ALONE = 1.0
"""How long this process decodes before it starts others, which takes them a part of a second."""

MOST_WORKERS = 8
CHUNK_FILES = 128
CHUNK_BYTES = 2**23
"""About how many bytes of pixels a worker hands over at once."""


def decoded(sources: Iterable[Path | bytes], image_size: ImageSize | None) -> Generator[Decoded]:
    """Yield the picture of each source, in order, or why it cannot be read.

    Memory holds a few chunks at a time, whoever decodes them.

    Args:
        sources: Files, or what files hold.
        image_size: As for `read_picture`.
    """
    started, sources = time.monotonic(), iter(sources)
    for source in sources:
        yield _decode(source, image_size)
        if time.monotonic() - started > SECONDS_ALONE:
            break
    yield from _decoded_by_workers(sources, image_size)


def decode_chunk(sources: list[Path | bytes], image_size: ImageSize | None) -> list[Decoded]:
    """Decode the first sources of a list: all of them, unless their pixels are too many bytes."""
    found: list[Decoded] = []
    size = 0
    for source in sources:
        found.append(_decode(source, image_size))
        size += found[-1].pixels.nbytes if isinstance(found[-1], Picture) else 0
        if size > CHUNK_BYTES:
            break
    return found


def _decode(source: Path | bytes, image_size: ImageSize | None) -> Decoded:
    try:
        return read_picture(source, image_size=image_size, name="it")
    except DataError as error:
        return error.problem.removeprefix("it cannot be read: ")


def _decoded_by_workers(
    sources: Iterator[Path | bytes], image_size: ImageSize | None
) -> Iterator[Decoded]:
    """Decode chunks in turn by several workers, each of which has one chunk at a time.

    What a worker leaves undone, because it died or the pictures are large, is done here.
    """
    chunks = [chunk for _ in range(_processors()) if (chunk := _chunk(sources))]
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker()) for _ in chunks]
        busy = deque(zip(workers, chunks, strict=True))
        for worker, chunk in busy:
            worker.call(decode_chunk, chunk, image_size)
        while busy:
            worker, chunk = busy.popleft()
            done = worker.answer() or []
            if following := _chunk(sources):
                worker.call(decode_chunk, following, image_size)
                busy.append((worker, following))
            yield from done
            yield from (_decode(source, image_size) for source in chunk[len(done) :])


def _chunk(sources: Iterator[Path | bytes]) -> list[Path | bytes]:
    return list(itertools.islice(sources, CHUNK_FILES))


def _processors() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(usable or 1, MOST_WORKERS)
