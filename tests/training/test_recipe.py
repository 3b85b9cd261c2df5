from dataclasses import replace
from typing import Any

import pytest

from rungwise.augment import Flip, MirroredCopies, Shift
from rungwise.augment.views import Mirror, RandomCopies
from rungwise.errors import ConfigError
from rungwise.models import MLP, Multitask
from rungwise.techniques import EarlyStopping, Reconstruction, Snapshots
from rungwise.training.recipe import Members, Recipe
from rungwise.training.schedule import CyclicCosine


def test_defaults_make_a_recipe() -> None:
    recipe = Recipe(model=MLP())

    assert recipe.member_recipes() == (recipe,)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"techniques": (Reconstruction(),)}, "reconstruction has no effect"),
        ({"techniques": (EarlyStopping(),), "validation": 0}, "nothing to watch"),
        ({"views": RandomCopies()}, "random-copies has no effect"),
        ({"keep": "best-val-acc", "validation": 0}, "no validation images"),
        ({"keep": "best-val-loss", "validation": 0.0}, "no validation images"),
        ({"techniques": (Snapshots(),)}, "3 nets .* 1 in 10 epochs"),
        ({"techniques": (Snapshots(),), "schedule": CyclicCosine(cycles=2)}, "has 2 in 10 epochs"),
        (
            {"techniques": (Snapshots(),), "schedule": CyclicCosine(cycles=5), "epochs": 4},
            "has 5 in 4 epochs",
        ),
        (
            {
                "techniques": (Snapshots(), EarlyStopping()),
                "schedule": CyclicCosine(),
            },
            "by validation too",
        ),
        (
            {
                "techniques": (Snapshots(),),
                "schedule": CyclicCosine(),
                "keep": "best-val-acc",
            },
            "by validation too",
        ),
        ({"temperature_scaling": True, "validation": 0}, "no images to fit on"),
        ({"temperature_scaling": True, "validation": "test"}, "no images to fit on"),
    ],
    ids=str,
)
def test_options_without_effect_are_refused_in_three_parts(
    settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        Recipe(model=MLP(), **settings)

    assert caught.value.expected
    assert caught.value.fix


def test_the_same_options_are_taken_where_they_have_an_effect() -> None:
    Recipe(
        model=Multitask(),
        augment=(Flip(),),
        techniques=(Reconstruction(), EarlyStopping()),
        views=RandomCopies(),
        keep="best-val-loss",
        validation="test",
    )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"validation": 1.0}, "validation is 1.0"),
        ({"validation": -0.1}, "validation is -0.1"),
        ({"validation": 10}, "validation is 10"),
        ({"validation": "tset"}, "validation is 'tset'"),
        ({"keep": "best"}, "keep is 'best'"),
        ({"input": "normalized"}, "input is 'normalized'"),
        ({"precision": "float16"}, "precision is 'float16'"),
        ({"name": ""}, "name is ''"),
        ({"name": ".hidden"}, "name is '.hidden'"),
        ({"name": "../up"}, "name is '../up'"),
        ({"name": "two words"}, "name is 'two words'"),
    ],
    ids=str,
)
def test_impossible_settings_are_refused_in_three_parts(
    settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        Recipe(model=MLP(), **settings)

    assert caught.value.expected
    assert caught.value.fix


def test_member_recipes_repeat_each_group_without_views_and_ensemble() -> None:
    recipe = Recipe(
        model=MLP(),
        augment=(Flip(),),
        views=Mirror(),
        temperature_scaling=True,
        ensemble=(Members(count=2), Members(count=1, augment=(Shift(),)), Members(count=1)),
    )

    members = recipe.member_recipes()

    assert [member.augment for member in members] == [(Flip(),), (Flip(),), (Shift(),), (Flip(),)]
    assert all(member.views is None and member.ensemble == () for member in members)
    assert members[0] == replace(recipe, views=None, ensemble=(), temperature_scaling=False)


def test_a_training_ends_with_as_many_nets_as_its_snapshots() -> None:
    recipe = Recipe(model=MLP(), techniques=(Snapshots(count=5),), schedule=CyclicCosine(cycles=5))

    assert (recipe.nets, Recipe(model=MLP()).nets) == (5, 1)


def test_a_group_may_do_without_augmentation() -> None:
    recipe = Recipe(model=MLP(), augment=(Flip(),), ensemble=(Members(count=1, augment=()),))

    assert recipe.member_recipes()[0].augment == ()


def test_a_group_without_members_is_refused() -> None:
    with pytest.raises(ConfigError, match="group has 0 members"):
        Members(count=0)


def test_all_that_mirrors_is_named() -> None:
    assert Recipe(model=MLP(), augment=(Shift(pixels=1),)).mirrors == ()
    recipe = Recipe(
        model=MLP(),
        augment=(Flip(), Shift(pixels=1)),
        views=Mirror(),
        ensemble=(Members(count=1), Members(count=1, augment=(MirroredCopies(),))),
    )
    assert recipe.mirrors == ("flip", "mirrored-copies", "mirror")
    assert recipe.single().mirrors == ("flip",)
