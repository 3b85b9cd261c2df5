"""Each reading of a ladder, worked by hand: what stands on what, and what cannot be measured."""

from dataclasses import replace
from typing import Any

import pytest

from rungwise.augment import ChannelShift, Cutout, Flip, Shift
from rungwise.augment.views import Mirror, RandomCopies
from rungwise.errors import UnknownNameError
from rungwise.ladder.presets import LADDERS
from rungwise.ladder.reading import READERS, ClashError, ReadLadder, carry, read
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import CNN, MLP, Compact, StridedCNN, TwoBranch
from rungwise.techniques import CutMix, EarlyStopping, LabelSmoothing, Mixup
from rungwise.training.optimizer import SGD, Adam
from rungwise.training.recipe import Members, Recipe

PLAIN = Recipe(name="plain", model=MLP(), epochs=5)

NEEDS_RANDOM = "random-copies has no effect: the recipe has no random augmentation"


def rung(recipe: Recipe, base: str | None = None, **settings: Any) -> Rung:
    return Rung(**({"recipe": recipe, "change": f"+ {recipe.name}", "base": base} | settings))


def ladder(*rungs: Rung) -> Ladder:
    return Ladder(name="made-up", data="digits", title="Some rungs", rungs=rungs)


def chain(*recipes: Recipe) -> Ladder:
    """A ladder in which each recipe stands on the one before."""
    names = [None, *[recipe.name for recipe in recipes]]
    return ladder(*[rung(recipe, names[index]) for index, recipe in enumerate(recipes)])


def bases(found: ReadLadder) -> dict[str, str | None]:
    return {rung.name: rung.base for rung in found.ladder.rungs}


def differing(found: ReadLadder, name: str, other: Recipe) -> dict[str, Any]:
    """The settings of a rung that are not as in `other`, names aside."""
    recipe = found.ladder.rung(name).recipe
    return {
        setting: value
        for setting, value in vars(recipe).items()
        if setting != "name" and value != getattr(other, setting)
    }


# --- what a step is


def test_a_step_changes_one_setting_of_a_component_and_leaves_its_others() -> None:
    three = replace(PLAIN, model=CNN(conv_widths=(32, 64, 128)))
    four = replace(PLAIN, model=CNN(conv_widths=(32, 64, 128, 256)))
    bordered = replace(PLAIN, model=CNN(conv_widths=(8,), border=2), epochs=7)

    carried = carry(three, four, bordered, "wider")

    assert carried == Recipe(
        name="wider", model=CNN(conv_widths=(32, 64, 128, 256), border=2), epochs=7
    )


def test_a_component_of_another_name_is_replaced_as_a_whole() -> None:
    carried = carry(
        replace(PLAIN, model=CNN()),
        replace(PLAIN, model=Compact(widths=(32,))),
        replace(PLAIN, model=StridedCNN()),
        "small",
    )

    assert carried.model == Compact(widths=(32,))


def test_a_setting_of_a_component_that_is_not_there_cannot_be_changed() -> None:
    slow, fast = replace(PLAIN, optimizer=SGD(lr=0.1)), replace(PLAIN, optimizer=SGD(lr=0.2))

    with pytest.raises(ClashError, match="there is no sgd whose lr it could change") as caught:
        carry(slow, fast, replace(PLAIN, optimizer=Adam()), "fast")

    assert caught.value.place == "optimizer"


@pytest.mark.parametrize(
    ("before", "after", "onto", "expected"),
    [
        ([], [Flip()], [Shift()], [Shift(), Flip()]),
        ([Flip()], [Shift(), Flip()], [Flip(), Cutout()], [Shift(), Flip(), Cutout()]),
        ([Flip()], [Flip(), Shift()], [Flip(), Cutout()], [Flip(), Cutout(), Shift()]),
        ([Flip()], [Cutout(), Shift(), Flip()], [Flip()], [Cutout(), Shift(), Flip()]),
        ([Flip(), Shift()], [Shift()], [Flip(), Cutout()], [Cutout()]),
        ([Flip()], [], [Cutout()], [Cutout()]),
        ([Flip()], [Shift()], [Flip(), Cutout()], [Cutout(), Shift()]),
        ([Shift(pixels=1)], [Shift(pixels=2)], [Shift(pixels=1), Flip()],
         [Shift(pixels=2), Flip()]),
        ([Cutout(size=2)], [Cutout(size=2), Cutout(size=4)], [Cutout(size=2)],
         [Cutout(size=2), Cutout(size=4)]),
        ([Flip(), Shift()], [Shift(), Flip()], [Flip(), Shift()], [Shift(), Flip()]),
    ],
    ids=["added at the end", "added where it stood", "added last", "two added", "removed",
         "removed where it is not", "exchanged", "changed", "a second of its kind", "reordered"],
)  # fmt: skip
def test_a_step_goes_into_lists_component_by_component(
    before: list[Any], after: list[Any], onto: list[Any], expected: list[Any]
) -> None:
    recipes = [replace(PLAIN, augment=tuple(listed)) for listed in (before, after, onto)]

    carried = carry(*recipes, "carried")

    assert carried.augment == tuple(expected)


@pytest.mark.parametrize(
    ("before", "after", "onto", "place"),
    [
        ([Shift(pixels=1)], [Shift(pixels=2)], [Flip()], "augment.shift"),
        ([Flip(), Shift()], [Shift(), Flip()], [Flip()], "augment"),
    ],
    ids=["no such component", "another order"],
)
def test_a_list_that_lacks_what_is_changed_clashes(
    before: list[Any], after: list[Any], onto: list[Any], place: str
) -> None:
    recipes = [replace(PLAIN, augment=tuple(listed)) for listed in (before, after, onto)]

    with pytest.raises(ClashError) as caught:
        carry(*recipes, "carried")

    assert caught.value.place == place


def test_a_members_own_augmentations_are_not_mixed_with_those_of_the_recipe() -> None:
    flipped = replace(PLAIN, ensemble=(Members(count=2, augment=(Flip(),)),))
    both = replace(PLAIN, ensemble=(Members(count=2, augment=(Flip(), Shift())),))

    with pytest.raises(ClashError, match=r"ensemble\.members\.augment is not as its base has it"):
        carry(flipped, both, replace(PLAIN, ensemble=(Members(count=3),)), "shifted")


@pytest.mark.parametrize(
    "changed",
    [{"epochs": 9}, {"augment": (Flip(probability=0.1),)}, {"augment": ()}, {"model": CNN()}],
    ids=["epochs", "a component's setting", "a component", "another model"],
)
def test_only_an_unchanged_value_is_taken_back_where_that_is_asked(changed: dict[str, Any]) -> None:
    after = replace(PLAIN, model=Compact(), augment=(Flip(),), epochs=10)
    later = replace(after, **changed)

    assert carry(after, PLAIN, after, "plain", only_if_unchanged=True) == PLAIN
    assert carry(after, PLAIN, later, "plain") == PLAIN
    with pytest.raises(ClashError):
        carry(after, PLAIN, later, "plain", only_if_unchanged=True)


STEPS = [
    pytest.param(ladder.rung(rung.base).recipe, rung.recipe, id=f"{ladder.name}/{rung.name}")
    for ladder in LADDERS.values()
    for rung in ladder.rungs
    if rung.base
]


@pytest.mark.parametrize(("base", "recipe"), STEPS)
def test_a_step_leads_from_its_base_to_its_rung_and_back(base: Recipe, recipe: Recipe) -> None:
    assert carry(base, recipe, base, recipe.name, only_if_unchanged=True) == recipe
    assert carry(recipe, base, recipe, base.name, only_if_unchanged=True) == base


# --- the readings of made-up ladders


def test_there_is_no_other_reading() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'add-one'"):
        read(chain(PLAIN), "addone")  # type: ignore[arg-type]


@pytest.mark.parametrize("reading", READERS)
def test_a_ladder_of_one_rung_is_read_as_that_rung(reading: Any) -> None:
    for control in (False, True):
        found = read(ladder(rung(PLAIN, control=control)), reading)

        assert [rung.recipe for rung in found.ladder.rungs] == [PLAIN]
        assert found.unread == ()


def test_an_articles_accuracy_stays_with_its_recipe_alone() -> None:
    smoothed = replace(PLAIN, name="smoothed", techniques=(LabelSmoothing(),))
    longer = replace(smoothed, name="longer", epochs=9)
    article = ladder(
        rung(PLAIN, reference=0.5),
        rung(smoothed, "plain", reference=0.6),
        rung(longer, "smoothed", reference=0.7),
    )

    alone, without = (read(article, reading).ladder for reading in ("add-one", "leave-one-out"))

    assert {rung.name: rung.reference for rung in alone.rungs} == {
        "plain": 0.5,
        "smoothed": 0.6,
        "longer": None,  # longer alone, without the smoothing, is no rung of the article
    }
    assert {rung.name: rung.reference for rung in without.rungs} == {
        "longer": 0.7,
        "without-smoothed": None,
        "without-longer": 0.6,
    }


def test_a_step_to_what_the_first_rung_already_has_is_told_not_measured() -> None:
    longer = replace(PLAIN, name="longer", epochs=9)
    shorter = replace(longer, name="shorter", epochs=5)

    found = read(chain(PLAIN, longer, shorter), "add-one")

    assert list(bases(found)) == ["plain", "longer"]
    assert found.unread == ("shorter: it changes nothing in plain",)


def test_a_rung_like_its_base_is_told_not_left_out() -> None:
    found = read(chain(PLAIN, replace(PLAIN, name="again")), "leave-one-out")

    assert list(bases(found)) == ["again"]
    assert found.unread == ("again: it changes nothing in again",)


def test_a_rung_without_a_base_is_a_step_from_nowhere() -> None:
    other = replace(PLAIN, name="other", epochs=9)
    longer = replace(other, name="longer", epochs=12)
    two = ladder(rung(PLAIN), rung(other), rung(longer, "other"))

    alone, without = read(two, "add-one"), read(two, "leave-one-out")

    assert bases(alone) == {"plain": None, "longer": "plain"}
    assert alone.unread == ("other: it has no base that it could be a step from",)
    assert bases(without) == {"longer": None, "without-longer": "longer"}
    assert without.unread == ("plain: it is no part of longer",)


CONTROLLED = ladder(
    rung(PLAIN),
    rung(replace(PLAIN, name="longer", epochs=9), "plain"),
    rung(replace(PLAIN, name="wide", epochs=9, model=TwoBranch()), "longer", control=True),
    rung(
        replace(PLAIN, name="fused", epochs=9, model=TwoBranch(fusion_width=64)),
        "wide",
        control=True,
    ),
    rung(
        replace(
            PLAIN,
            name="mixed",
            epochs=9,
            model=TwoBranch(fusion_width=64),
            techniques=(Mixup(),),
        ),
        "fused",
    ),
)
"""plain, longer, then two controls under the last rung."""


def test_alone_a_rung_stands_on_its_controls_and_they_on_the_first_rung() -> None:
    found = read(CONTROLLED, "add-one")

    assert bases(found) == {
        "plain": None,
        "longer": "plain",
        "wide": "plain",
        "fused": "wide",
        "mixed": "fused",
    }
    assert [rung.name for rung in found.ladder.rungs if rung.control] == ["wide", "fused"]
    assert differing(found, "wide", PLAIN) == {"model": TwoBranch()}
    assert differing(found, "fused", PLAIN) == {"model": TwoBranch(fusion_width=64)}
    assert differing(found, "mixed", PLAIN) == {
        "model": TwoBranch(fusion_width=64),
        "techniques": (Mixup(),),
    }
    assert found.unread == ()


def test_a_rung_whose_control_cannot_stand_alone_cannot_either() -> None:
    random = replace(PLAIN, name="random", augment=(Shift(),))
    copies = replace(random, name="copies", views=RandomCopies(copies=4))
    mixed = replace(copies, name="mixed", techniques=(Mixup(),))
    controlled = ladder(
        rung(PLAIN),
        rung(random, "plain"),
        rung(copies, "random", control=True),
        rung(mixed, "copies"),
    )

    found = read(controlled, "add-one")

    assert list(bases(found)) == ["plain", "random"]
    assert found.unread == (
        f"copies: on plain, {NEEDS_RANDOM}",
        "mixed: its control copies cannot be read so",
    )


def test_a_control_is_left_out_with_the_rung_above_it() -> None:
    found = read(CONTROLLED, "leave-one-out")
    top = CONTROLLED.rung("mixed").recipe

    assert list(bases(found)) == [
        "mixed",
        "without-longer",
        "without-wide",
        "without-fused",
        "without-mixed",
    ]
    assert differing(found, "without-longer", top) == {"epochs": 5}
    assert differing(found, "without-wide", top) == {"model": MLP(), "techniques": ()}
    assert differing(found, "without-fused", top) == {"model": TwoBranch(), "techniques": ()}
    assert differing(found, "without-mixed", top) == {"techniques": ()}
    assert [found.ladder.rung(name).change for name in ("without-longer", "without-wide")] == [
        "- longer",
        "- wide; - fused; - mixed",
    ]
    assert found.unread == ()


def test_the_top_is_the_last_rung_that_is_no_control() -> None:
    longer = replace(PLAIN, name="longer", epochs=9)
    placebo = replace(longer, name="placebo", epochs=10)
    found = read(
        ladder(rung(PLAIN), rung(longer, "plain"), rung(placebo, "longer", control=True)),
        "leave-one-out",
    )

    assert bases(found) == {"longer": None, "without-longer": "longer"}
    assert found.unread == ("placebo: it is no part of longer",)


def test_a_change_that_is_left_out_is_written_with_the_opposite_sign() -> None:
    recipes = [PLAIN, *[replace(PLAIN, name=f"to-{n}", epochs=n) for n in (6, 7, 8)]]
    first, *others = chain(*recipes).rungs
    texts = ["+ a layer", "- both dropouts", "8 epochs instead of 7"]
    tops = [ladder(first, replace(rung, base="plain", change=text))
            for rung, text in zip(others, texts, strict=True)]  # fmt: skip

    changes = [read(top, "leave-one-out").ladder.rungs[-1].change for top in tops]

    assert changes == ["- a layer", "+ both dropouts", "- 8 epochs instead of 7"]


def test_the_rung_that_stands_in_the_way_is_the_one_after_which_nothing_helps() -> None:
    shifted = replace(PLAIN, name="shifted", augment=(Shift(pixels=1),))
    copies = replace(shifted, name="copies", views=RandomCopies(copies=4))
    mirrored = replace(copies, name="mirrored", views=Mirror())
    longer = replace(mirrored, name="longer", epochs=9)
    farther = replace(longer, name="farther", augment=(Shift(pixels=2),))
    mixed = replace(farther, name="mixed", techniques=(Mixup(),))

    # Random copies need the shift, but mirrored views have taken their place.
    assert "without-shifted" in bases(
        read(chain(PLAIN, shifted, copies, mirrored), "leave-one-out")
    )
    found = read(chain(PLAIN, shifted, copies, mirrored, longer, farther, mixed), "leave-one-out")

    assert found.unread == (
        "shifted: farther changes augment.shift again",
        "copies: mirrored changes views again",
    )


def test_techniques_are_left_out_one_by_one_in_the_others_order() -> None:
    one = replace(PLAIN, name="one", techniques=(CutMix(), EarlyStopping()))
    two = replace(one, name="two", techniques=(CutMix(), LabelSmoothing(), EarlyStopping()))
    three = replace(two, name="three", techniques=(LabelSmoothing(), EarlyStopping()))

    found = read(chain(one, two, three), "leave-one-out")

    assert {rung.name: rung.recipe.techniques for rung in found.ladder.rungs[1:]} == {
        "without-two": (EarlyStopping(),),
        "without-three": (CutMix(), LabelSmoothing(), EarlyStopping()),
    }


# --- the presets

ALL_READINGS = [(name, reading) for name in LADDERS for reading in READERS]


@pytest.mark.parametrize(("name", "reading"), ALL_READINGS)
def test_every_preset_has_every_reading(name: str, reading: Any) -> None:
    before = LADDERS[name]

    after, unread = read(before, reading)

    assert (after.name, after.data, after.article_validation, after.reading) == (
        before.name,
        before.data,
        before.article_validation,
        reading,
    )
    assert (reading in after.title) == (reading != "cumulative")
    assert after.title.startswith(before.title)
    # Each rung is measured or told; leave-one-out has the top for the rung at the bottom.
    assert len(after.rungs) + len(unread) == len(before.rungs)
    first, *others = after.rungs
    assert (first.base, first.left_out) == (None, False)
    assert {rung.left_out for rung in others} == {reading == "leave-one-out"}


@pytest.mark.parametrize("name", LADDERS)
def test_the_cumulative_reading_is_the_ladder_itself(name: str) -> None:
    assert read(LADDERS[name], "cumulative") == (LADDERS[name], ())


@pytest.mark.parametrize("name", ["mnist-1000", "mnist-cnn", "mnist-multitask"])
def test_three_articles_measure_each_change_on_the_first_rung_anyway(name: str) -> None:
    assert read(LADDERS[name], "add-one").ladder.rungs == LADDERS[name].rungs


def test_article_a_is_left_with_the_branch_or_with_the_cnn() -> None:
    article = LADDERS["mnist-1000"]

    found = read(article, "leave-one-out")

    assert found.unread == ()
    top, without_branch, without_autoencoder = found.ladder.rungs
    assert top.recipe == article.rung("autoencoder").recipe
    assert (top.base, top.reference) == (None, 0.9055)
    assert without_branch == Rung(
        recipe=replace(article.rung("cnn").recipe, name="without-branch"),
        change="- dense branch, reconstruction weight 0;"
        " - the branch's autoencoder learns, weight 1",
        base="autoencoder",
        reference=0.7464,
        left_out=True,
    )
    assert without_autoencoder == Rung(
        recipe=replace(article.rung("branch").recipe, name="without-autoencoder"),
        change="- the branch's autoencoder learns, weight 1",
        base="autoencoder",
        left_out=True,
    )


@pytest.mark.parametrize(
    ("name", "top", "below"),
    [("mnist-cnn", "cnn", "dense"), ("mnist-multitask", "multitask", "classification")],
)
def test_a_ladder_of_two_rungs_is_turned_round(name: str, top: str, below: str) -> None:
    found = read(LADDERS[name], "leave-one-out")

    assert bases(found) == {top: None, f"without-{top}": top}
    assert differing(found, f"without-{top}", LADDERS[name].rung(below).recipe) == {}


def test_alone_each_change_of_the_digits_ladder_stands_on_the_dense_net() -> None:
    found = read(LADDERS["digits"], "add-one")
    recipes = {rung.name: rung.recipe for rung in LADDERS["digits"].rungs}
    dense = recipes["dense"]

    assert bases(found) == {
        "dense": None,
        "cnn": "dense",
        "compact": "dense",
        "decay": "dense",
        "augmentation": "dense",
        "ensemble": "dense",
    }
    assert differing(found, "compact", dense) == {"model": recipes["compact"].model}
    assert differing(found, "decay", dense) == {"schedule": recipes["decay"].schedule}
    assert differing(found, "augmentation", dense) == {"augment": recipes["augmentation"].augment}
    assert differing(found, "ensemble", dense) == {"ensemble": (Members(count=3),)}
    assert found.unread == (f"tta: on dense, {NEEDS_RANDOM}",)


def test_the_digits_ladders_top_can_lack_four_of_its_six_changes() -> None:
    found = read(LADDERS["digits"], "leave-one-out")
    recipes = {rung.name: rung.recipe for rung in LADDERS["digits"].rungs}
    top = recipes["ensemble"]

    assert bases(found) == {
        "ensemble": None,
        "without-compact": "ensemble",
        "without-decay": "ensemble",
        "without-tta": "ensemble",
        "without-ensemble": "ensemble",
    }
    assert differing(found, "without-compact", top) == {"model": recipes["cnn"].model}
    assert differing(found, "without-decay", top) == {"schedule": recipes["dense"].schedule}
    assert differing(found, "without-tta", top) == {"views": None}
    assert differing(found, "without-ensemble", top) == {"ensemble": ()}
    assert found.unread == (
        "cnn: compact changes model again",
        f"augmentation: tta needs it; without it, {NEEDS_RANDOM}",
    )


def test_alone_article_bs_changes_stand_on_its_benchmark() -> None:
    found = read(LADDERS["cifar10"], "add-one")
    recipes = {rung.name: rung.recipe for rung in LADDERS["cifar10"].rungs}
    benchmark = recipes["benchmark"]

    assert list(bases(found)) == ["benchmark", "augmentation", "deep", "decay", "ensemble"]
    assert found.ladder.rung("augmentation").recipe == recipes["augmentation"]
    for name, setting in {"deep": "model", "decay": "schedule", "ensemble": "ensemble"}.items():
        assert differing(found, name, benchmark) == {setting: getattr(recipes[name], setting)}
    assert [rung.reference for rung in found.ladder.rungs] == [0.8439, 0.8742, None, None, None]
    assert found.unread == (f"tta: on benchmark, {NEEDS_RANDOM}",)


def test_article_bs_top_can_lack_all_but_the_augmentation() -> None:
    found = read(LADDERS["cifar10"], "leave-one-out")
    recipes = {rung.name: rung.recipe for rung in LADDERS["cifar10"].rungs}
    top, benchmark = recipes["ensemble"], recipes["benchmark"]

    assert differing(found, "without-deep", top) == {"model": benchmark.model}
    assert differing(found, "without-decay", top) == {"schedule": benchmark.schedule}
    assert differing(found, "without-tta", top) == {"views": None}
    assert differing(found, "without-ensemble", top) == {"ensemble": ()}
    assert found.ladder.rung("without-deep").recipe.augment[1] == ChannelShift(amount=0.2)
    assert [rung.reference for rung in found.ladder.rungs] == [0.9507, None, None, None, 0.9431]
    assert found.unread == (f"augmentation: tta needs it; without it, {NEEDS_RANDOM}",)


def test_alone_article_cs_convolutions_have_no_net_to_change() -> None:
    found = read(LADDERS["fashion-mnist"], "add-one")
    recipes = {rung.name: rung.recipe for rung in LADDERS["fashion-mnist"].rungs}
    dense = recipes["mlp"]

    assert list(bases(found)) == ["mlp", "cnn", "mirror", "epochs10"]
    assert differing(found, "mirror", dense) == {"augment": recipes["mirror"].augment}
    assert differing(found, "epochs10", dense) == {"epochs": 10}
    assert found.unread == (
        "conv3: on mlp, there is no cnn whose conv_widths it could change",
        "conv4: on mlp, there is no cnn whose conv_widths it could change",
        "no-dropout: on mlp, there is no cnn whose dropout_conv and dropout_dense it could change",
        "padding: on mlp, there is no cnn whose border it could change",
        "dense2: on mlp, there is no cnn whose dense_widths it could change",
    )


def test_article_cs_top_can_lack_what_leads_to_it() -> None:
    found = read(LADDERS["fashion-mnist"], "leave-one-out")
    top = LADDERS["fashion-mnist"].rung("epochs10").recipe

    assert list(bases(found)) == [
        "epochs10",
        "without-conv3",
        "without-padding",
        "without-mirror",
        "without-epochs10",
    ]
    assert differing(found, "without-conv3", top) == {"model": CNN(conv_widths=(32, 64), border=2)}
    assert differing(found, "without-padding", top) == {"model": CNN(conv_widths=(32, 64, 128))}
    assert differing(found, "without-mirror", top) == {"augment": ()}
    assert differing(found, "without-epochs10", top) == {"epochs": 5}
    assert [rung.reference for rung in found.ladder.rungs] == [0.9322, None, None, None, 0.9336]
    assert found.unread == (
        "cnn: conv3 changes model again",
        "conv4: it is no part of epochs10",
        "no-dropout: it is no part of epochs10",
        "dense2: it is no part of epochs10",
    )
