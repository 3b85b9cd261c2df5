"""benchmarks/intake.py tells what a small folder takes."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "intake.py"


@pytest.fixture
def program() -> Any:
    spec = importlib.util.spec_from_file_location("intake", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_folder_is_written_and_measured_twice(program: Any, tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is read from /proc")
    program.write_files(tmp_path / "photos", 130)
    assert len(list((tmp_path / "photos").glob("class*/*.png"))) == 130

    first = program.measure(tmp_path / "photos")
    second = program.measure(tmp_path / "photos")

    assert first["images"] == second["images"] == 130
    assert first["decode_files_per_second"] > 0
    assert "decode_files_per_second" not in second  # nothing was decoded
    assert first["resident_mb"] >= first["anonymous_mb"] > 0
