"""`rungwise bench`, with tiny programs in place of real contestants."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rungwise.bench import contestants
from rungwise.bench.contestants import Contestant

PROGRAM = """
import json, sys
print(json.dumps({"batch_size": 4}), flush=True)
for line in sys.stdin:
    print(json.dumps({"seconds": int(line) / 100, "peak_memory": 1000000}), flush=True)
"""


@pytest.fixture
def rivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every contestant train 100 images a second."""

    def make(names: tuple[str, ...], python: Path | None) -> list[Contestant]:
        return [Contestant(name, (sys.executable, "-c", PROGRAM), "float32") for name in names]

    monkeypatch.setattr(contestants, "make_contestants", make)


WORDS = ("bench", "--nets", "A-cnn,C-cnn", "--contestants", "rungwise,torch-eager")


def test_it_prints_tables_and_writes_the_record(
    rungwise: Any, rivals: None, tmp_path: Path
) -> None:
    result = rungwise(*WORDS, "--repeats", "1", "--out", tmp_path / "bench.json")

    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[1].split() == ["images/s", "rungwise", "torch-eager"]
    assert lines[2].split() == ["A-cnn", "100", "100"]
    assert "A-cnn: torch-eager starts and warms up" in result.err
    record = json.loads((tmp_path / "bench.json").read_text())
    assert list(record["nets"]) == ["A-cnn", "C-cnn"]
    assert {"processor", "threads", "torch"} <= record["machine"].keys()


def test_json_goes_to_stdout_and_quiet_prints_no_progress(rungwise: Any, rivals: None) -> None:
    result = rungwise(*WORDS, "--repeats", "2", "--json", "--quiet")

    assert result.err == ""
    assert result.json["repeats"] == 2
    turns = result.json["nets"]["C-cnn"]["contestants"]["rungwise"]["turns"]
    assert [turn["images_per_second"] for turn in turns] == [100, 100]
    assert result.json["nets"]["C-cnn"]["ratios"]["auto / torch-eager"] == 1


def test_wrong_calls_are_told(rungwise: Any, tmp_path: Path) -> None:
    rungwise("bench", "--nets", "C-con3").fails(2, "unknown net 'C-con3'", "'C-conv3'")
    rungwise("bench", "--contestants", "kera").fails(2, "unknown contestant", "'keras'")
    rungwise("bench", "--repeats", "0").fails(2, "repeats is 0")
    rungwise("bench", "--peers", tmp_path).fails(2, "is no virtual environment")
    rungwise("bench", "--quick", "--repeats", "3").fails(2, "--repeats was given with --quick")
    rungwise("bench", "--offline").fails(1, "could not be made", "--offline was given")
