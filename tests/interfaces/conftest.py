"""The command line called in this process, a recipe for it, and image folders to try it on."""

import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from rungwise.data import load
from rungwise.interfaces.cli import app
from rungwise.ladder.job import make_job
from rungwise.training.parsing import load_recipe
from rungwise.training.seed import Seed

RECIPE = """\
name: tiny
model: {name: mlp, hidden_widths: [16]}
validation: 0.1
optimizer: {name: adam, lr: 1e-3}
epochs: 2
batch_size: 200
precision: float32
"""


class Result(NamedTuple):
    """What a call of the command line left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def fails(self, code: int, *words: str) -> None:
        """Require an exit code, and a message of problem, expectation and fix with these words."""
        assert (self.code, self.out) == (code, "")
        assert self.err.count("error: ") == 1, self.err
        assert "\n  expected: " in self.err, self.err
        assert "\n  fix: " in self.err, self.err
        assert "Traceback" not in self.err
        for word in words:
            assert word in self.err, self.err


Rungwise = Callable[..., Result]


@pytest.fixture
def rungwise(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Rungwise:
    """Return a function that calls the command line, as `rungwise(verb, ...)`."""

    def call(*words: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["rungwise", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Cyclopts application invoked without tokens")
                app.main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        return Result(code, *capsys.readouterr())

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder that holds a recipe, `tiny.yaml`."""
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the tiny recipe on the digits once, and return the folder of runs."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.yaml").write_text(RECIPE)
    recipe, cpu = load_recipe(folder / "tiny.yaml"), torch.device("cpu")
    for _ in make_job(recipe, load("digits"), Seed(0), folder / "runs", cpu).train():
        pass
    return folder / "runs"


@pytest.fixture
def run(trained_once: Path, here: Path) -> Path:
    """Return a finished run in `./runs`, a copy that may be spoiled."""
    shutil.copytree(trained_once, here / "runs")
    return next(Path("runs").glob("digits/tiny-*/seed-0"))


def picture(path: Path, size: tuple[int, int] = (8, 8), channels: int = 1, seed: int = 0) -> Path:
    """Write an image of noise; `size` is height and width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if channels == 1 else (*size, channels)
    noise = np.random.default_rng([seed, *size]).integers(0, 255, shape, dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


@pytest.fixture
def photos(here: Path) -> Path:
    """Return a good folder: two classes of six grey images of 8×8 pixels."""
    for label, name in enumerate(("cat", "dog")):
        for index in range(6):
            picture(here / "photos" / name / f"{index}.png", seed=10 * label + index)
    return here / "photos"


@pytest.fixture(name="picture")
def picture_fixture() -> Callable[..., Path]:
    """Return the function that writes an image of noise."""
    return picture
