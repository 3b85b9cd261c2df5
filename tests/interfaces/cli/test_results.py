"""What the verbs print: results on stdout, everything else on stderr, JSON as designed."""

import csv
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.augment.views import Mirror
from rungwise.data import load
from rungwise.errors import RungwiseError
from rungwise.ladder.run import open_run
from rungwise.prediction.metrics import evaluate
from rungwise.prediction.predictor import Predictor

EVALUATION = {
    *(
        "accuracy",
        "accuracy_interval",
        "balanced_accuracy",
        "loss",
        "calibration_error",
        "per_class",
        "confusion",
    ),
    *("accuracy_without_duplicates", "duplicates", "prediction"),
}
TINY = ("train", "digits", "--recipe", "tiny.yaml")
CLIMB = ("climb", "digits", "--rungs", "dense", "cnn", "--seeds", "2", "--epochs", "1")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]")


@pytest.fixture(autouse=True)
def folder(here: Path) -> Path:
    return here


# --- train


def test_train_prints_the_run_and_leaves_the_test_set_sealed(rungwise: Any) -> None:
    result = rungwise(*TINY, "--json")

    assert result.code == 0
    assert result.json.keys() == {
        *("run", "val_accuracy", "test_accuracy", "epochs", "seconds", "flops"),
        *("val_balanced_accuracy", "val_accuracy_interval", "train_accuracy", "overfits"),
        "collapse",
    }
    low, high = result.json["val_accuracy_interval"]
    assert low < result.json["val_accuracy"] < high
    assert result.json["overfits"] is False
    assert result.json["test_accuracy"] is None
    assert result.json["epochs"] == 2
    run = open_run(Path(result.json["run"]))
    assert run.summary["val_accuracy"] == result.json["val_accuracy"]
    assert run.summary["val_balanced_accuracy"] == result.json["val_balanced_accuracy"]
    assert (run.path / "figures" / "curves.png").is_file()
    assert not Path("runs/ledger.jsonl").exists()


def test_a_finished_run_is_found_and_nothing_is_trained(rungwise: Any) -> None:
    first = rungwise(*TINY, "--json")
    again = rungwise(*TINY, "--json")

    assert again.out == first.out  # the seconds too
    assert "epoch" in first.err
    assert again.err == ""


def test_an_ensemble_is_a_run_for_each_net_and_one_for_all_of_them(rungwise: Any) -> None:
    first = rungwise(*TINY, "--json").json
    views, scaling = "views={name: mirror, pixels: 1}", "temperature_scaling=true"
    both = (*TINY, "--set", "ensemble=[{count: 2}]", "--set", views, "--set", scaling)
    trained = rungwise(*both)
    whole = rungwise(*both, "--json").json
    nets = whole["nets"]

    assert [line for line in trained.err.splitlines() if line.startswith("run ")] == [
        f"run {Path(nets[1]['run']).relative_to(Path.cwd())}"
    ]
    assert nets[0] == first
    assert [Path(net["run"]).name for net in nets] == ["seed-0", "seed-0.1"]
    assert all(net["run"] in trained.out for net in nets)
    words = shlex.split(trained.out.splitlines()[-1].removeprefix("to evaluate"))
    assert words[0] == "rungwise"
    assert words[1:] == ["evaluate", str(Path(whole["run"]).relative_to(Path.cwd()))]
    rungwise(*words[1:], "--save", "both.safetensors")
    recipe = Predictor.load(Path("both.safetensors")).recipe
    assert recipe.views == Mirror(pixels=1)
    assert recipe.temperature_scaling


def test_the_command_to_evaluate_knows_which_images_there_are(rungwise: Any, photos: Path) -> None:
    words = ("train", "photos", "--recipe", "tiny.yaml")

    assert rungwise(*words).out.endswith("seed-0 --part validation\n")
    assert rungwise(*words, "--set", "validation=0").out.endswith("seed-0 DATA\n")


def test_a_net_that_answers_its_training_images_far_better_is_said_to_overfit(
    rungwise: Any,
) -> None:
    assert "overfits" not in rungwise(*TINY).out
    path = next(Path("runs").glob("digits/*/seed-0/summary.json"))
    summary = json.loads(path.read_text())
    assert summary["images"] == {"train": 1294, "validation": 144, "test": 359}
    path.write_text(json.dumps(summary | {"train_accuracy": 0.83, "val_accuracy": 0.5854}))

    told = rungwise(*TINY)

    assert "overfits             training accuracy 83.00%, on images held out 58.54%: " in told.out
    assert rungwise(*TINY, "--json").json["overfits"] is True


def test_the_log_goes_to_stderr_and_quiet_silences_it(rungwise: Any) -> None:
    loud = rungwise(*TINY)
    quiet = rungwise(*TINY, "--seed", "1", "--quiet")

    assert loud.out.splitlines()[0].startswith("run ")
    assert "validation accuracy" in loud.out
    assert "train_loss" not in loud.out
    assert [line.split()[0] for line in loud.err.splitlines()] == ["run", "epoch", "1", "2"]
    assert (quiet.code, quiet.err) == (0, "")
    assert "seed-1" in quiet.out


def test_balanced_accuracy_is_told_and_missing_in_summaries_of_earlier_versions(
    rungwise: Any,
) -> None:
    told = rungwise(*TINY).out.splitlines()
    assert [line.split("  ")[0] for line in told[1:4]] == [
        "validation accuracy",
        "95% interval",
        "balanced accuracy",
    ]
    path = next(Path("runs").glob("digits/*/seed-0/summary.json"))
    summary = json.loads(path.read_text())
    del summary["val_balanced_accuracy"]
    path.write_text(json.dumps(summary))
    assert "balanced accuracy" not in rungwise(*TINY).out
    assert rungwise(*TINY, "--json").json["val_balanced_accuracy"] is None


def test_a_collapsed_training_says_so(rungwise: Any) -> None:
    command = ("train", "digits", "--recipe", "digits/cnn", "--epochs", "4")
    absurd = (*command, "--set", "optimizer.lr=30")

    result = rungwise(*absurd, "--json").json

    assert "no better than always answering one class (10.2%)" in result["collapse"]
    assert open_run(Path(result["run"])).summary["collapse"] == result["collapse"]
    assert result["collapse"] in " ".join(rungwise(*absurd).out.split())


def test_a_recipe_that_chooses_on_the_test_images_says_so(rungwise: Any) -> None:
    chosen = ("--set", "validation=test")
    words = rungwise(*TINY, *chosen)
    result = rungwise(*TINY, *chosen, "--json")

    assert "test accuracy (used for choosing)" in words.out
    assert "sealed" not in words.out
    assert result.json["test_accuracy"] == result.json["val_accuracy"]


def test_data_without_a_test_part_have_nothing_sealed(rungwise: Any, photos: Path) -> None:
    result = rungwise("train", "photos", "--recipe", "tiny.yaml")

    assert result.code == 0
    assert "none in these data" in result.out
    assert "sealed" not in result.out


def test_a_learning_rate_may_be_written_as_people_write_it(rungwise: Any) -> None:
    result = rungwise(*TINY, "--set", "optimizer.lr=2e-3", "--dry-run", "--json")

    assert result.json["recipe"]["optimizer"]["lr"] == 0.002


def test_dry_runs_write_nothing(rungwise: Any) -> None:
    before = sorted(Path().rglob("*"))

    words = rungwise(*TINY, "--dry-run")
    plan = rungwise(*TINY, "--dry-run", "--json")
    climb = rungwise(*CLIMB, "--dry-run", "--json")

    assert "hidden_widths" in words.out
    assert plan.json.keys() == {"run", "recipe"}
    assert [(rung["name"], rung["trainings"], rung["found"]) for rung in climb.json["rungs"]] == [
        ("dense", 2, 0),
        ("cnn", 2, 0),
    ]
    assert sorted(Path().rglob("*")) == before


# --- evaluate


def test_evaluate_measures_the_test_images_and_writes_the_opening(rungwise: Any, run: Path) -> None:
    result = rungwise("evaluate", run, "--json")

    test = load("digits").test
    assert test is not None
    expected = evaluate(open_run(run).predictor().probabilities(test.images), test)
    assert result.json.keys() == EVALUATION
    beside = {
        "accuracy_without_duplicates": pytest.approx(expected.accuracy),
        "duplicates": 0,
        "prediction": {"nets": 1, "views": None, "temperature_scaling": False},
    }
    assert result.json == json.loads(json.dumps(expected.to_dict())) | beside
    [entry] = Path("runs/ledger.jsonl").read_text().splitlines()
    assert json.loads(entry)["what"] == f"evaluate {run}"
    assert (run / "figures" / "confusion.png").is_file()


def test_evaluate_lists_the_wrong_answers_in_the_runs_folder(rungwise: Any, run: Path) -> None:
    result = rungwise("evaluate", run)

    test = load("digits").test
    assert test is not None
    answers = open_run(run).predictor().probabilities(test.images).argmax(1)
    with (run / "errors.csv").open(newline="") as file:
        rows = {int(row["position"]): row for row in csv.DictReader(file)}
    assert sorted(rows) == (answers != test.labels).nonzero().flatten().tolist()
    assert all(row["image"] == f"test[{place}]" for place, row in rows.items())
    assert all(row["answer"] == str(answers[place].item()) for place, row in rows.items())
    assert f"{len(rows)} wrong answers" in result.out
    assert str((run / "errors.html").resolve()) in result.out
    page = (run / "errors.html").read_text()
    assert "Errors of tiny on digits" in page
    assert "The nets were not trained on these images." in page

    rungwise("evaluate", run, "--part", "validation")

    assert "held them out" in (run / "errors.html").read_text()
    assert re.search(r"^validation,\d+,train\[", (run / "errors.csv").read_text(), re.MULTILINE)


def test_errors_of_a_predictors_file_are_written_where_it_is_asked_for(
    rungwise: Any, run: Path
) -> None:
    file = ("evaluate", run / "model.safetensors", "digits")
    before = sorted(run.iterdir())

    plain = rungwise(*file)
    asked = rungwise(*file, "--errors", "wrong/here")

    assert sorted(run.iterdir()) == before
    assert "errors" not in plain.out
    assert "wrong/here/errors.html" in asked.out
    assert Path("wrong/here/errors.csv").is_file()
    assert (
        "The nets were not trained on these images." in Path("wrong/here/errors.html").read_text()
    )


def test_temperatures_change_the_calibration_and_not_one_answer(rungwise: Any, run: Path) -> None:
    plain, scaled = (
        rungwise("evaluate", run, "--part", "validation", option, "--json").json
        for option in ("--no-temperature-scaling", "--temperature-scaling")
    )

    assert plain["confusion"] == scaled["confusion"]
    assert scaled["loss"] < plain["loss"]


def test_validation_images_are_measured_without_an_opening(rungwise: Any, run: Path) -> None:
    result = rungwise("evaluate", run, "--part", "validation", "--json")

    assert result.json["accuracy"] == open_run(run).summary["val_accuracy"]
    assert not Path("runs/ledger.jsonl").exists()


def test_an_evaluation_that_cannot_be_opens_nothing(
    rungwise: Any, run: Path, photos: Path, picture: Any
) -> None:
    for name in map(str, range(10)):
        picture(Path("large") / "train" / name / "0.png", (9, 9))
        picture(Path("large") / "test" / name / "0.png", (9, 9))

    rungwise("evaluate", run, "large").fails(3, "1x9x9", "1x8x8")
    rungwise("evaluate", run, "photos").fails(3, "cat, dog")

    assert not Path("runs/ledger.jsonl").exists()


def test_an_ensemble_is_saved_with_its_views_and_evaluated_again(rungwise: Any, run: Path) -> None:
    member = rungwise(*TINY, "--seed", "0.1", "--json").json["run"]
    flags = ("--with", member, "--views", "mirror", "--json")
    both = rungwise("evaluate", run, *flags, "--save", "both.safetensors")

    again = rungwise("evaluate", "both.safetensors", "digits", "--json")
    own = rungwise("evaluate", run, *flags, "--part", "validation")

    unknown = {"accuracy_without_duplicates": None, "duplicates": None}  # of a predictor's file
    assert again.json == both.json | unknown
    assert own.code == 0
    rungwise("evaluate", "both.safetensors").fails(
        2, "was trained on digits", "rungwise evaluate both.safetensors digits"
    )


def test_a_saved_predictor_tells_what_it_was_trained_on_and_what_was_measured(
    rungwise: Any, run: Path
) -> None:
    found = rungwise("evaluate", run, "--save", "best.safetensors", "--json").json

    facts = rungwise("show", "predictor", "best.safetensors", "--json").json
    assert facts["data"]["name"] == "digits"
    assert facts["data"]["fingerprint"] == load("digits").fingerprint
    assert facts["data"]["images"] == {"train": 1294, "validation": 144, "test": 359}
    assert sum(facts["data"]["training_images_of_class"].values()) == 1294
    assert facts["model"]["trained"] == [{"recipe": "tiny", "seed": "0", "epochs": 2}]
    assert facts["figures"]["test"]["accuracy"] == found["accuracy"]
    assert facts["figures"]["validation"]["accuracy"] == open_run(run).summary["val_accuracy"]
    card = Path("best-card.md").read_text()
    assert card == rungwise("show", "predictor", "best.safetensors").out
    assert f"test: accuracy {100 * found['accuracy']:.2f}%" in card
    assert "Alpaydin" in card
    assert "trained: recipe `tiny`, seed 0, 2 epochs" in card
    for title in ("## What it does", "## Data", "## Training", "## Figures", "## Limits", "## Use"):
        assert title in card
    assert json.loads(Path("best-card.json").read_text())["figures"] == facts["figures"]


def test_figures_of_a_predictor_that_is_used_otherwise_are_not_kept(
    rungwise: Any, run: Path
) -> None:
    saved = ("--part", "validation", "--views", "mirror", "--save", "views.safetensors")
    found = rungwise("evaluate", run, *saved, "--json").json

    facts = rungwise("show", "predictor", "views.safetensors", "--json").json

    assert facts["figures"]["validation"]["accuracy"] == found["accuracy"]
    assert facts["figures"]["validation"]["calibration_error"] is not None
    assert facts["figures"]["test"] is None
    own = rungwise("show", "predictor", run, "--json").json
    assert own["figures"]["validation"]["accuracy"] == open_run(run).summary["val_accuracy"]
    assert own["training"]["seed"] == "0"
    assert own["data"]["images"]["train"] == 1294


def test_a_predictor_of_an_earlier_version_has_no_origin_and_is_used_all_the_same(
    rungwise: Any, run: Path
) -> None:
    predictor = open_run(run).predictor()
    replace(predictor, origins=(), figures=()).save(Path("old.safetensors"))

    assert rungwise("evaluate", "old.safetensors", "digits").code == 0
    rungwise("evaluate", "old.safetensors").fails(2, "does not say what it was trained on")
    card = rungwise("show", "predictor", "old.safetensors").out
    assert card.count("Not on file") == 2


def test_runs_that_held_out_other_images_are_not_validated_together(
    rungwise: Any, run: Path
) -> None:
    other = rungwise(*TINY, "--seed", "1", "--json").json["run"]

    rungwise("evaluate", run, "--with", other, "--part", "validation").fails(2, "different")


def test_a_run_is_not_measured_on_what_it_was_trained_on(rungwise: Any, photos: Path) -> None:
    run = rungwise("train", "photos", "--recipe", "tiny.yaml", "--json").json["run"]

    rungwise("evaluate", run).fails(3, "photos has no test part")
    rungwise("evaluate", run, "photos").fails(3, "was trained on its images")
    file = Path(run) / "model.safetensors"
    rungwise("evaluate", file, "photos").fails(3, "was trained on its images")
    assert rungwise("evaluate", run, "--part", "validation").code == 0


def test_a_resizing_run_resizes_other_folders_too(
    rungwise: Any, photos: Path, picture: Any
) -> None:
    run = rungwise(
        *("train", "photos", "--recipe", "tiny.yaml", "--image-size", "6", "--json")
    ).json["run"]
    for name in ("cat", "dog"):
        picture(Path("others") / name / "0.png", (20, 30))
        picture(Path("others") / name / "1.png", (9, 9))

    result = rungwise("evaluate", run, "others")

    assert result.code == 0
    assert "(4 images)" in result.out


# --- predict


def test_predict_prints_a_list_of_files_classes_and_probabilities(
    rungwise: Any, run: Path, photos: Path
) -> None:
    result = rungwise("predict", run, photos / "cat", "photos/dog/*.png", "--json")

    assert len(result.json) == 12
    for row in result.json:
        assert row.keys() == {"file", "class", "probability", "probabilities"}
        assert row["probability"] == max(row["probabilities"].values())
        assert row["probabilities"][row["class"]] == row["probability"]
        assert sum(row["probabilities"].values()) == pytest.approx(1)


def test_prediction_and_evaluation_see_the_same_pixels(rungwise: Any, run: Path) -> None:
    from PIL import Image

    images = load("digits").train
    Image.fromarray(images.images[0, :, :, 0].numpy()).save("first.png")

    [row] = rungwise("predict", run, "first.png", "--json").json

    expected = open_run(run).predictor().probabilities(images.images[:1])[0]
    assert list(row["probabilities"].values()) == expected.tolist()


def test_good_files_are_predicted_although_others_are_bad(
    rungwise: Any, run: Path, photos: Path, picture: Any
) -> None:
    Path("text.png").write_text("no image")
    picture(Path("wide.png"), (8, 9))
    good = [photos / "cat" / "0.png", photos / "dog" / "0.png"]

    result = rungwise(
        *("predict", run, good[0], "text.png", "gone.png", "wide.png", good[1], "--json"),
    )

    assert result.code == 3
    assert [row["file"] for row in result.json] == [str(path) for path in good]
    for word in ("text.png cannot be read", "gone.png names no image", "wide.png is 9x8 pixels"):
        assert word in result.err
    assert result.err.count("error: ") == result.err.count("  fix: ") == 3


def test_with_no_good_file_nothing_is_printed(rungwise: Any, run: Path) -> None:
    rungwise("predict", run, "gone.png", "--json").fails(3, "gone.png names no image")


# --- climb


def test_climb_prints_one_object_and_a_second_climb_the_same_figures(rungwise: Any) -> None:
    result = rungwise(*CLIMB, "--json")

    assert result.code == 0
    assert result.json.keys() >= {"ladder", "data", "seeds", "protocol", "rungs", "report"}
    for rung in result.json["rungs"]:
        assert rung.keys() >= {
            *("name", "val_accuracy", "test_accuracy", "reference", "gain", "interval", "verdict"),
            *("seconds", "flops"),
        }
        assert len(rung["test_accuracy"]["values"]) == 2
    report = Path(result.json["report"])
    assert report.is_file()
    assert (report.parent / "figures" / "curves.png").is_file()
    assert "dense, seed 0: trains" in result.err
    again = rungwise(*CLIMB, "--json", "--quiet")
    assert again.json["rungs"] == result.json["rungs"]
    assert again.err == ""


def test_a_climb_as_a_table_names_its_protocol_and_earlier_openings(rungwise: Any) -> None:
    short = ("climb", "digits", "--rungs", "dense", "--epochs", "1", "--seeds")
    first = rungwise(*short, "1")
    same = rungwise(*short, "1")
    more_seeds = rungwise(*short, "2")

    assert "Protocol: sealed" in first.out
    assert "had been opened" not in first.out + same.out
    assert "had been opened once before" in more_seeds.out
    assert "article" not in first.out.splitlines()[1].split()


def test_an_articles_accuracies_are_not_shown_beside_other_data(rungwise: Any) -> None:
    result = rungwise(
        *("climb", "mnist-cnn", "--data", "digits", "--protocol", "article"),
        *("--rungs", "dense", "--seeds", "1", "--epochs", "1"),
    )

    assert result.code == 0
    assert "= test" in result.out
    assert "Protocol: the article's own" in result.out
    assert "95.00%" not in result.out


# --- compare


def test_compare_prints_one_object_trains_nothing_and_opens_nothing(
    rungwise: Any, run: Path
) -> None:
    other = rungwise(*TINY, "--epochs", "1", "--json").json["run"]
    before = sorted(Path("runs/digits").rglob("summary.json"))

    parsed = rungwise("compare", run, other, "--json")

    assert (parsed.code, parsed.err) == (0, "")
    assert [rung["change"] for rung in parsed.json["rungs"]][1:] == ["other epochs"]
    assert [rung["test_accuracy"] for rung in parsed.json["rungs"]] == [None, None]
    assert Path(parsed.json["report"]).is_file()
    assert sorted(Path("runs/digits").rglob("summary.json")) == before
    assert not Path("runs/ledger.jsonl").exists()
    rungwise("compare", run).fails(2, "nothing to compare")
    rungwise("compare", run, "gone").fails(1, "gone does not exist")


# --- lists, help, machine


@pytest.mark.parametrize(
    "words",
    [
        *("list ladders", "list recipes", "list models", "list techniques", "list augmentations"),
        *("data list", "data check digits", "show recipe compact", "show model cnn", "doctor"),
        *("list optimizers", "list schedules", "list views", "show technique muon"),
        *("show technique cutout", "show technique random-erasing", "show technique mixup"),
    ],
)
def test_every_list_is_told_in_words_and_as_json(rungwise: Any, words: str) -> None:
    plain = rungwise(*words.split())
    parsed = rungwise(*words.split(), "--json")

    assert (plain.code, plain.err, parsed.code, parsed.err) == (0, "", 0, "")
    assert plain.out.strip()
    assert parsed.json
    assert not EMOJI.search(plain.out)
    assert "\x1b" not in plain.out


@pytest.mark.parametrize(
    "kind", ["techniques", "augmentations", "optimizers", "schedules", "views"]
)
def test_every_component_names_its_source_and_explains_what_it_inherits(
    rungwise: Any, kind: str
) -> None:
    for listed in rungwise("list", kind, "--json").json:
        shown = rungwise("show", "technique", listed["name"], "--json").json
        assert "Source:" in shown["description"] or kind == "schedules"
        inherited = [item for item in shown["settings"] if item["name"] in ("lr", "weight_decay")]
        assert all(item["description"] for item in inherited)


def test_the_pictures_of_data_and_nets_are_written_where_asked(rungwise: Any) -> None:
    for words in (
        ("data", "show", "digits", "--to", "sheet.png"),
        ("data", "show", "digits", "--index", "3", "--to", "sheet.svg"),
        ("show", "model", "mlp", "--to", "net.svg"),
    ):
        assert rungwise(*words).code == 0
        assert Path(words[-1]).stat().st_size > 0


HELP = [
    *("", "climb", "train", "evaluate", "predict", "doctor", "list", "data", "data list"),
    *("compare", "report", "runs"),
    *("data get", "data check", "data show", "show", "show recipe", "show model"),
    "show technique",
]


@pytest.mark.parametrize("words", HELP)
def test_every_verb_has_help(rungwise: Any, words: str) -> None:
    result = rungwise(*words.split(), "--help")

    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage: rungwise")
    assert not EMOJI.search(result.out)
    assert "\x1b" not in result.out


def test_no_color_takes_the_colours_out_of_a_terminals_output(
    rungwise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")

    for words in (("--help",), ("list", "models"), TINY):
        result = rungwise(*words)
        assert not re.search(r"\x1b\[[0-9;]*(3[0-9]|4[0-9]|9[0-7])[;m]", result.out + result.err)


def test_every_error_keeps_its_exit_code(rungwise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from rungwise.interfaces.cli import app

    def raise_error() -> None:
        raise error("a problem", expected="no problem", fix="mend it")

    monkeypatch.setattr(app, "app", raise_error)
    for error in RungwiseError.__subclasses__():
        if error.__init__ is RungwiseError.__init__:
            assert rungwise("any").code == error.exit_code
            assert error.exit_code in (1, 2, 3, 130)


def test_the_device_is_one_that_is_there(rungwise: Any) -> None:
    for name in ("tpu", "cpu:1", "cuda:x", "cuda:", "cpu:"):
        rungwise(*TINY, "--device", name).fails(2, name)
    missing = torch.cuda.device_count()
    rungwise(*TINY, "--device", f"cuda:{missing}").fails(2, "there is no device")
    assert not Path("runs").exists()
