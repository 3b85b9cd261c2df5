"""The general ladder: what suits which images, and how large a net the time allows."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from rungwise.augment import BalancedCopies
from rungwise.data import load
from rungwise.errors import ConfigError
from rungwise.ladder.general import SIZES, Traits, general_ladder, plain, rungs_for
from rungwise.models import Compact
from rungwise.training.recipe import Recipe

PHOTOS = Traits((3, 32, 32), (5000,) * 10, mirrors=True)
SYMBOLS = Traits((1, 28, 28), (600,) * 10, mirrors=False)


def by_width(recipe: Recipe) -> float:
    """Stand for the time of a training: wider nets take longer."""
    assert isinstance(recipe.model, Compact)
    return float(sum(width**2 for width in recipe.model.widths) * recipe.epochs)


def smallest(traits: Traits) -> Recipe:
    return plain(traits, by_width, seconds=0)


def names_of(traits: Traits) -> list[str]:
    return [rung.name for rung in rungs_for(traits, smallest(traits))]


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
    assert not any(rung.recipe.mirrors for rung in rungs_for(SYMBOLS, smallest(SYMBOLS)))
    assert any(rung.recipe.mirrors for rung in rungs_for(PHOTOS, smallest(PHOTOS)))


def test_rare_classes_are_a_rung_beside_the_others() -> None:
    traits = replace(SYMBOLS, counts=(900, 100))
    rungs = rungs_for(traits, smallest(traits))
    with_copies = [rung.name for rung in rungs if BalancedCopies() in rung.recipe.augment]
    assert with_copies == ["balanced"]
    assert {rung.name: rung.base for rung in rungs}["longer"] == "moved"


@pytest.mark.parametrize("place", range(len(SIZES)))
def test_the_largest_training_within_the_time_is_chosen(place: int) -> None:
    widths, epochs, _ = SIZES[place]
    chosen = plain(PHOTOS, by_width, seconds=sum(w * w for w in widths) * epochs)
    assert (chosen.model, chosen.epochs) == (replace(chosen.model, widths=widths), epochs)  # type: ignore[call-arg]


def test_what_takes_too_long_ends_the_search() -> None:
    asked: list[Recipe] = []

    def too_long(recipe: Recipe) -> float:
        asked.append(recipe)
        return 1.0

    assert plain(PHOTOS, too_long, seconds=0.5) == smallest(PHOTOS)
    assert len(asked) == 1


def test_few_images_are_seen_more_often_in_smaller_batches() -> None:
    many, few = (smallest(replace(PHOTOS, counts=(count,) * 10)) for count in (5000, 100))
    assert (many.epochs, few.epochs) == (3, 10)
    assert (many.batch_size, few.batch_size) == (500, 50)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1, 8, 8), 2), ((3, 15, 40), 2), ((3, 32, 32), 3), ((3, 64, 64), 4), ((3, 256, 128), 5)],
)
def test_larger_images_are_halved_more_often(shape: tuple[int, int, int], expected: int) -> None:
    model: Any = smallest(replace(PHOTOS, shape=shape)).model
    assert isinstance(model, Compact)
    assert len(model.widths) == expected
    model.build(shape, 10, torch.Generator())


def test_a_ladder_is_made_for_the_digits() -> None:
    ladder = general_ladder(load("digits@50"), by_width, seconds=60)
    assert (ladder.name, ladder.data) == ("general", "digits@50")
    assert ladder.title == "digits@50: 500 training images that are not mirrored"


def test_images_too_small_for_it_are_refused() -> None:
    digits = load("digits")
    with pytest.raises(ConfigError, match="rungwise train"):
        general_ladder(replace(digits, train=smaller(digits.train)), by_width)


def smaller(images: Any) -> Any:
    return type(images)(images.images[:, :4].clone(), images.labels, images.class_names)
