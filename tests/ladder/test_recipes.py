"""Recipes by name."""

from pathlib import Path

import pytest

from rungwise.errors import ConfigError, UnknownNameError
from rungwise.ladder.recipes import RECIPES, find_recipe, recipe_for
from rungwise.training.course import steps_per_epoch
from rungwise.training.parsing import recipe_text


def test_a_name_goes_before_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("compact").write_text("model: mlp")

    assert find_recipe("compact") is RECIPES["compact"]


def test_a_file_is_found_with_and_without_the_suffix(tmp_path: Path) -> None:
    recipe = RECIPES["digits/dense"]
    for name in ("mine.yaml", "mine"):
        path = tmp_path / name
        path.write_text(recipe_text(recipe))
        assert find_recipe(str(path)) == recipe


def test_a_missing_file_and_an_unknown_name_are_told_apart() -> None:
    with pytest.raises(ConfigError, match=r"cannot read the recipe nowhere\.yaml"):
        find_recipe("nowhere.yaml")
    with pytest.raises(UnknownNameError, match="did you mean 'digits/dense'"):
        find_recipe("digits/dens")


@pytest.mark.parametrize(
    ("shape", "name"),
    [((1, 8, 8), "compact"), ((3, 32, 8), "compact"), ((1, 7, 40), "dense"), ((1, 1, 3), "dense")],
)
def test_small_images_get_the_dense_net(shape: tuple[int, int, int], name: str) -> None:
    assert recipe_for(shape, 60_000) == RECIPES[name]


@pytest.mark.parametrize("images", [1, 2, 65, 100, 1000])
def test_few_images_are_trained_on_for_300_steps_and_no_epoch_more(images: int) -> None:
    recipe = recipe_for((1, 8, 8), images)
    steps = steps_per_epoch(images, recipe.batch_size)

    assert recipe.epochs * steps >= 300 > (recipe.epochs - 1) * steps
