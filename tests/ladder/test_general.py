"""The general ladder: what suits which images, and how large a net the time allows."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from rungwise.augment import BalancedCopies
from rungwise.data import load
from rungwise.errors import ConfigError
from rungwise.ladder import general
from rungwise.ladder.general import (
    STEP_SECONDS,
    Traits,
    general_ladder,
    likely_seconds,
    likely_speed,
    plain,
    rungs_for,
)
from rungwise.models import Compact

PHOTOS = Traits((3, 32, 32), (5000,) * 10, mirrors=True)
SYMBOLS = Traits((1, 28, 28), (600,) * 10, mirrors=False)
MINUTE = {"seconds": 60.0, "speed": 8e11}


def names_of(traits: Traits) -> list[str]:
    return [rung.name for rung in rungs_for(traits, **MINUTE)]


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        (PHOTOS, "plain moved mirrored longer hidden views ensemble"),
        (replace(PHOTOS, counts=(100,) * 10), "plain moved mirrored varied longer views ensemble"),
        (SYMBOLS, "plain moved longer views ensemble"),
        (replace(SYMBOLS, mirrors=None), "plain moved longer views ensemble"),
        (replace(SYMBOLS, counts=(300, 200)), "plain moved balanced longer views ensemble"),
        (replace(SYMBOLS, counts=(300, 201)), "plain moved longer views ensemble"),
        (replace(SYMBOLS, counts=(300, 300, 0)), "plain moved longer views ensemble"),
    ],
)
def test_the_rungs_suit_the_data(traits: Traits, expected: str) -> None:
    assert " ".join(names_of(traits)) == expected


def test_symbols_are_never_mirrored() -> None:
    for rung in rungs_for(SYMBOLS, **MINUTE):
        assert "mirror" not in str(rung.recipe).lower()
        assert "flip" not in str(rung.recipe).lower()


def test_rare_classes_are_a_rung_beside_the_others() -> None:
    rungs = rungs_for(replace(SYMBOLS, counts=(900, 100)), **MINUTE)
    with_copies = [rung.name for rung in rungs if BalancedCopies() in rung.recipe.augment]
    assert with_copies == ["balanced"]
    assert {rung.name: rung.base for rung in rungs}["longer"] == "moved"


def seconds_of(traits: Traits, allowed: float) -> float:
    return likely_seconds(plain(traits, allowed, 6e11), traits, 6e11)


@pytest.mark.parametrize("traits", [PHOTOS, SYMBOLS, Traits((3, 96, 64), (800, 900), mirrors=True)])
def test_more_time_makes_larger_trainings_within_it(traits: Traits) -> None:
    smallest = seconds_of(traits, 0)
    found = [seconds_of(traits, smallest * factor) for factor in (1, 4, 16, 64, 256)]
    assert found == sorted(found)
    assert found[-1] > 8 * smallest
    assert all(made <= smallest * 4**power for power, made in enumerate(found))


def test_many_steps_take_long_even_if_their_operations_are_few() -> None:
    tiny = Traits((1, 8, 8), (100,) * 10, mirrors=False)
    assert likely_seconds(plain(tiny, 0, 1e30), tiny, 1e30) == pytest.approx(200 * STEP_SECONDS)


def test_few_images_are_seen_more_often_in_smaller_batches() -> None:
    many, few = plain(PHOTOS, **MINUTE), plain(replace(PHOTOS, counts=(100,) * 10), **MINUTE)
    assert (many.epochs, few.epochs) == (6, 50)
    assert (many.batch_size, few.batch_size) == (500, 50)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1, 8, 8), 2), ((3, 15, 40), 2), ((3, 32, 32), 3), ((3, 64, 64), 4), ((3, 256, 128), 5)],
)
def test_larger_images_are_halved_more_often(shape: tuple[int, int, int], expected: int) -> None:
    model: Any = plain(replace(PHOTOS, shape=shape), **MINUTE).model
    assert isinstance(model, Compact)
    assert len(model.widths) == expected
    model.build(shape, 10, torch.Generator())


def test_the_time_is_that_of_the_kind_of_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(general, "bfloat16_is_fast", lambda device: False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert likely_speed(torch.device("cpu")) == 3 * general.SPEEDS["float32"]
    assert likely_speed(torch.device("cuda")) == general.SPEEDS["cuda"]


def test_a_ladder_is_made_for_the_digits_and_is_the_same_again() -> None:
    digits = load("digits")
    ladder = general_ladder(digits, seconds=60)
    assert ladder == general_ladder(digits, seconds=60)
    assert (ladder.name, ladder.data) == ("general", "digits")
    assert "must not be mirrored" in ladder.title


def test_a_subset_is_few_images() -> None:
    assert "500 training images" in general_ladder(load("digits@50")).title


def test_images_too_small_for_it_are_refused() -> None:
    digits = load("digits")
    with pytest.raises(ConfigError, match="rungwise train"):
        general_ladder(replace(digits, train=smaller(digits.train)))


def smaller(images: Any) -> Any:
    return type(images)(images.images[:, :4].clone(), images.labels, images.class_names)
