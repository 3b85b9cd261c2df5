"""benchmarks/hostile_files.py finds no fault in a few files, as its large form does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "hostile_files.py"
COUNT = 24


@pytest.mark.skipif(sys.platform != "linux", reason="limits and memory are Linux's")
def test_a_few_hostile_files_end_in_a_result_or_a_named_error(tmp_path: Path) -> None:
    result = tmp_path / "result.json"

    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(result), "--count", str(COUNT), "--seed", "1"],
        capture_output=True,
        text=True,
    )

    found = json.loads(result.read_text())
    assert found["faults"] == [], done.stderr
    assert done.returncode == 0
    assert found["files"] == COUNT
    assert found["verdicts"]["named"] > 0
    assert found["verdicts"]["right"] > 0
