"""benchmarks/faulty_folder.py finds its faults named, and tells where one is not."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "faulty_folder.py"


@pytest.fixture
def program() -> Any:
    spec = importlib.util.spec_from_file_location("faulty_folder", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def smooth_images(count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 11, 11, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((32, 32))) for one in coarse])


@pytest.mark.slow
def test_each_fault_is_named_and_nothing_else_is_lost(program: Any, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    program.write_sound(folder, smooth_images(120), ["cat", "dog"] * 60)
    faults = program.plant(folder)
    assert len(faults) == 20

    asked = program.judge(folder, tmp_path / "runs", faults, epochs=1)

    assert [what for what, is_so in asked if not is_so] == []
    assert len(asked) == 25


def test_a_fault_that_is_not_named_is_told(program: Any) -> None:
    fault = program.Fault("doubled", "duplicates_train", ("train/a/1.png", "train/a/2.png"))
    problem = {"kind": "duplicates_train", "examples": ["train/a/1.png = train/a/3.png"]}

    assert not program.is_named(fault, [problem])
    assert not program.is_named(fault, [problem | {"kind": "duplicates_test"}])
    problem["examples"].append("train/a/1.png = train/a/2.png")
    assert program.is_named(fault, [problem])
