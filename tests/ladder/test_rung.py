"""What a ladder is, and how it is changed."""

from dataclasses import replace

import pytest

from rungwise.errors import ConfigError, UnknownNameError
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import MLP
from rungwise.training.recipe import Recipe


def rung(name: str, base: str | None = None, reference: float | None = None) -> Rung:
    recipe = Recipe(name=name, model=MLP())
    return Rung(recipe=recipe, change="a change", base=base, reference=reference)


def ladder(*rungs: Rung, validation: float | str | None = None) -> Ladder:
    return Ladder(
        name="three",
        data="digits",
        title="Three rungs",
        rungs=rungs,
        article_validation=validation,  # type: ignore[arg-type]
    )


THREE = (rung("one", reference=0.5), rung("two", "one"), rung("three", "two", reference=0.75))


def names(changed: Ladder) -> list[str]:
    return [rung.name for rung in changed.rungs]


def test_a_rung_bears_the_name_of_its_recipe() -> None:
    assert rung("plain").name == "plain"
    assert ladder(*THREE).rung("two") is THREE[1]


@pytest.mark.parametrize(
    "rungs",
    [
        (rung("one"), rung("one", "one")),
        (rung("one"), rung("two", "three")),
        (rung("two", "one"), rung("one")),
        (rung("one", "one"),),
    ],
    ids=["twice", "missing base", "base too late", "its own base"],
)
def test_rungs_have_different_names_and_stand_after_their_base(rungs: tuple[Rung, ...]) -> None:
    with pytest.raises(ConfigError, match="stands twice or before its base"):
        ladder(*rungs)


def test_rungs_hold_out_the_same_share() -> None:
    other = replace(THREE[1], recipe=replace(THREE[1].recipe, validation=0.25))

    with pytest.raises(ConfigError, match=r"differ in validation: one 0\.1, two 0\.25"):
        ladder(THREE[0], other)


def test_the_sealed_protocol_leaves_the_validation_shares() -> None:
    before = ladder(*THREE, validation="test")

    assert before.under("sealed") is before


@pytest.mark.parametrize("validation", [0.25, "test"])
def test_the_articles_protocol_validates_every_rung_as_the_article_did(
    validation: float | str,
) -> None:
    changed = ladder(*THREE, validation=validation).under("article")

    assert [rung.recipe.validation for rung in changed.rungs] == [validation] * 3
    assert names(changed) == ["one", "two", "three"]


def test_a_ladder_that_follows_no_article_has_no_such_protocol() -> None:
    with pytest.raises(ConfigError, match="'three' follows no article"):
        ladder(*THREE).under("article")


def test_only_keeps_the_ladders_order_and_compares_with_the_nearest_base_that_is_kept() -> None:
    chosen = ladder(*THREE).only(["three", "one"])

    assert names(chosen) == ["one", "three"]
    assert [rung.base for rung in chosen.rungs] == [None, "one"]
    assert [rung.base for rung in ladder(*THREE).only(["three"]).rungs] == [None]
    assert [rung.base for rung in ladder(*THREE).only(["two", "one"]).rungs] == [None, "one"]


def test_an_unknown_rung_is_told_with_the_nearest_right_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'three'") as caught:
        ladder(*THREE).only(["thre"])

    assert "unknown rung 'thre'" in str(caught.value)


def test_an_articles_accuracies_do_not_hold_on_other_data() -> None:
    moved = ladder(*THREE).on("mnist")

    assert moved.data == "mnist"
    assert [rung.reference for rung in moved.rungs] == [None, None, None]
    assert [rung.reference for rung in ladder(*THREE).on("digits").rungs] == [0.5, None, 0.75]
