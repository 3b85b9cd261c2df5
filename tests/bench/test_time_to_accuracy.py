"""The arithmetic of benchmarks/time_to_accuracy.py."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from rungwise.bench.nets import NETS
from rungwise.ladder.recipes import find_recipe

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "time_to_accuracy.py"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("time_to_accuracy", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where its dataclasses look
    spec.loader.exec_module(module)
    return module


def one_round(keras: float, ours: float, accuracy: float) -> dict[str, Any]:
    about_ours = {"seconds": ours, "process_seconds": ours + 2, "test_accuracy": accuracy}
    return {"keras": {"seconds": keras}, "ours": about_ours}


def test_every_article_has_a_net_of_the_bench_and_a_recipe(program: Any) -> None:
    assert {article.net for article in program.ARTICLES.values()} <= NETS.keys()
    assert program.RECIPES.keys() == program.ARTICLES.keys()
    assert all(find_recipe(name) for name in program.RECIPES.values())


def test_keras_takes_as_long_as_all_the_articles_images(program: Any) -> None:
    # Article C: 5 epochs of 60,000 images and their mirror images, here at 400 a second.
    assert program.extrapolated(program.ARTICLES["C"].images, 400) == 1500


def test_the_ratio_is_the_median_of_the_rounds_own(program: Any) -> None:
    rounds = [one_round(100, 50, 0.94), one_round(300, 60, 0.93), one_round(90, 30, 0.95)]

    found = program.summary(program.ARTICLES["C"], "mine", rounds)

    assert found["ratio"] == 3  # of 2, 5 and 3
    assert (found["keras_seconds"], found["our_seconds"]) == (100, 50)
    assert found["mean_test_accuracy"] == pytest.approx(0.94)
    assert found["reached"]


def test_the_table_says_where_the_mean_falls_short(program: Any) -> None:
    found = program.summary(program.ARTICLES["C"], "mine", [one_round(1000, 50, 0.9)])

    row = program.table({"C": found}).splitlines()[2]

    cells = "| C | 0.9336 | 1,000.0 | `mine` | 50.0 | 52.0 | 20 | 0.9000 (not reached) | 0.9000 |"
    assert row == cells
