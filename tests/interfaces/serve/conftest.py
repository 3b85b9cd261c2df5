"""A service in this process and a client for it; a service in a process of its own; a browser."""

import base64
import contextlib
import http.client
import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from rungwise.data import load
from rungwise.ladder.job import make_job
from rungwise.models import MLP
from rungwise.models.input import ScaledNetwork
from rungwise.prediction.predictor import Predictor
from rungwise.randomness import generator
from rungwise.training.optimizer import Adam
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

NAMES = ("cat", "dog", "eel")
HOST = "127.0.0.1"


@pytest.fixture(autouse=True, scope="package")
def needs_extra() -> None:
    """Skip everything here where the extra is absent."""
    for package in ("fastapi", "uvicorn", "python_multipart"):
        pytest.importorskip(package, reason="needs the extra serve")


def untrained(
    model: Any = None, shape: tuple[int, int, int] = (1, 8, 8), **settings: Any
) -> Predictor:
    """Return a predictor with random weights for three classes."""
    model = model or MLP(hidden_widths=(5,))
    recipe = Recipe(model=model, precision="float32", **settings)
    net = ScaledNetwork(
        model.build(shape, len(NAMES), generator("net")),
        torch.zeros(shape[0]),
        torch.full((shape[0],), 0.1),
    )
    return Predictor(recipe, (recipe.single(),), (net.eval(),), NAMES, shape)


def png(seed: int = 0, size: tuple[int, int] = (8, 8), channels: int = 1) -> bytes:
    """Return an image file of noise; `size` is height and width."""
    shape = size if channels == 1 else (*size, channels)
    noise = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


def pixels_in(data_url: str) -> np.ndarray:
    """Return the pixels of a PNG in a data URL."""
    start = "data:image/png;base64,"
    assert data_url.startswith(start)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data_url.removeprefix(start)))))


@pytest.fixture(name="untrained")
def untrained_fixture() -> Callable[..., Predictor]:
    """Return the function that makes a predictor with random weights."""
    return untrained


@pytest.fixture(name="png")
def png_fixture() -> Callable[..., bytes]:
    """Return the function that makes an image file of noise."""
    return png


@pytest.fixture
def shown() -> Callable[[str], np.ndarray]:
    """Return the function that reads a data URL."""
    return pixels_in


class Reply(NamedTuple):
    """What a service answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def refuses(self, status: int, *words: str) -> None:
        """Require a status, and problem, expectation and fix with these words."""
        assert self.status == status, self.body
        assert self.json.keys() == {"problem", "expected", "fix"}
        assert all(self.json.values())
        told = " ".join(self.json.values())
        for word in words:
            assert word in told


class Client:
    """Asks a service on this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, None, dashed(headers))

    def predict(self, content: bytes, query: str = "", **headers: str) -> Reply:
        """Send one image file as the body."""
        kind = {"Content-Type": "image/png"} | dashed(headers)
        return self.ask("POST", f"/predict{query}", content, kind)

    def upload(self, *files: tuple[str, bytes], query: str = "") -> Reply:
        """Send image files as a form does."""
        body = b""
        for name, content in files:
            body += b'--frontier\r\nContent-Disposition: form-data; name="images"; filename="'
            body += name.encode() + b'"\r\nContent-Type: image/png\r\n\r\n' + content + b"\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=frontier"}
        return self.ask("POST", f"/predict{query}", body + b"--frontier--\r\n", kind)

    def metric(self, name: str) -> float:
        """Return a figure of /metrics."""
        lines = self.get("/metrics").body.decode().splitlines()
        return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))


def dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


Serving = Callable[..., contextlib.AbstractContextManager[Client]]


@pytest.fixture
def serving() -> Serving:
    """Return a context manager of a service: `serving(predictor, token=..., rate=..., queue=...)`.

    All but `token` and `rate` are limits; `client.service` is the service itself.
    """

    @contextlib.contextmanager
    def serve(
        predictor: Predictor | None = None,
        token: str | None = None,
        rate: float | None = None,
        **limits: Any,
    ) -> Iterator[Client]:
        from rungwise.interfaces.serve.app import make_app
        from rungwise.interfaces.serve.gate import Gate, Rate, own_names
        from rungwise.interfaces.serve.limits import Limits
        from rungwise.interfaces.serve.server import Server, listener
        from rungwise.interfaces.serve.service import Service

        service = Service(predictor or untrained(), Limits(**limits))
        gate = Gate(own_names(HOST, ()), token, None if rate is None else Rate(rate))
        ready = threading.Event()
        with listener(HOST, 0) as bound:
            client = Client(bound.getsockname()[1])
            client.service = service  # type: ignore[attr-defined]
            server = Server(make_app(service, gate), service, ready.set)
            thread = threading.Thread(target=server.serve_on, args=(bound,))
            thread.start()
            try:
                assert ready.wait(60)
                yield client
            finally:
                server.should_exit = True
                thread.join(60)
            assert not thread.is_alive()

    return serve


@pytest.fixture(scope="session")
def digit_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a net on the digits for a few seconds, and return its file."""
    folder = tmp_path_factory.mktemp("digit-reader")
    recipe = Recipe(
        name="reader",
        model=MLP(hidden_widths=(64,)),
        optimizer=Adam(lr=0.003),
        epochs=25,
        batch_size=64,
        precision="float32",
    )
    job = make_job(recipe, load("digits"), Seed(0), folder, torch.device("cpu"))
    for _ in job.train():
        pass
    return job.folder / "model.safetensors"


class Process(NamedTuple):
    """A service in a process of its own."""

    client: Client
    process: subprocess.Popen[str]


@pytest.fixture
def process_serving() -> Callable[..., contextlib.AbstractContextManager[Process]]:
    """Return a context manager of `rungwise serve ...` as a process."""

    @contextlib.contextmanager
    def serve(*words: object) -> Iterator[Process]:
        process = subprocess.Popen(
            [sys.executable, "-m", "rungwise", "serve", *map(str, words), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline()
            assert url.startswith("http://"), process.communicate()
            yield Process(Client(int(url.strip().strip("/").rpartition(":")[2])), process)
        finally:
            process.kill()
            process.communicate(timeout=60)

    return serve
