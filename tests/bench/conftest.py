"""Contestants that train nothing: tiny programs that speak as real ones do."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rungwise.bench.contestants import Contestant

PROGRAM = """
import json, sys
net, speed = sys.argv[1:]
print(json.dumps({{"batch_size": 4, "parameters": {parameters}}}), flush=True)
for turn, line in enumerate(sys.stdin):
    with open({log!r}, "a") as log:
        log.write(f"{name} {{line}}")
    {misbehave}
    seconds = int(line) / float(speed)
    print(json.dumps({{"seconds": seconds, "peak_memory": 1000000}}), flush=True)
"""

Fake = Callable[..., Contestant]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the file that fake contestants write their turns to."""
    return tmp_path / "turns.txt"


@pytest.fixture
def fake(tmp_path: Path, log: Path) -> Fake:
    """Return a function that makes a contestant of a given speed, in images a second."""

    def make(name: str, speed: float, misbehave: str = "pass", parameters: int = 7) -> Contestant:
        script = tmp_path / f"{name}.py"
        script.write_text(
            PROGRAM.format(name=name, misbehave=misbehave, parameters=parameters, log=str(log))
        )
        return Contestant(name, (sys.executable, str(script)), str(speed))

    return make
