"""What of a recipe is not the package's own, and whether its code has changed."""

import dataclasses
import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rungwise.augment import Flip, Shift
from rungwise.ladder.recipes import RECIPES
from rungwise.models import Compact
from rungwise.training.parsing import training_parts
from rungwise.training.sources import own_sources

OWN = """
from dataclasses import dataclass
from rungwise.augment import Augmentation
from own_helper import AMOUNT
from own_base import Base

@dataclass(frozen=True, kw_only=True)
class Dim(Base):
    factor: float = 0.5
"""
BASE = """
from rungwise.augment import Augmentation

class Base(Augmentation):
    def change_images(self, images, rng):
        return images * self.factor
"""
HELPER = "AMOUNT = 1\n"
NAMES = ("own_augmentation", "own_base", "own_helper")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder that holds a user's own augmentation, its base and a helper."""
    for name, text in zip(NAMES, (OWN, BASE, HELPER), strict=True):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    forget()


def forget() -> None:
    for name in NAMES:
        sys.modules.pop(name, None)


def dim() -> Any:
    """Import the augmentation as a new process does, and return one."""
    forget()
    importlib.invalidate_caches()
    return importlib.import_module(NAMES[0]).Dim()


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_named_recipes_have_no_source_but_the_packages_own(name: str) -> None:
    assert own_sources(training_parts(RECIPES[name])) == []


def test_unchanged_source_is_the_same_to_another_process(folder: Path) -> None:
    first = own_sources([Compact(), (Flip(), dim())])

    assert first == own_sources([(dim(), Flip())])
    assert first


@pytest.mark.parametrize("name", NAMES)
def test_a_change_to_the_class_its_base_or_a_module_beside_it_is_seen(
    folder: Path, name: str
) -> None:
    before = own_sources([dim()])
    with (folder / f"{name}.py").open("a") as file:
        file.write("\nCHANGED = True\n")

    assert own_sources([dim()]) != before


def test_modules_of_a_package_are_found_through_relative_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("from .dim import Dim\n")
    late = "    def change_images(self, images, rng):\n        from . import late\n"
    (package / "dim.py").write_text(OWN.replace("own_", ".own_") + late)
    (package / "own_base.py").write_text(BASE)
    (package / "own_helper.py").write_text("from own_package.deep import AMOUNT\n")
    (package / "deep.py").write_text("AMOUNT = 1\n")
    (package / "late.py").write_text("WHEN = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def sources() -> list[str]:
        for name in [name for name in sys.modules if name.startswith("own_package")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        return own_sources([importlib.import_module("own_package").Dim()])

    before = sources()
    for name in ("dim", "own_base", "own_helper", "deep", "late"):
        with (package / f"{name}.py").open("a") as file:
            file.write("# changed\n")
        after = sources()
        assert after != before, name
        before = after


def test_a_file_that_changes_after_its_import_is_not_the_code_that_runs(folder: Path) -> None:
    loaded = dim()
    before = own_sources([loaded])
    (folder / f"{NAMES[0]}.py").write_text(OWN + "CHANGED = True\n")

    assert own_sources([loaded]) == before


def test_modules_elsewhere_do_not_count(folder: Path, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far_away.py").write_text("X = 1\n")
    (folder / f"{NAMES[0]}.py").write_text(OWN + "import far_away\n")
    sys.path.append(str(elsewhere))
    try:
        before = own_sources([dim()])
        (elsewhere / "far_away.py").write_text("X = 2\n")
        assert own_sources([dim()]) == before
    finally:
        sys.path.remove(str(elsewhere))
        sys.modules.pop("far_away", None)


CELL = """
from rungwise.augment import Augmentation
from dataclasses import dataclass

SCALE = 1
UNUSED = 1

def scaled(images):
    return images * SCALE

@dataclass(frozen=True, kw_only=True)
class Noted(Augmentation):
    def change_images(self, images, rng):
        return scaled(images)
"""


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Return a module without a file, in which a class was defined, as a notebook's cells do."""
    module = types.ModuleType("notebook_cells")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(CELL, vars(module))
    return module


def seen(module: types.ModuleType) -> list[str]:
    with pytest.warns(UserWarning, match="source of Noted cannot be read: notebook_cells"):
        return own_sources([module.Noted()])


def test_without_a_file_runs_are_found_again_while_nothing_changes(
    notebook: types.ModuleType,
) -> None:
    assert seen(notebook) == seen(notebook)
    notebook.UNUSED = 2
    before = seen(notebook)
    exec(CELL.replace("UNUSED = 1", "UNUSED = 2"), vars(notebook))
    assert seen(notebook) == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("SCALE = 1", "SCALE = 2"),
        ("images * SCALE", "images + SCALE"),
        ("return scaled(images)", "return scaled(scaled(images))"),
        ("class Noted(Augmentation):", "class Noted(Augmentation):\n    drawn = 3"),
    ],
)
def test_without_a_file_every_change_of_code_is_seen(
    notebook: types.ModuleType, before: str, after: str
) -> None:
    first = seen(notebook)
    exec(CELL.replace(before, after), vars(notebook))

    assert seen(notebook) != first


def test_without_a_file_another_process_finds_nothing(
    notebook: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = seen(notebook)
    monkeypatch.setattr("rungwise.training.sources.PROCESS", "another")

    assert seen(notebook) != first


def test_a_class_that_no_module_holds_is_seen_all_the_same() -> None:
    def made(power: int) -> Any:
        def change_images(self: Any, images: Any, rng: Any) -> Any:
            return images**power

        space = {"change_images": change_images, "POWER": power}
        return dataclasses.make_dataclass("Made", [], bases=(Flip,), frozen=True, namespace=space)()

    with pytest.warns(UserWarning, match="source of Made cannot be read: types"):
        assert own_sources([made(1)]) != own_sources([made(2)])


def test_settings_are_not_source() -> None:
    assert own_sources([Shift(pixels=1)]) == own_sources([Shift(pixels=2)]) == []


VALUES = """
import sys
import numpy as np
from rungwise.augment import Augmentation
FACTOR = float(sys.argv[1]) if sys.argv[0] == "own" else 0.5
calls = 0

def make(strength, table=None, after=None):
    class Mine(Augmentation):
        share = 0.5
        def change_images(self, images, rng, *, most=1):
            global calls
            calls += 1
            return images * strength * self.share * FACTOR
        def looked_up(self):
            return table, after and after(1)
    return Mine
"""


@pytest.fixture
def values(folder: Path) -> Any:
    (folder / "own_helper.py").write_text(VALUES)
    return importlib.import_module("own_helper")


def key(kind: type) -> list[str]:
    return own_sources([dataclasses.dataclass(kind)()])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1.0,), (0.5,)),
        ((1.0, [1, {"a": 2}]), (1.0, [1, {"a": 3}])),
        ((1.0, np.zeros(2)), (1.0, np.ones(2))),
        ((1.0, torch.zeros(2)), (1.0, torch.zeros(2, dtype=torch.int32))),
        ((1.0, torch.zeros(2, dtype=torch.bfloat16)), (1.0, torch.ones(2, dtype=torch.bfloat16))),
        ((1.0, {3, 4}), (1.0, {3, 5})),
        ((1.0, None, lambda x, by=1: x + by), (1.0, None, lambda x, by=2: x + by)),
    ],
)
def test_values_around_a_class_are_part_of_what_it_does(
    values: Any, one: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    assert key(values.make(*one)) == key(values.make(*one))
    assert key(values.make(*one)) != key(values.make(*other))


def test_attributes_that_are_set_later_are_part_of_what_a_class_does(values: Any) -> None:
    kind = values.make(1.0)
    before = key(kind)
    assert key(kind) == before

    kind.share = 0.25

    assert key(kind) != before


def test_defaults_and_constants_of_the_module_are_part_and_counters_are_not(
    values: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = values.make(1.0)
    before = key(kind)

    monkeypatch.setattr(values, "calls", 7)
    assert key(kind) == before

    monkeypatch.setattr(values, "FACTOR", 0.75)
    changed = key(kind)
    assert changed != before
    kind.change_images.__kwdefaults__ = {"most": 2}
    assert key(kind) != changed


def test_objects_around_a_class_do_not_make_another_of_it_in_every_process(values: Any) -> None:
    assert key(values.make(1.0, object())) == key(values.make(1.0, object()))
