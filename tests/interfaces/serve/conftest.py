"""A service in this process and a client for it; a service in a process of its own; a browser."""

import base64
import contextlib
import http.client
import io
import json
import os
import select
import subprocess
import sys
import threading
import time
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

CHROMIUM = Path("/usr/bin/chromium")
MAIN = "from rungwise.interfaces.cli.app import main; main()"
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
            [sys.executable, "-c", MAIN, "serve", *map(str, words), "--port", "0"],
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


class Browser:
    """A headless Chromium, steered through a pipe by the Chrome DevTools Protocol."""

    def __init__(self, folder: Path) -> None:
        flags = (
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}", "about:blank"),
        )
        # The protocol's pipes are the files 3 and 4.
        wiring = 'exec "$@" 3<&0 4>&1 </dev/null >&2'
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", wiring, "sh", str(CHROMIUM), *flags],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
            )
        self._read = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """Send a command, and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        while True:
            found = self._message()
            if found.get("id") == self._number:
                assert "error" not in found, found
                return found["result"]
            self.events.append(found)

    def _message(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._process.stdout], [], [], 60)
            part = os.read(self._process.stdout.fileno(), 1 << 16) if ready else b""
            assert part, "the browser does not answer"
            self._read += part
        text, _, self._read = self._read.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found

    def show(self, width: int, height: int = 900, dark: bool = False) -> None:
        """Take the size of a screen, and its preference for light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait_for(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression gives."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 60) -> Any:
        """Wait until an expression is true, and return its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.value(expression):
                return found
            time.sleep(0.05)
        raise AssertionError(f"it does not come true: {expression}")

    def text(self, selector: str) -> str:
        """Return the text of an element that shows, or nothing."""
        element = f"document.querySelector({json.dumps(selector)})"
        return str(self.value(f"{element}.checkVisibility() ? {element}.textContent : ''"))

    def mouse(self, kind: str, x: float, y: float) -> None:
        self.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1
        )

    def touch(self, kind: str, *place: float) -> None:
        points = [{"x": place[0], "y": place[1]}] if place else []
        self.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def draw(self, selector: str, points: list[tuple[float, float]], finger: bool = False) -> None:
        """Draw a line over an element, through shares of its width and height."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        left, top, wide, high = self.value(f"(b => [b.x, b.y, b.width, b.height])({box})")
        places = [(left + x * wide, top + y * high) for x, y in points]
        if finger:
            self.touch("touchStart", *places[0])
            for place in places[1:]:
                self.touch("touchMove", *place)
            self.touch("touchEnd")
            return
        self.mouse("mousePressed", *places[0])
        for place in places[1:]:
            self.mouse("mouseMoved", *place)
        self.mouse("mouseReleased", *places[-1])

    def press(self, key: str, times: int = 1) -> None:
        text = {"text": key} if len(key) == 1 else {}
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def drop(self, x: float, y: float, *files: Path) -> None:
        """Drop files on the page."""
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def screenshot(self, path: Path) -> None:
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def problems(self) -> list[Any]:
        """Return what the console has said, and uncaught exceptions."""
        names = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        self.value("0")
        return [event["params"] for event in self.events if event.get("method") in names]

    def asked(self) -> set[str]:
        """Return the addresses that were asked for, without those of what is in the page."""
        urls = [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        return {url for url in urls if not url.startswith(("data:", "blob:"))}

    def close(self) -> None:
        self._session = None
        with contextlib.suppress(AssertionError, OSError):
            self.call("Browser.close")
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """Start a browser, or skip the test where there is none."""
    if not CHROMIUM.exists():
        pytest.skip("needs /usr/bin/chromium")
    browser = Browser(tmp_path)
    try:
        yield browser
    finally:
        browser.close()
