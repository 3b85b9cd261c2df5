"""Recipes by name."""

from pathlib import Path

import pytest

from rungwise.errors import ConfigError, UnknownNameError
from rungwise.ladder.recipes import RECIPES, find_recipe
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
