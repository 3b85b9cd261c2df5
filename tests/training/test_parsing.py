import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from rungwise.augment import AUGMENTATIONS, Cutout, Flip, Shift
from rungwise.augment.views import VIEWS, Mirror, RandomCopies
from rungwise.errors import ConfigError, UsageError
from rungwise.ladder.recipes import RECIPES
from rungwise.models import MLP, Compact
from rungwise.techniques import EarlyStopping, Mixup
from rungwise.training.optimizer import SGD, Adam, AdamW
from rungwise.training.parsing import (
    REGISTRIES,
    dump_recipe,
    load_recipe,
    name_in,
    override,
    parse_component,
    parse_recipe,
    read_yaml,
    recipe_text,
    with_settings,
)
from rungwise.training.recipe import Members, Recipe
from rungwise.training.schedule import StepDecay

BASE = Recipe(model=MLP())


def parsed(text: str) -> Recipe:
    return parse_recipe(read_yaml(text, "test"), "test")


def mistakes(text: str) -> list[str]:
    """Return the mistakes that the error tells, one a line."""
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    assert caught.value.expected
    assert caught.value.fix
    first, *rest = caught.value.problem.splitlines()
    count = "1 mistake" if len(rest) == 1 else f"{len(rest)} mistakes"
    assert first == f"{count} in test:"
    return [line.removeprefix("  - ") for line in rest]


@pytest.mark.parametrize("name", RECIPES)
def test_every_named_recipe_is_read_back_as_it_was_written(name: str) -> None:
    recipe = RECIPES[name]

    assert parse_recipe(dump_recipe(recipe)) == recipe
    assert parsed(recipe_text(recipe)) == recipe


def test_every_kind_of_part_is_read_back_as_it_was_written() -> None:
    recipe = Recipe(
        name="all-parts",
        model=Compact(widths=(4, 8), pooling="average"),
        input="standardized",
        validation="test",
        augment=(Flip(probability=0.25), Shift(fill="zero")),
        techniques=(Mixup(alpha=1e-05), EarlyStopping(min_delta=1e-7)),
        optimizer=SGD(momentum=0.0, nesterov=False),
        schedule=StepDecay(),
        keep="best-val-acc",
        views=RandomCopies(copies=3),
        ensemble=(Members(count=2), Members(count=1, augment=(Cutout(),))),
    )

    assert parse_recipe(dump_recipe(recipe)) == recipe
    assert parsed(recipe_text(recipe)) == recipe


@pytest.mark.parametrize("name", ["1e5", "1.5", "007", "on", "2024-01-31", "grün", "1_000", "0x1f"])
def test_a_name_that_looks_like_something_else_stays_a_name(name: str) -> None:
    recipe = Recipe(name=name, model=MLP())

    assert parsed(recipe_text(recipe)) == recipe


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1e-3", 0.001),
        ("1E-3", 0.001),
        ("1e3", 1000.0),
        ("1.e-2", 0.01),
        (".5e1", 5.0),
        ("+2e+1", 20.0),
        ("0.25", 0.25),
        ("1", 1.0),
    ],
)
def test_numbers_are_read_as_people_write_them(written: str, number: float) -> None:
    recipe = parsed(f"model: mlp\noptimizer: {{name: adam, lr: {written}}}")

    assert recipe.optimizer == Adam(lr=number)
    assert isinstance(recipe.optimizer.lr, float)


def test_pyyamls_own_loader_is_left_as_it_is() -> None:
    assert yaml.safe_load("1e3") == "1e3"
    assert yaml.safe_dump("1e3") == "1e3\n...\n"


def test_numpys_numbers_are_written_as_pythons() -> None:
    given = Recipe(model=MLP(hidden_widths=(np.int64(4),)), epochs=np.int32(2), name="n")
    plain = Recipe(model=MLP(hidden_widths=(4,)), epochs=2, name="n")

    assert recipe_text(given) == recipe_text(plain)


def test_a_bare_name_means_the_defaults() -> None:
    recipe = parsed("model: mlp\naugment: [flip, {name: shift, pixels: 3}]\nviews: mirror")

    assert recipe == Recipe(model=MLP(), augment=(Flip(), Shift(pixels=3)), views=Mirror())


def test_nothing_stands_for_no_views() -> None:
    assert parsed("{model: mlp, views: null}").views is None


def test_groups_of_an_ensemble_have_their_own_augmentations() -> None:
    recipe = parsed(
        "model: mlp\nensemble: [{count: 2}, {count: 1, augment: [flip]}, {count: 1, augment: []}]"
    )

    assert recipe.ensemble == (
        Members(count=2),
        Members(count=1, augment=(Flip(),)),
        Members(count=1, augment=()),
    )


def test_every_mistake_is_told_at_once_with_its_place() -> None:
    assert mistakes(
        """
        epoch: 5
        batch_size: 1.5
        validation: '0.1'
        precision: float16
        augment: [flipp, {name: shift, pixel: 2}, {name: cutout, size: true}, 7]
        techniques: {name: mixup}
        optimizer: {name: adam, lr: '0.1', weight_decay: true}
        schedule: {name: step-decay, at: 0.5}
        ensemble: [{count: one}, {}]
        """
    ) == [
        "epoch: unknown key; did you mean 'epochs'?",
        "model: is missing",
        "batch_size: expected a whole number, got 1.5",
        "validation: expected a number or one of 'test', got '0.1'",
        "precision: expected one of 'auto', 'float32', 'bfloat16', got 'float16'",
        "augment[0]: unknown name 'flipp'; did you mean 'flip'?",
        "augment[1].pixel: unknown key; did you mean 'pixels'?",
        "augment[2].size: expected a whole number, got True",
        "augment[3]: expected {name: ...} or a name, got 7",
        "techniques: expected a list, got {'name': 'mixup'}",
        "optimizer.lr: expected a number, got '0.1'",
        "optimizer.weight_decay: expected a number, got True",
        "schedule.at: expected a list, each a number, got 0.5",
        "ensemble[0].count: expected a whole number, got 'one'",
        "ensemble[1].count: is missing",
    ]


def test_values_out_of_range_are_told_together_with_their_places() -> None:
    first, second, third = mistakes(
        "{model: mlp, optimizer: {name: adam, lr: -1}, augment: [flip, {name: shift, pixels: 0}], "
        "techniques: [{name: mixup, alpha: 0}]}"
    )

    assert first.startswith("optimizer: optimizer has lr -1")
    assert "expected lr above 0" in first
    assert second.startswith("augment[1]: shift has no effect")
    assert third.startswith("techniques[0]: mixup alpha is 0")


def test_an_option_without_effect_is_told_as_a_mistake() -> None:
    (mistake,) = mistakes("{model: mlp, techniques: [reconstruction]}")

    assert mistake.startswith("reconstruction has no effect")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "the whole: expected keys and values, got None"),
        ("[model]", "the whole: expected keys and values, got ['model']"),
        ("compact", "the whole: expected keys and values, got 'compact'"),
        ("{model: mlp, 3: x}", "3: unknown key; known here: "),
        ("model:", "model: expected {name: ...} or a name, got None"),
        ("model: {hidden_widths: [3]}", "model: expected {name: ...} or a name, got "),
        ("{model: mlp, epochs: 2.0}", "epochs: expected a whole number, got 2.0"),
        ("{model: mlp, epochs: null}", "epochs: expected a whole number, got None"),
        ("{model: mlp, epochs: [2]}", "epochs: expected a whole number, got [2]"),
        ("{model: mlp, name: 3}", "name: expected a text, got 3"),
        ("{model: mlp, name: yes}", "name: expected a text, got True"),
        ("{model: mlp, name: 2024-01-31}", "name: expected a text, got datetime.date"),
        ("{model: mlp, augment: null}", "augment: expected a list, got None"),
        ("{model: mlp, augment: flip}", "augment: expected a list, got 'flip'"),
        ("{model: {name: mlp, hidden_widths: [3, 4.5]}}", "model.hidden_widths: expected a list"),
        ("{model: mlp, optimizer: {name: sgd, nesterov: 1}}", "optimizer.nesterov: expected true"),
        ("{model: mlp, optimizer: {name: adam, lr: .nan}}", "optimizer.lr: expected a number"),
        ("{model: mlp, optimizer: {name: adam, lr: .inf}}", "optimizer.lr: expected a number"),
        ("{model: mlp, optimizer: ADAM}", "optimizer: unknown name 'ADAM'; did you mean 'adam'?"),
        ("{model: mlp, optimizer: xyzzy}", "optimizer: unknown name 'xyzzy'; known: adam, adamw"),
        ("{model: mlp, ensemble: [3]}", "ensemble[0]: expected keys and values, got 3"),
        ("{model: mlp, ensemble: [{count: 0}]}", "ensemble[0]: an ensemble's group has 0 members"),
        (
            "{model: mlp, techniques: [{name: early-stopping, monitor: loss}]}",
            "techniques[0].monitor: expected one of 'val_loss', 'val_acc', got 'loss'",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_place(text: str, mistake: str) -> None:
    (told,) = mistakes(text)

    assert told.startswith(mistake)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1", "line 1"),
        ("a: 1\n  b: 2", "line 2"),
        ("a: 1\nb: 2\na: 3", "the key a stands twice"),
        ("m: {x: 1, x: 2}", "the key x stands twice"),
        ("a: \x00", "special characters"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: 2024-13-45", "month"),
        ("? [a]\n: 1", "unhashable"),
        ("a: 1\n---\nb: 2", "single document"),
    ],
)
def test_what_is_no_yaml_is_an_error_that_names_the_place(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        read_yaml(text, "my.yaml")

    assert caught.value.problem.startswith("my.yaml is not valid YAML")
    assert len(caught.value.problem.splitlines()) == 1


def test_anchors_and_merges_are_read() -> None:
    plain = read_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}", "test")

    assert plain == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}


def test_a_recipe_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "\ufeffname: größe  # with the mark that Windows puts first\nmodel: mlp\n", "utf-8"
    )

    assert load_recipe(path) == Recipe(name="größe", model=MLP())


def test_mistakes_name_their_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("modell: mlp")

    with pytest.raises(ConfigError, match=r"2 mistakes in .*mine\.yaml"):
        load_recipe(path)


def test_files_that_cannot_be_read_are_explained(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: größe".encode("latin-1"))

    for path in (latin, tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(ConfigError, match="cannot read the recipe") as caught:
            load_recipe(path)
        assert caught.value.expected == "a YAML file in UTF-8"
        assert caught.value.fix


def test_one_component_is_read_from_its_text() -> None:
    assert parse_component(VIEWS, "mirror", "--views") == Mirror()
    assert parse_component(VIEWS, "{name: mirror, pixels: 1}", "--views") == Mirror(pixels=1)
    with pytest.raises(ConfigError, match="--views: unknown name 'miror'; did you mean 'mirror'"):
        parse_component(VIEWS, "miror", "--views")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], {}),
        (["epochs=3"], {"epochs": 3}),
        (["validation=test"], {"validation": "test"}),
        (["model.hidden_widths=[4, 5]"], {"model": MLP(hidden_widths=(4, 5))}),
        (["model.hidden_widths.0=7"], {"model": MLP(hidden_widths=(7,))}),
        (["optimizer.lr=1e-2", "optimizer.beta1=0.5"], {"optimizer": Adam(lr=0.01, beta1=0.5)}),
        (["optimizer=adamw"], {"optimizer": AdamW()}),
        (["optimizer=sgd", "optimizer.lr=0.5"], {"optimizer": SGD(lr=0.5)}),
        (["optimizer={name: sgd, lr: 0.5}"], {"optimizer": SGD(lr=0.5)}),
        (["augment=[flip, {name: cutout, size: 3}]"], {"augment": (Flip(), Cutout(size=3))}),
        (["augment=[flip, cutout]", "augment.1.size=4"], {"augment": (Flip(), Cutout(size=4))}),
        (["augment=[cutout]", "augment.cutout.size=4"], {"augment": (Cutout(size=4),)}),
        (["augment=[cutout, flip]", "augment.cutout=shift"], {"augment": (Shift(), Flip())}),
        (["augment=[flip, shift]", "augment=[]"], {"augment": ()}),
        (["views=mirror", "views.pixels=1"], {"views": Mirror(pixels=1)}),
        (["views=mirror", "views=null"], {"views": None}),
        (["ensemble=[{count: 2}]", "ensemble.0.augment=[flip]"], {
            "ensemble": (Members(count=2, augment=(Flip(),)),)
        }),
    ],
    ids=str,
)  # fmt: skip
def test_settings_are_applied_one_after_another(
    settings: list[str], expected: dict[str, Any]
) -> None:
    assert override(BASE, settings) == replace(BASE, **expected)


def test_settings_may_be_values_instead_of_texts() -> None:
    pairs = [("augment", ["cutout"]), ("augment.cutout.size", 4), ("epochs", 3)]

    expected = override(BASE, ["augment=[cutout]", "augment.cutout.size=4", "epochs=3"])
    assert with_settings(BASE, pairs, "it") == expected
    with pytest.raises(ConfigError, match="2 mistakes in it:"):
        with_settings(BASE, [("epochs", "3"), ("name", 3)], "it")


def test_a_value_may_hold_the_equals_sign() -> None:
    with pytest.raises(ConfigError, match="name is 'a=b'"):
        override(BASE, ["name=a=b"])


@pytest.mark.parametrize(
    ("setting", "problem", "fix"),
    [
        ("epoch=3", "unknown setting 'epoch'", "did you mean 'epochs'?"),
        ("optimizer.lrr=3", "unknown setting 'optimizer.lrr'", "did you mean 'optimizer.lr'?"),
        ("optimiser.lr=3", "unknown setting 'optimiser'", "did you mean 'optimizer'?"),
        ("augment.cutot.size=3", "unknown setting", "did you mean 'augment.cutout'?"),
        ("augment.5.size=3", "unknown setting 'augment.5'", "did you mean 'augment.cutout'?"),
        ("epochs.x=3", "unknown setting 'epochs.x'", "'x' is not there"),
        ("views.pixels=1", "unknown setting 'views.pixels'", "'pixels' is not there"),
        (".=1", "unknown setting ''", "'' is not there"),
        ("epochs", "--set epochs has no value", "--set PLACE=VALUE"),
        ("=3", "--set =3 has no value", "--set PLACE=VALUE"),
        ("epochs=[", "--set epochs=\\[ is not valid YAML", ""),
    ],
)
def test_a_place_that_is_not_there_is_told_with_the_nearest_one(
    setting: str, problem: str, fix: str
) -> None:
    recipe = Recipe(model=MLP(), augment=(Cutout(),))

    with pytest.raises(UsageError, match=problem) as caught:
        override(recipe, [setting])

    assert fix in str(caught.value.fix)


def test_mistakes_of_several_settings_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match="2 mistakes in the recipe with --set") as caught:
        override(BASE, ["epochs=ten", "optimizer.lr=fast"])

    assert "epochs: expected a whole number, got 'ten'" in caught.value.problem
    assert "optimizer.lr: expected a number, got 'fast'" in caught.value.problem


def test_an_earlier_mistake_is_told_before_the_place_that_it_hides() -> None:
    with pytest.raises(ConfigError, match="unknown name 'sdg'; did you mean 'sgd'"):
        override(BASE, ["optimizer=sdg", "optimizer.momentum=0.5"])


def test_the_given_recipe_stays_as_it_is() -> None:
    before = dump_recipe(BASE)

    override(BASE, ["epochs=3", "optimizer.lr=0.5"])

    assert dump_recipe(BASE) == before


def test_every_registry_of_a_recipe_has_a_place() -> None:
    fields = [*dataclasses.fields(Recipe), *dataclasses.fields(Members)]
    used = [item.metadata["registry"] for item in fields if "registry" in item.metadata]

    assert all(any(one is known for known in REGISTRIES.values()) for one in used)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unregistered(Flip):
    """An augmentation that has no name."""


def test_a_class_without_a_name_is_refused_with_what_to_do() -> None:
    recipe = Recipe(model=MLP(), augment=(Unregistered(),))

    with pytest.raises(ConfigError, match="Unregistered has no name in") as caught:
        dump_recipe(recipe)
    assert caught.value.fix is not None
    before = dict(AUGMENTATIONS)
    try:
        exec(caught.value.fix, {"Unregistered": Unregistered})
        assert dump_recipe(recipe)["augment"] == [{"name": "unregistered", "probability": 0.5}]
    finally:
        AUGMENTATIONS.clear()
        AUGMENTATIONS.update(before)


@pytest.mark.parametrize("component", ["flip", Flip, 3])
def test_what_is_no_component_is_refused_with_what_to_do(component: Any) -> None:
    with pytest.raises(ConfigError, match="is not a component") as caught:
        name_in(AUGMENTATIONS, component)
    assert "Flip()" in str(caught.value)
