"""Does a climb that is killed ten times end in the table of an undisturbed one?

Climbs once undisturbed; then climbs in another folder, kills the process with SIGKILL at random
moments, gives the command again each time, and at last lets it end. The two results must be equal
to the digit in all but seconds and places.

Command: python benchmarks/kills.py docs/results/kills.json --ladder digits   (about 3 minutes)
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

KILLS = 10
TIMES = {"seconds", "report", "time"}
"""What differs between two climbs of the same things."""


def command(ladder: str, place: Path) -> list[str]:
    """Return the command that climbs into a place."""
    words = ["climb", ladder, "--json", "--quiet", "--out", str(place)]
    return [sys.executable, "-m", "rungwise", *words]


def undisturbed(ladder: str, place: Path) -> tuple[dict[str, Any], float]:
    """Climb, and return the result with the seconds that it took."""
    started = time.monotonic()
    done = subprocess.run(command(ladder, place), check=True, capture_output=True, text=True)
    return json.loads(done.stdout), time.monotonic() - started


def kill_after(ladder: str, place: Path, seconds: float) -> bool:
    """Climb, kill after so many seconds, and tell whether it was still at work then."""
    process = subprocess.Popen(command(ladder, place), stdout=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def without_times(value: Any) -> Any:
    """Return a result without what may differ."""
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if name not in TIMES}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return value


def main() -> None:
    """Climb with and without kills, compare and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--ladder", default="digits")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        expected, seconds = undisturbed(options.ladder, Path(folder) / "undisturbed")
        place = Path(folder) / "killed"
        kills: list[float] = []
        while len(kills) < KILLS:
            # Start-up is part of each try, so the tries add up to more than one undisturbed climb.
            after = moments.uniform(0.05, 0.2) * seconds
            if kill_after(options.ladder, place, after):
                kills.append(round(after, 2))
                print(f"killed after {after:.2f} s", flush=True)
            else:
                print("it ended before it was killed: begun anew", flush=True)
                kills, place = [], place.with_name(f"{place.name}-again")
        result, last = undisturbed(options.ladder, place)
    equal = without_times(result) == without_times(expected)
    record = {
        "ladder": options.ladder,
        "kills_after_seconds": kills,
        "undisturbed_seconds": round(seconds, 1),
        "last_part_seconds": round(last, 1),
        "tables_equal": equal,
        "rungs": without_times(expected)["rungs"],
    }
    options.path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"tables equal: {equal}")
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
