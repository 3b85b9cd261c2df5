"""What does an image cost in a set of a thousand images, and in one of a million?

Makes `.npz` files of random images of 32x32x3 and trains two nets on each for a fixed number of
steps: `compact`, a small convolutional net, and a dense one that computes so little that reading
the images shows. Every time in a fresh process, the sizes in turn, so that a slow minute of the
machine meets all of them. Told of each size: microseconds for an image of a step, seconds from the
start of the process to the end of the first step, and the memory at its peak: anonymous (the
process's own) and resident (with the pages of the mapped file that happen to be in memory). The
first load of a file unpacks it into the cache and is told apart.

With `--named` it measures the named sets instead; their files are in the system's page cache.

Command: python benchmarks/scale.py docs/results/scale.json             (7 minutes, 9 GB of disk)
         python benchmarks/scale.py docs/results/startup.json --named   (2 minutes)
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIZES = (1_000, 10_000, 100_000, 1_000_000)
NAMED = ("digits", "mnist", "fashion-mnist", "cifar10")
SHAPE, CLASSES = (32, 32, 3), 10
CHUNK = 10_000
STEPS, WARM_UP, BATCH = 60, 5, 128
REPEATS = 5


def make_set(path: Path, count: int) -> None:
    """Write random images and labels, a chunk at a time."""
    rng = np.random.default_rng(count)
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("images.npy", "w", force_zip64=True) as member:
            facts = {"descr": "|u1", "fortran_order": False, "shape": (count, *SHAPE)}
            np.lib.format.write_array_header_1_0(member, facts)
            for start in range(0, count, CHUNK):
                size = (min(CHUNK, count - start), *SHAPE)
                member.write(rng.integers(0, 256, size, dtype=np.uint8).data)
        with archive.open("labels.npy", "w") as member:
            np.lib.format.write_array(member, np.arange(count) % CLASSES)


class Memory(threading.Thread):
    """Watches the peaks of a process's own memory and of all that is resident, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peaks = {"RssAnon": 0.0, "VmRSS": 0.0}
        self.look()

    def run(self) -> None:
        while True:
            time.sleep(0.02)
            self.look()

    def look(self) -> None:
        for line in Path("/proc/self/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in self.peaks:
                self.peaks[name] = max(self.peaks[name], int(value.split()[0]) / 1024)


def measure(data: str, started: float) -> dict[str, float]:
    """Train the small net in this process and return what it took."""
    memory = Memory()
    memory.start()
    import torch

    from rungwise.data import load
    from rungwise.ladder.job import make_job
    from rungwise.models import MLP, Compact
    from rungwise.training.recipe import Recipe
    from rungwise.training.seed import Seed

    figures = {"import_seconds": time.monotonic() - started}
    dataset = load(data, offline=True)
    figures["load_seconds"] = time.monotonic() - started - figures["import_seconds"]
    for name, model in (("compact", Compact(widths=(8, 16))), ("dense", MLP(hidden_widths=(16,)))):
        recipe = Recipe(model=model, input="standardized", batch_size=BATCH, epochs=STEPS)
        with tempfile.TemporaryDirectory() as place:
            steps = make_job(recipe, dataset, Seed(0), Path(place), torch.device("cpu")).train()
            next(steps)
            figures.setdefault("startup_seconds", time.monotonic() - started)
            figures[f"{name}_microseconds_per_image"] = median_step(steps) / BATCH
            steps.close()
    memory.look()
    return {
        **figures,
        "anonymous_mb": memory.peaks["RssAnon"],
        "resident_mb": memory.peaks["VmRSS"],
    }


def median_step(steps: Iterator[Any]) -> float:
    """Take the steps after the first, and return the median of their microseconds."""
    microseconds = []
    for _ in range(STEPS):
        before = time.perf_counter()
        next(steps)
        microseconds.append(1e6 * (time.perf_counter() - before))
    return statistics.median(microseconds[WARM_UP:])


def in_fresh_process(data: str, home: Path) -> dict[str, float]:
    """Measure in a process of its own, with a cache of its own."""
    words = [sys.executable, __file__, "-", "--measure", data]
    environment = {**os.environ, "RUNGWISE_HOME": str(home)}
    words += ["--started", str(time.monotonic())]
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def summary(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Return median, least and most of each figure."""
    told = {}
    for name in runs[0]:
        values = sorted(run[name] for run in runs)
        told[name] = [round(x, 3) for x in (statistics.median(values), values[0], values[-1])]
    return told


def measure_all(sets: dict[str, str], home: Path, repeats: int) -> list[dict[str, Any]]:
    """Measure each set with an empty cache, then all of them in turn with a warm one."""
    cold = {}
    for name, data in sets.items():
        cold[name] = in_fresh_process(data, home)
        print(f"{name}, first time: {cold[name]['startup_seconds']:.2f} s to start", flush=True)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in sets}
    for _ in range(repeats):
        for name, data in sets.items():
            runs[name].append(in_fresh_process(data, home))
    rows = []
    for name in sets:
        first = {key: round(value, 3) for key, value in cold[name].items()}
        rows.append({"set": name, "median_least_most": summary(runs[name]), "first_time": first})
        print(name, json.dumps(rows[-1]["median_least_most"]), flush=True)
    return rows


def main() -> None:
    """Make the sets, measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--named", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--place", type=Path, help="a folder on the disk for the sets")
    parser.add_argument("--measure", help="internal: measure one set in this process")
    parser.add_argument("--started", type=float, help="internal: when the process was started")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.started)))
        return
    with tempfile.TemporaryDirectory(dir=options.place) as folder:
        sets = {name: name for name in NAMED}
        if not options.named:
            sets = {f"{size}": str(Path(folder) / f"{size}.npz") for size in options.sizes}
            for size, path in sets.items():
                make_set(Path(path), int(size))
        rows = measure_all(sets, Path(folder) / "home", options.repeats)
    record = {"steps": STEPS, "batch": BATCH, "repeats": options.repeats, "sets": rows}
    options.path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
