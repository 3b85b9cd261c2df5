"""The service's paths, and what is put around each answer."""

import contextlib
import importlib.resources
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rungwise import __version__
from rungwise.errors import DataError
from rungwise.interfaces.serve import schema
from rungwise.interfaces.serve.answers import describe
from rungwise.interfaces.serve.bodies import image_files
from rungwise.interfaces.serve.gate import Gate
from rungwise.interfaces.serve.metrics import CONTENT_TYPE
from rungwise.interfaces.serve.refusal import Refusal, told
from rungwise.interfaces.serve.service import Service

PAGE = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Nothing from elsewhere is loaded, nothing is kept, and no other page may look in."""


class Options(BaseModel):
    """The query of /predict."""

    model_config = ConfigDict(extra="forbid")

    explain: bool = False


def make_app(service: Service, gate: Gate) -> ASGIApp:
    """Return the ASGI application that answers for a service."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="rungwise serve",
        version=__version__,
        summary=f"Classes of images by the net {service.predictor.recipe.name!r}",
        docs_url=None,  # FastAPI's pages load scripts from elsewhere.
        redoc_url=None,
        lifespan=lifespan,
        responses=schema.REFUSALS,
    )
    _add_paths(app, service)
    _add_page(app)
    _explain_errors(app)
    schema.secure(app, gate.token is not None)
    return Envelope(app, service, gate)


def _add_paths(app: FastAPI, service: Service) -> None:
    facts = describe(service.predictor)

    @app.post(
        "/predict",
        response_model=schema.Predictions,
        responses=schema.PREDICT_REFUSALS,
        openapi_extra={"requestBody": schema.BODY},
    )
    async def predict(request: Request, options: Annotated[Options, Query()]) -> Response:
        """Tell the class of each image.

        With `explain` also the picture that the net sees, the answer of each net for each view of
        test-time augmentation, and the reconstruction where the net makes one; pictures are data
        URLs of PNG files.
        """
        files = await image_files(request, service.limits)
        return JSONResponse({"predictions": await service.predict(files, options.explain)})

    @app.get("/health", response_model=schema.Health)
    async def health() -> Response:
        """Tell that the net is ready."""
        return JSONResponse({"ready": True, "name": facts["name"], "version": __version__})

    @app.get("/model", response_model=schema.Model)
    async def model() -> Response:
        """Describe the net: classes, shape of the images, views, recipe."""
        return JSONResponse(facts)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Count requests, images, seconds and batches, in Prometheus' text format."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)


def _add_page(app: FastAPI) -> None:
    folder = importlib.resources.files(__package__) / "page"
    for path, (name, kind) in PAGE.items():
        content = (folder / name).read_bytes()
        app.get(path, include_in_schema=False)(_constant(content, kind))


def _constant(content: bytes, kind: str) -> Callable[[], Awaitable[Response]]:
    async def respond() -> Response:
        return Response(content, media_type=f"{kind}; charset=utf-8")

    return respond


def _explain_errors(app: FastAPI) -> None:
    """Say problem, expected and fix whatever is wrong with a request."""

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> Response:
        return error.response()

    @app.exception_handler(DataError)
    async def unusable(_: Request, error: DataError) -> Response:
        return told(error, 422)

    @app.exception_handler(RequestValidationError)
    async def wrong_query(_: Request, error: RequestValidationError) -> Response:
        places = ", ".join(str(mistake["loc"][-1])[:80] for mistake in error.errors())
        return _refusal(422, f"the query is wrong at {places}", "explain=true, explain=false")

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        problem = f"{request.method} {request.url.path[:200]}: {error.detail}"
        expected = "POST /predict, GET /model, /health, /metrics, /openapi.json or /"
        response = _refusal(error.status_code, problem, expected)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        return _refusal(500, "the service has a fault", "an answer", "see the service's log")


def _refusal(status: int, problem: str, expected: str, fix: str = "see /openapi.json") -> Response:
    return Refusal(status, problem, expected=expected, fix=fix).response()


class Envelope:
    """Around the application: the gate before it; headers, counts and a time limit after it.

    Args:
        app: What answers.
        service: Whose requests are counted.
        gate: Looks at each request first.
    """

    def __init__(self, app: ASGIApp, service: Service, gate: Gate) -> None:
        self._app = app
        self._service = service
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        metrics = self._service.metrics

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                metrics.requests[message["status"]] += 1
                ending = [CLOSE] if self._service.ending else []
                message["headers"] = [*message["headers"], *_RAW_HEADERS, *ending]
            await send(message)

        try:
            self._gate.check(Request(scope))
        except Refusal as refusal:
            await refusal.response()(scope, receive, send_on)
            return
        await self._app(scope, receive, send_on)
        if scope["path"] == "/predict":
            metrics.seconds.add(time.perf_counter() - started)


CLOSE = (b"connection", b"close")
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
