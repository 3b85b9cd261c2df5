"""What a recipe says of prediction holds for every verb, unless something else is asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from rungwise.ladder.run import open_run

MIRROR = "{name: mirror, pixels: 1, below: 1.0}"
TRAIN = ("train", "digits", "--recipe", "tiny.yaml", "--quiet")
WAY = (*("--set", f"views={MIRROR}"), *("--set", "temperature_scaling=true"))
WORDS = "1 net, mean over 6 views (mirror), temperature scaling"
ENSEMBLE = ("--set", "ensemble=[{count: 2}]")
PLAIN = ("--views", "none", "--no-temperature-scaling")
FACTS = {"nets": 1, "views": {"name": "mirror", "pixels": 1, "below": 1.0}}


@pytest.fixture
def viewed(rungwise: Any, here: Path) -> str:
    """Return a run of a recipe with views and temperatures."""
    return str(rungwise(*TRAIN, *WAY, "--json").json["run"])


def evaluated(rungwise: Any, run: str, *words: str) -> dict[str, Any]:
    return dict(rungwise("evaluate", run, "--part", "validation", "--json", *words).json)


def test_evaluate_predicts_as_the_recipe_says_and_says_so(rungwise: Any, viewed: str) -> None:
    own = evaluated(rungwise, viewed)

    asked = evaluated(rungwise, viewed, "--views", MIRROR, "--temperature-scaling")
    assert own == asked
    assert own["prediction"] == {**FACTS, "temperature_scaling": True}
    assert own["accuracy"] == open_run(Path(viewed)).summary["val_accuracy"]
    assert own["loss"] == open_run(Path(viewed)).summary["val_loss"]
    told = rungwise("evaluate", viewed, "--part", "validation").out.splitlines()[0]
    assert told == f"predicts with       {WORDS}"
    assert WORDS in (Path(viewed) / "errors.html").read_text()


def test_evaluate_goes_back_to_the_net_as_it_is(rungwise: Any, run: Path, viewed: str) -> None:
    plain, plainly = evaluated(rungwise, str(run)), evaluated(rungwise, viewed, *PLAIN)

    assert plainly == plain
    assert plain["prediction"] == {"nets": 1, "views": None, "temperature_scaling": False}
    assert plain["loss"] != evaluated(rungwise, viewed)["loss"]


def test_train_says_how_its_run_predicts_and_the_command_is_short(
    rungwise: Any, viewed: str
) -> None:
    told = rungwise(*TRAIN, *WAY).out.splitlines()

    assert f"predicts with        {WORDS}" in told
    relative = Path(viewed).relative_to(Path.cwd())
    assert told[-1] == f"to evaluate          rungwise evaluate {relative}"


def test_a_run_of_a_net_that_was_trained_plainly_is_another_one(
    rungwise: Any, run: Path, viewed: str
) -> None:
    assert Path(viewed) != run.absolute()
    assert rungwise(*TRAIN, "--json").json["run"] == str(run.absolute())
    assert rungwise(*TRAIN, *WAY, "--json").json["run"] == viewed


def test_predict_takes_the_recipes_views_and_others(
    rungwise: Any, run: Path, viewed: str, photos: Path
) -> None:
    def answers(run: str, *words: str) -> Any:
        return rungwise("predict", run, photos / "cat", "--json", *words)

    own, plainly, plain = answers(viewed), answers(viewed, *PLAIN), answers(str(run))

    assert own.err == f"note: predicts with {WORDS}\n"
    assert plainly.err == plain.err == ""
    assert plainly.json == plain.json
    assert own.json != plain.json
    asked = answers(str(run), "--views", MIRROR, "--temperature-scaling")
    assert (asked.json, asked.err) == (own.json, own.err)


@pytest.mark.parametrize("verb", ["evaluate", "predict", "export"])
def test_unknown_views_are_refused_by_every_verb(
    rungwise: Any, run: Path, photos: Path, verb: str
) -> None:
    words = {"evaluate": (), "predict": (photos,), "export": ("--to", "torch-export")}

    rungwise(verb, run, *words[verb], "--views", "miror").fails(2, "did you mean 'mirror'?")


def test_an_export_has_the_recipes_views_inside_or_others(
    rungwise: Any, viewed: str, here: Path
) -> None:
    words = ("export", viewed, "--to", "torch-export", "--parity-images", "20")

    own, plainly = rungwise(*words), rungwise(*words, *PLAIN, "--out", "plain.pt2", "--json")

    assert f"predicts    with {WORDS}" in own.out.splitlines()
    card = json.loads((Path(viewed) / "model-card.json").read_text())
    assert card["model"]["views"] == FACTS["views"]
    assert plainly.json["parity"]["exported"]["other_answers"] == 0
    assert json.loads(Path("plain-card.json").read_text())["model"]["views"] is None


def test_random_copies_of_a_recipe_are_refused_with_the_words_that_mend_it(
    rungwise: Any, here: Path
) -> None:
    copies = (*("--set", "augment=[shift]"), *("--set", "views=random-copies"))
    run = rungwise(*TRAIN, *copies, "--json").json["run"]
    words = ("export", run, "--to", "torch-export", "--parity-images", "20", "--json")

    rungwise(*words).fails(2, "random-copies cannot be exported", "--views none")
    assert rungwise(*words, "--views", "none").json["parity"]["exported"]["other_answers"] == 0


def test_compare_takes_each_recipes_views_or_the_same_for_all(
    rungwise: Any, run: Path, viewed: str
) -> None:
    own = rungwise("compare", run, viewed, "--json").json["rungs"]
    scaled = rungwise("compare", run, viewed, "--json", "--views", "none").json["rungs"]

    accuracies = [evaluated(rungwise, str(one))["accuracy"] for one in (run, viewed)]
    assert [rung["val_accuracy"]["values"] for rung in own] == [[one] for one in accuracies]
    assert own[1]["change"] == f"other views, temperature_scaling; {WORDS}"
    assert scaled[1]["change"].startswith("other temperature_scaling; 1 net, each image as it is")
    rungwise("compare", run, viewed, *PLAIN).fails(2, "all runs are of one recipe")


def test_compare_takes_an_ensemble_as_one_recipe(rungwise: Any, run: Path) -> None:
    both = rungwise(*TRAIN, *ENSEMBLE, "--json").json["run"]

    rungs = rungwise("compare", run, both, "--json").json["rungs"]

    assert rungs[1]["change"] == "other ensemble; mean of 2 nets, each image as it is"
    accuracy = evaluated(rungwise, both)["accuracy"]
    assert rungs[1]["val_accuracy"]["values"] == [accuracy]


def test_an_ensemble_is_one_predictor_for_every_verb(
    rungwise: Any, run: Path, photos: Path
) -> None:
    trained = rungwise(*TRAIN, *ENSEMBLE, "--json").json
    first, second = (net["run"] for net in trained["nets"])
    whole = trained["run"]

    together = rungwise("evaluate", first, "--with", second, "--json").json
    assert rungwise("evaluate", whole, "--json").json == together
    assert together["prediction"]["nets"] == 2
    predicted = rungwise("predict", whole, photos)
    assert predicted.err == "note: predicts with mean of 2 nets, each image as it is\n"
    exported = rungwise("export", whole, "--to", "torch-export", "--parity-images", "9", "--json")
    assert exported.json["parity"]["exported"]["other_answers"] == 0
    assert rungwise("show", "predictor", whole, "--json").json["model"]["nets"] == ["mlp", "mlp"]
    listed = [line.split()[0] for line in rungwise("runs", "list").out.splitlines()]
    assert str(Path(whole).relative_to(Path.cwd())) in listed


def test_fit_trains_on_all_images_as_climb_does(rungwise: Any, here: Path) -> None:
    fitted = rungwise(*TRAIN, "--fit", "--json").json

    assert fitted["val_accuracy"] is None
    run = open_run(Path(fitted["run"]))
    assert run.recipe().validation == 0
    words = (*TRAIN, "--set", "validation=0", "--json")
    assert rungwise(*words).json["run"] == fitted["run"]
    rungwise(*TRAIN, "--fit", "--set", "validation=0.2").fails(2, "exclude each other")


def test_fit_says_where_a_recipe_needs_images_to_decide_on(rungwise: Any, here: Path) -> None:
    words = (*TRAIN, "--fit", "--set", "techniques=[early-stopping]", "--json")

    result = rungwise(*words)

    assert result.json["val_accuracy"] is not None
    assert result.err.startswith("note: tiny holds a share of 0.1 of the images out all the same")
