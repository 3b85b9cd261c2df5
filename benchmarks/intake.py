"""How fast does a folder of small image files become a data set, and with how much memory?

Writes PNG files of 32x32 colour pixels in ten class folders, loads them in a fresh process with an
empty cache, and loads them again in two more processes. Told are the seconds of writing and of
importing the package; the files that are decoded in a second, and the seconds of the whole first
loading, with making the cache's entry and the fingerprint; the seconds of a second start; and the
memory at its peak, of the process and its workers together: anonymous (their own) and resident
(with the pages of mapped files that happen to be in memory). The files are in the system's page
cache, as they have just been written.

Command: python benchmarks/intake.py docs/results/intake.json
         python benchmarks/intake.py /dev/stdout --files 2000      (to try it)
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

FILES, CLASSES, SIDE = 200_000, 10, 32
SECOND_STARTS = 2


def write_files(folder: Path, count: int) -> None:
    """Write PNG files whose pixels are smooth random patches, which compress as photos do."""
    from PIL import Image

    rng = np.random.default_rng(count)
    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(parents=True)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        picture = coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        picture.save(folder / f"class{number % CLASSES}" / f"{number}.png")


class Memory(threading.Thread):
    """Watches the peaks of the memory of this process and its children, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peaks = {"RssAnon": 0.0, "VmRSS": 0.0}
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self.look()

    def end(self) -> None:
        """Look for the last time."""
        self._ended.set()
        self.join()
        self.look()

    def look(self) -> None:
        sums = dict.fromkeys(self.peaks, 0.0)
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        for process in ("self", *children):
            try:
                lines = Path(f"/proc/{process}/status").read_text().splitlines()
            except OSError:  # it has ended
                continue
            for line in lines:
                name, _, value = line.partition(":")
                if name in sums:
                    sums[name] += int(value.split()[0]) / 1024
        self.peaks = {name: max(peak, sums[name]) for name, peak in self.peaks.items()}


def measure(folder: Path) -> dict[str, float]:
    """Load the folder in this process, and return what it took."""
    memory = Memory()
    memory.start()
    started = time.monotonic()
    from rungwise.data import load

    imported = time.monotonic()
    marks: dict[int, float] = {}
    dataset = load(str(folder), progress=lambda done, total: marks.update({done: time.monotonic()}))
    loaded = time.monotonic()
    memory.end()
    figures = {
        "images": len(dataset.train),
        "import_seconds": imported - started,
        "load_seconds": loaded - imported,
        "anonymous_mb": memory.peaks["RssAnon"],
        "resident_mb": memory.peaks["VmRSS"],
    }
    if marks:
        figures["decode_files_per_second"] = max(marks) / (max(marks.values()) - imported)
    return {name: round(value, 3) for name, value in figures.items()}


def in_fresh_process(folder: Path, home: Path) -> dict[str, float]:
    """Measure in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "-", "--measure", str(folder)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "RUNGWISE_HOME": str(home)},
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Write the files, measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--place", type=Path, help="a folder on the disk for the files")
    parser.add_argument("--measure", type=Path, help="internal: measure in this process")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    with tempfile.TemporaryDirectory(dir=options.place) as place:
        folder, home = Path(place) / "photos", Path(place) / "home"
        started = time.monotonic()
        write_files(folder, options.files)
        record = {
            "files": options.files,
            "processors": len(os.sched_getaffinity(0)),
            "load_average": round(os.getloadavg()[0], 2),
            "write_seconds": round(time.monotonic() - started, 1),
            "first": in_fresh_process(folder, home),
            "second": [in_fresh_process(folder, home) for _ in range(SECOND_STARTS)],
        }
    options.path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
