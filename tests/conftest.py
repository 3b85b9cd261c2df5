"""No test leaves this machine or touches the user's cache; real data are used where they are.

And a browser, for the tests of pages.
"""

import base64
import contextlib
import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.training.precision import bfloat16_problem

ROOT = Path(__file__).resolve().parents[1]
REAL_DATA = Path(os.environ.get("RUNGWISE_DATA") or ROOT.parent / "shared" / "datasets").resolve()
CHROMIUM = Path("/usr/bin/chromium")
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what trains in bfloat16 on a machine that cannot, by the question that trainings ask."""
    problem = bfloat16_problem(torch.device("cpu"))
    if problem and item.get_closest_marker("bfloat16"):
        pytest.skip(f"no bfloat16: {problem}")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many tests of bfloat16 this processor could not run."""
    skipped = [
        r for r in terminalreporter.stats.get("skipped", []) if "no bfloat16" in str(r.longrepr)
    ]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} tests of bfloat16 were skipped: this processor cannot train in it"
        )


@pytest.fixture(autouse=True)
def isolated_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give each test a cache of its own and no local copies; return the cache's root."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("RUNGWISE_HOME", str(home))
    monkeypatch.delenv("RUNGWISE_DATA", raising=False)
    return home


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that connects to, or looks up, anything but this machine."""
    real_connect, real_lookup = socket.socket.connect, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in LOOPBACK:
            pytest.fail(f"a test connects to {address}")
        real_connect(self, address)

    def lookup(host: Any, *args: Any, **settings: Any) -> Any:
        if host is not None and host not in LOOPBACK:
            pytest.fail(f"a test looks up {host}")
        return real_lookup(host, *args, **settings)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)


@pytest.fixture
def real_data(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that points RUNGWISE_DATA at a real named set, or skips the test.

    Real sets lie in the folder that RUNGWISE_DATA names, or in ../shared/datasets.
    """

    def require(name: str) -> Path:
        if not (REAL_DATA / name).is_dir():
            pytest.skip(f"{name} is not in {REAL_DATA}")
        monkeypatch.setenv("RUNGWISE_DATA", str(REAL_DATA))
        return REAL_DATA / name

    return require


CONTRASTS = """
(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((v) => {
      const s = v / 255;
      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    if (parts(colour)[3] !== 0) return colour;
    return element.parentElement ? behind(element.parentElement) : "rgb(255, 255, 255)";
  };
  const texts = [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && element.id !== "invitation" &&
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return Math.min(...texts.map((element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
})()
"""


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

    def least_contrast(self) -> float:
        """Return the least contrast of a text that shows with what is behind it, by WCAG."""
        return float(self.value(CONTRASTS))

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
