"""How many requests does `rungwise serve` answer, how fast, and does it bear abuse?

Starts the service as a process, and asks it over loopback from another one, with keep-alive
connections that each send their next request when they have the answer to the last:

- load: requests per second and seconds to an answer (median, 99th percentile), with batching and
  without (`--batch 1`), for each number of clients, in turns, so that a slow minute of the machine
  meets all of them; the answers are checked to name the class that `rungwise predict` names;
- hostile: a thousand requests that are wrong in some way; none may get a 5xx, and the service has
  to answer a right one after each hundred;
- stop: SIGTERM under load; every request that was sent has to be answered, and the exit code be 0.

Command: python benchmarks/serve_load.py RUN docs/results/serve.json   (3 minutes)
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

CLIENTS = (1, 8, 32)
BATCHES = (64, 1)
HOSTILE = 1000
IMAGES = 64


class Service(NamedTuple):
    """A running service."""

    process: subprocess.Popen[str]
    port: int


@contextlib.contextmanager
def serving(run: str, *options: str) -> Iterator[Service]:
    """Serve a run as a process of its own."""
    words = [sys.executable, "-m", "rungwise", "serve", run, "--port", "0", *options]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip().strip("/")
        assert url, process.communicate()[1]
        yield Service(process, int(url.rpartition(":")[2]))
    finally:
        process.kill()
        process.communicate()


def pictures(run: str, folder: Path) -> list[Path]:
    """Write noise of the net's size as PNG files: what is in them does not matter for the time."""
    import numpy as np
    from PIL import Image

    with serving(run) as service:
        model = json.loads(
            exchange(service.port, b"GET /model HTTP/1.1\r\nHost: localhost\r\n\r\n")[1]
        )
    shape = (model["height"], model["width"], model["channels"])
    rng = np.random.default_rng(0)
    paths = []
    for index in range(IMAGES):
        noise = rng.integers(0, 256, shape, dtype=np.uint8)
        paths.append(folder / f"{index}.png")
        Image.fromarray(noise.squeeze(2) if shape[2] == 1 else noise).save(paths[-1])
    return paths


def predicted(run: str, paths: list[Path]) -> list[str]:
    """Return the classes that `rungwise predict` names."""
    words = [sys.executable, "-m", "rungwise", "predict", run, *map(str, paths), "--json"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return [answer["class"] for answer in json.loads(done.stdout)]


def request(path: Path) -> bytes:
    """Return a whole request with one image file."""
    content = path.read_bytes()
    head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def exchange(port: int, message: bytes, seconds: float = 30) -> tuple[int, bytes]:
    """Send bytes on a fresh connection; return status and body, (0, b"") for no answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.settimeout(seconds)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(message)
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            file = connection.makefile("rb")
            line = file.readline()
            if line:
                length = 0
                for header in iter(file.readline, b"\r\n"):
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                return int(line.split()[1]), file.read(length)
    return 0, b""


async def client(
    port: int,
    requests: list[bytes],
    classes: list[str],
    start: int,
    end: float,
    told: dict[str, Any],
) -> None:
    """Ask until a time, or until the service lets no more in."""
    index, reader, writer = start, None, None
    while time.monotonic() < end:
        if writer is None:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                told["refused"] += 1
                return
        index = (index + 1) % len(requests)
        asked = time.perf_counter()
        assert reader is not None
        try:
            writer.write(requests[index])
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            body = await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as error:
            told["lost"].append(repr(error))
            writer.close()
            return
        told["seconds"].append(time.perf_counter() - asked)
        status = int(head.split(maxsplit=2)[1])
        told["statuses"][status] += 1
        if status == 200:
            right = json.loads(body)["predictions"][0]["class"] == classes[index]
            told["other_class"] += not right
        if b"connection: close" in head.lower():
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


async def load(port: int, folder: Path, clients: int, seconds: float) -> dict[str, Any]:
    """Ask with many clients at a time, and return what they met."""
    paths = sorted(folder.glob("*.png"))
    classes = json.loads((folder / "classes.json").read_text())
    requests = [request(path) for path in paths]
    told: dict[str, Any] = {
        "seconds": [], "statuses": Counter(), "lost": [], "refused": 0, "other_class": 0
    }  # fmt: skip
    started = time.monotonic()
    end = started + seconds
    await asyncio.gather(
        *(client(port, requests, classes, 7 * i, end, told) for i in range(clients))
    )
    told["elapsed"] = time.monotonic() - started
    return told


def load_process(port: int, folder: Path, clients: int, seconds: float) -> subprocess.Popen[str]:
    """Start the clients in a process of their own."""
    words = [sys.executable, __file__, "-", "-", "--load", str(port), "--folder", str(folder)]
    words += ["--clients", str(clients), "--seconds", str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def figures(told: dict[str, Any]) -> dict[str, Any]:
    """Return rates and times of a load."""
    seconds = sorted(told["seconds"])
    cuts = statistics.quantiles(seconds, n=100)
    return {
        "requests": len(seconds),
        "requests_per_second": round(len(seconds) / told["elapsed"], 1),
        "p50_ms": round(1e3 * cuts[49], 2),
        "p99_ms": round(1e3 * cuts[98], 2),
        "statuses": told["statuses"],
        "lost": len(told["lost"]),
        "other_class": told["other_class"],
    }


def mean_batch(port: int) -> float:
    """Return the images in a batch so far, on average."""
    text = exchange(port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")[1].decode()
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return round(
        float(found["rungwise_batch_images_sum"]) / float(found["rungwise_batch_images_count"]), 2
    )


def measure_load(run: str, folder: Path, seconds: float, repeats: int) -> list[dict[str, Any]]:
    """Return a row for each number of clients, with batching and without."""
    rows = []
    for turn in range(repeats):
        for clients in CLIENTS:
            for batch in BATCHES:
                with serving(run, "--batch", str(batch)) as service:
                    load_process(service.port, folder, clients, 1).communicate()  # Warms up.
                    done = load_process(service.port, folder, clients, seconds).communicate()[0]
                    row = {
                        "turn": turn,
                        "clients": clients,
                        "batch": batch,
                        **figures(json.loads(done)),
                    }
                    rows.append({**row, "mean_batch": mean_batch(service.port)})
                    print(json.dumps(rows[-1]), flush=True)
    return rows


def hostile_requests(rng: random.Random, good: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield requests that are wrong, each with the name of its kind."""
    image = good.partition(b"\r\n\r\n")[2]
    host = b"Host: localhost\r\n"
    line = b" HTTP/1.1\r\n" + host

    def posted(kind: bytes, body: bytes, more: bytes = b"", query: bytes = b"") -> bytes:
        head = b"POST /predict" + query + b" HTTP/1.1\r\n" + host + b"Content-Type: " + kind
        return head + b"\r\n" + more + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def damaged() -> bytes:
        broken = bytearray(image)
        for _ in range(rng.randint(1, 20)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        return bytes(broken[: rng.randint(0, len(broken))])

    form = b'--f\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n'
    kinds = {
        "noise": lambda: rng.randbytes(rng.randint(1, 3000)),
        "noise in a head": lambda: b"GET / HTTP/1.1\r\n" + rng.randbytes(500) + b"\r\n\r\n",
        "damaged image": lambda: posted(b"image/png", damaged()),
        "random image": lambda: posted(b"image/png", rng.randbytes(rng.randint(0, 5000))),
        "bomb": lambda: posted(b"image/png", bomb(rng.randint(5000, 60000))),
        "wrong type": lambda: posted(rng.choice((b"text/html", b"a/b/c", b"\xff", b"")), image),
        "damaged form": lambda: posted(
            b"multipart/form-data; boundary=f", (form + damaged())[: rng.randint(0, 300)]
        ),
        "form without a boundary": lambda: posted(b"multipart/form-data", form + image),
        "charset": lambda: posted(
            b"multipart/form-data; boundary=f; charset="
            + rng.choice((b"utf-7", b"undefined", b"idna", b"hex", b"utf-16")),
            form.replace(b"images", rng.randbytes(5).replace(b"\n", b"")) + image + b"\r\n--f--",
        ),
        "too many images": lambda: posted(
            b"multipart/form-data; boundary=f", (form + image + b"\r\n") * 40 + b"--f--\r\n"
        ),
        "too large": lambda: posted(b"image/png", bytes(9_000_000)),
        "other host": lambda: posted(b"image/png", image).replace(b"localhost", b"evil.example"),
        "other origin": lambda: posted(b"image/png", image, b"Origin: http://evil.example\r\n"),
        "encoded": lambda: posted(b"image/png", image, b"Content-Encoding: br\r\n"),
        "wrong query": lambda: posted(b"image/png", image, query=b"?explain=%FF"),
        "two lengths": lambda: posted(b"image/png", image, b"Content-Length: 3\r\n"),
        "wrong path": lambda: b"GET /" + b"../" * rng.randint(1, 9) + b"etc" + line + b"\r\n",
        "wrong method": lambda: rng.choice((b"PUT", b"BREW")) + b" /predict" + line + b"\r\n",
        "long header": lambda: b"GET /" + line + b"X: " + b"x" * 300_000 + b"\r\n\r\n",
        "wrong chunks": lambda: (
            b"POST /predict" + line + b"Content-Type: image/png\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + rng.randbytes(20) + b"\r\n"
        ),
    }  # fmt: skip
    names = list(kinds)
    for index in range(HOSTILE):
        name = names[index % len(names)]
        yield name, kinds[name]()


def bomb(side: int) -> bytes:
    """Return the start of a PNG file that says it is very large, and black."""
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10**6)))
    )


def measure_hostile(run: str, folder: Path) -> dict[str, Any]:
    """Send what is wrong, and return how it was answered."""
    good = request(folder / "0.png")
    met: dict[str, Counter[int]] = {}
    wordless = 0
    with serving(run, "--receive-seconds", "1") as service:
        for index, (kind, message) in enumerate(hostile_requests(random.Random(0), good), 1):
            status, body = exchange(service.port, message)
            met.setdefault(kind, Counter())[status] += 1
            if status >= 400:
                told = json.loads(body or "{}")
                wordless += told.keys() != {"problem", "expected", "fix"}
            if index % 100 == 0:
                assert exchange(service.port, good)[0] == 200, f"no answer after {index}"
        service.process.terminate()
        _, log = service.process.communicate(timeout=60)
    total = sum(met.values(), Counter[int]())
    return {
        "requests": total.total(),
        "statuses": total,
        "server_errors": sum(count for status, count in total.items() if status >= 500),
        "without_problem_expected_fix": wordless,
        "tracebacks": log.count("Traceback"),
        "kinds": met,
    }


def measure_stop(run: str, folder: Path, repeats: int) -> list[dict[str, Any]]:
    """Stop the service under load, and return what became of the requests."""
    rows = []
    for _ in range(repeats):
        with serving(run) as service:
            asking = load_process(service.port, folder, 16, 30)
            time.sleep(4)
            service.process.send_signal(signal.SIGTERM)
            sent = time.monotonic()
            service.process.wait(60)
            seconds = time.monotonic() - sent
            told = json.loads(asking.communicate()[0])
            log = service.process.stderr.read() if service.process.stderr else ""
        rows.append(
            {
                "answered": len(told["seconds"]),
                "statuses": told["statuses"],
                "lost": told["lost"],
                "refused_connections": told["refused"],
                "exit_code": service.process.returncode,
                "seconds_to_stop": round(seconds, 2),
                "log": log.strip().splitlines()[-1:],
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measure all and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("path", type=Path)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--load", type=int, help="internal: ask the service on this port")
    parser.add_argument("--folder", type=Path, help="internal: with the images to ask about")
    parser.add_argument("--clients", type=int, help="internal: how many")
    options = parser.parse_args()
    if options.load:
        told = asyncio.run(load(options.load, options.folder, options.clients, options.seconds))
        print(json.dumps(told))
        return
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        classes = predicted(options.run, pictures(options.run, folder))
        # Files are read in the order of their names.
        order = sorted(range(IMAGES), key=lambda index: f"{index}.png")
        (folder / "classes.json").write_text(json.dumps([classes[index] for index in order]))
        record = {
            "load": measure_load(options.run, folder, options.seconds, options.repeats),
            "hostile": measure_hostile(options.run, folder),
            "stop": measure_stop(options.run, folder, options.repeats),
            "threads": os.environ.get("OMP_NUM_THREADS"),
        }
    print(json.dumps(record["hostile"]))
    options.path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
