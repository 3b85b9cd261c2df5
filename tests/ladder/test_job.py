"""One run, from nothing to a finished folder."""

import contextlib
import csv
import dataclasses
import importlib
import itertools
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rungwise.augment import AUGMENTATIONS, Flip, MirroredCopies
from rungwise.augment.views import Mirror
from rungwise.data import Dataset
from rungwise.errors import ConfigError, RunError, StorageError
from rungwise.ladder import job as module
from rungwise.ladder.job import Job, make_job, training_key
from rungwise.ladder.recipes import RECIPES
from rungwise.ladder.run import CHECKED_FILES, Run, Summary, open_run
from rungwise.models import MLP, Compact
from rungwise.models.summary import summarize
from rungwise.prediction.metrics import evaluate
from rungwise.techniques import (
    EarlyStopping,
    Freezing,
    HardExamples,
    LabelSmoothing,
    ProgressiveResizing,
    Snapshots,
    WeightAveraging,
    Whitening,
)
from rungwise.training.checkpoint import read_tensors
from rungwise.training.loop import ENGINE_VERSION, Progress
from rungwise.training.optimizer import SGD
from rungwise.training.parsing import dump_training
from rungwise.training.recipe import Members, Recipe
from rungwise.training.schedule import CyclicCosine, OneCycle
from rungwise.training.seed import Seed

CPU = torch.device("cpu")


def train(job: Job) -> Run:
    for _ in job.train():
        pass
    return open_run(job.folder)


def train_until(job: Job, enough: Callable[[Progress], bool]) -> None:
    with contextlib.closing(job.train()) as training:
        for progress in training:
            if enough(progress):
                return
    raise AssertionError("the training ended before it was interrupted")


def without_seconds(job: Job) -> list[dict[str, str]]:
    with (job.folder / "metrics.csv").open(newline="") as file:
        return [
            {key: value for key, value in row.items() if key != "seconds"}
            for row in csv.DictReader(file)
        ]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# --- what a training leaves behind


def test_a_finished_run_holds_its_files_and_no_others(job: Job) -> None:
    run = train(job)

    assert names_in(run.path) == {*CHECKED_FILES, "summary.json"}
    assert run.path == job.root / "digits" / f"tiny-{training_key(job.recipe, job.dataset)}/seed-0"
    assert run.recipe() == job.recipe


def test_what_a_killed_writer_left_in_the_folder_is_removed(job: Job) -> None:
    figures = train(job).path / "figures"
    figures.mkdir()
    for folder in (job.folder, figures):
        (folder / ".01234567.curves.png.part").touch()

    with job.alone():
        assert names_in(job.folder) == {*CHECKED_FILES, "summary.json", "figures"}
        assert names_in(figures) == set()


def test_the_summary_tells_the_figures_of_the_epoch_that_was_kept(job: Job) -> None:
    run = train(job)

    history, summary = run.history(), run.summary
    best = min(history, key=lambda row: row["val_loss"] or math.inf)
    assert summary["val_loss"] == best["val_loss"]
    assert summary["val_accuracy"] == best["val_acc"]
    assert summary["train_accuracy"] == best["train_acc"]
    assert summary["kept_epoch"] == best["epoch"]
    assert (summary["epochs"], len(history)) == (3, 3)
    assert summary["seconds"] == sum(row["seconds"] or 0 for row in history)
    operations = summarize(job.recipe.model, (1, 8, 8), 10).training_flops_per_image
    assert summary["flops"] == operations * 160 * 3  # a fifth of the 200 is held out
    assert set(summary) >= set(Summary.__required_keys__)


def test_the_predictor_gives_the_validation_accuracy_of_the_summary(job: Job) -> None:
    run, held_out = train(job), job.parts().validation

    assert held_out is not None
    evaluation = evaluate(run.predictor().probabilities(held_out.images), held_out)
    assert evaluation.accuracy == run.summary["val_accuracy"]
    assert evaluation.balanced_accuracy == run.summary["val_balanced_accuracy"]


def test_a_run_holds_a_temperature_fitted_on_what_it_held_out_but_not_on_test_images(
    job: Job,
) -> None:
    held_out = job.parts().validation
    assert held_out is not None
    predictor = train(job).predictor()
    on_test, on_nothing = (
        train(replace(job, recipe=replace(job.recipe, keep="last", validation=validation)))
        for validation in ("test", 0.0)
    )

    assert predictor.temperatures == predictor.calibrated_on(held_out).temperatures
    assert predictor.recipe.temperature_scaling is False
    assert on_test.predictor().temperatures == on_nothing.predictor().temperatures == ()


def snapshots(job: Job, count: int) -> Job:
    cyclic = {"schedule": CyclicCosine(cycles=3), "keep": "last"}
    techniques = (Snapshots(count=count),) if count > 1 else ()
    return replace(job, recipe=replace(job.recipe, techniques=techniques, **cyclic))


def test_a_run_with_snapshots_is_one_training_whose_predictor_holds_several_nets(job: Job) -> None:
    single, several, held_out = snapshots(job, 1), snapshots(job, 3), job.parts().validation
    assert held_out is not None

    predictor, run = train(several).predictor(), several.finished()

    assert run is not None
    assert (several.flops, several.images_seen) == (single.flops, single.images_seen)
    assert len(predictor.nets) == len(predictor.members) == len(predictor.temperatures) == 3
    evaluation = evaluate(predictor.probabilities(held_out.images), held_out)
    assert run.summary["val_accuracy"] == evaluation.accuracy
    assert run.summary["val_loss"] == evaluation.loss
    last = replace(predictor, nets=predictor.nets[-1:], members=predictor.members[-1:])
    of_single = train(single).predictor().probabilities(held_out.images)
    assert torch.equal(last.probabilities(held_out.images), of_single)


def test_a_killed_run_with_snapshots_ends_in_the_same_predictor(job: Job, tmp_path: Path) -> None:
    job = snapshots(job, 3)
    elsewhere = replace(job, root=tmp_path / "elsewhere")
    train_until(elsewhere, lambda progress: (progress.epoch, progress.step) == (3, 1))

    killed, straight = train(elsewhere), train(job)

    name = "model.safetensors"
    assert (killed.path / name).read_bytes() == (straight.path / name).read_bytes()


def test_training_again_from_the_runs_own_recipe_gives_the_same_weights(
    job: Job, tmp_path: Path
) -> None:
    first = train(job)
    again = train(Job(first.recipe(), job.dataset, Seed(0), tmp_path / "elsewhere", CPU))

    assert (
        first.summary["files"]["model.safetensors"] == again.summary["files"]["model.safetensors"]
    )


def test_without_validation_images_the_history_has_gaps(job: Job) -> None:
    run = train(replace(job, recipe=replace(job.recipe, validation=0.0, keep="last")))

    assert [row["val_acc"] for row in run.history()] == [None] * 3
    assert run.summary["val_accuracy"] is None
    assert run.summary["val_balanced_accuracy"] is None


def test_a_first_step_that_cannot_be_leaves_no_folder(job: Job) -> None:
    impossible = replace(job.recipe, augment=(replace(job.recipe.augment[0], pixels=20),))

    with pytest.raises(ConfigError, match="pixels is 20"):
        train(replace(job, recipe=impossible))

    assert not job.root.exists()


# --- the key


CHANGES = {
    "model": MLP(),
    "input": "raw",
    "validation": 0.25,
    "augment": (Flip(),),
    "techniques": (LabelSmoothing(), WeightAveraging()),
    "optimizer": SGD(lr=0.1),
    "schedule": OneCycle(),
    "epochs": 4,
    "batch_size": 41,
    "keep": "last",
    "precision": "bfloat16",
}
UNRELATED = {
    "name": "other",
    "views": Mirror(),
    "ensemble": (Members(count=2),),
    "temperature_scaling": True,
}


def test_every_setting_is_known_to_this_test() -> None:
    assert {item.name for item in dataclasses.fields(Recipe)} == {*CHANGES, *UNRELATED}


@pytest.mark.parametrize("setting", CHANGES)
def test_every_training_setting_changes_the_key(
    recipe: Recipe, digits: Dataset, setting: str
) -> None:
    changed = replace(recipe, **{setting: CHANGES[setting]})

    assert training_key(changed, digits) != training_key(recipe, digits)


def test_equal_settings_have_one_key_however_they_are_written(
    recipe: Recipe, digits: Dataset
) -> None:
    whole, point = (replace(recipe, optimizer=SGD(lr=lr)) for lr in (1, 1.0))

    assert training_key(whole, digits) == training_key(point, digits)
    tenth = replace(recipe, optimizer=SGD(lr=1.1))
    assert training_key(tenth, digits) != training_key(point, digits)


def test_what_is_for_prediction_does_not_change_the_key(recipe: Recipe, digits: Dataset) -> None:
    mirrored = replace(recipe, augment=(Flip(),))

    assert training_key(replace(mirrored, **UNRELATED), digits) == training_key(mirrored, digits)


def test_data_subset_and_engine_change_the_key(
    recipe: Recipe, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = training_key(recipe, digits)
    labels = digits.train.labels.clone()
    labels[0] = (labels[0] + 1) % 10
    relabelled = replace(digits, train=replace(digits.train, labels=labels))

    assert training_key(recipe, replace(digits, name="renamed")) == before
    assert training_key(recipe, relabelled) != before
    assert training_key(recipe, replace(digits, per_class=5)) != before
    monkeypatch.setattr(module, "ENGINE_VERSION", module.ENGINE_VERSION + 1)
    assert training_key(recipe, digits) != before


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_key_of_a_named_recipe_covers_settings_data_and_engine_alone(
    name: str, digits: Dataset
) -> None:
    settings = module.canonical(dump_training(RECIPES[name]))
    content = json.dumps([settings, digits.fingerprint, ENGINE_VERSION], sort_keys=True)

    assert training_key(RECIPES[name], digits) == sha256(content.encode()).hexdigest()[:10]


def test_what_code_of_a_users_own_does_changes_the_key(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from rungwise.augment import Flip\nclass Own(Flip):\n    STRENGTH = 1\n"
    monkeypatch.syspath_prepend(tmp_path)

    def key(text: str) -> str:
        (tmp_path / "own_flip.py").write_text(text)
        importlib.invalidate_caches()
        sys.modules.pop("own_flip", None)
        own = importlib.import_module("own_flip").Own
        monkeypatch.setitem(AUGMENTATIONS, "own", own)
        return training_key(Recipe(model=MLP(), augment=(own(),)), digits)

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    first = key(code)
    assert key(code.replace("= 1", "= 23")) != first
    assert key(code) == first


def test_what_was_trained_is_found_again_under_another_name(job: Job) -> None:
    run = train(job)

    renamed = replace(job, recipe=replace(job.recipe, name="renamed"))

    found = renamed.finished()
    assert found is not None
    assert found.path == run.path
    assert replace(renamed, seed=Seed(0, 1)).folder == run.path.parent / "seed-0.1"
    assert replace(renamed, seed=Seed(1)).finished() is None


def test_a_job_resolves_the_precision_and_drops_what_does_not_train(
    recipe: Recipe, digits: Dataset, tmp_path: Path
) -> None:
    asked = replace(
        recipe, **{**UNRELATED, "name": recipe.name, "augment": (Flip(),), "precision": "auto"}
    )

    job = make_job(asked, digits, Seed(0), tmp_path, CPU)

    assert job.recipe.precision in ("float32", "bfloat16")
    assert (job.recipe.views, job.recipe.ensemble) == (None, ())
    assert job.recipe.temperature_scaling is False


# --- what it is to take, before it is done


def test_images_and_operations_count_copies_and_likely_epochs(job: Job) -> None:
    doubled = replace(job, recipe=replace(job.recipe, augment=(MirroredCopies(),)))
    patient = EarlyStopping(patience=2)
    stopping = replace(job, recipe=replace(job.recipe, epochs=50, techniques=(patient,)))

    assert (job.images_seen, job.validation_images) == (160 * 3, 40)
    assert doubled.images_seen == 2 * 160 * 3
    assert stopping.likely_epochs == 6
    assert stopping.images_seen == 160 * 6
    each = summarize(job.recipe.model, (1, 8, 8), 10).training_flops_per_image
    assert job.flops == each * 160 * 3 == train(job).summary["flops"]


@pytest.mark.parametrize(
    ("batch_size", "expected"),
    [(40, 4 * 3 * 2.0), (160, 3 * 2.0)],
    ids=["several steps an epoch", "one step an epoch"],
)
def test_a_probe_tells_how_long_all_steps_take_by_some_and_leaves_nothing(
    job: Job, monkeypatch: pytest.MonkeyPatch, batch_size: int, expected: float
) -> None:
    # The clock stands at 0, 9, 11, 13, ...: the first step takes 9 s, every other one 2 s.
    ticks = itertools.chain([0.0], itertools.count(9.0, 2.0))
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))

    probed = replace(job, recipe=replace(job.recipe, batch_size=batch_size)).probe(3.0)

    assert probed == expected
    assert not job.root.exists()


def test_a_probe_of_a_single_step_takes_that_one(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(0.0, 9.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))

    assert replace(job, recipe=replace(job.recipe, batch_size=160, epochs=1)).probe(3.0) == 9.0


RESIZED = {
    "model": Compact(widths=(4,), stem_width=4),
    # Of 12 steps of 40 images the first three: a step begins when a share of steps is done.
    "techniques": (ProgressiveResizing(sides=(4,), until=(0.25,)),),
}


def test_small_images_count_as_what_they_cost(job: Job) -> None:
    resized = replace(job, recipe=replace(job.recipe, **RESIZED))
    small, whole = (
        summarize(resized.recipe.model, (1, side, side), 10).training_flops_per_image
        for side in (4, 8)
    )

    run = train(resized)

    assert run.summary["flops"] == resized.flops == 40 * (3 * small + 9 * whole)
    assert small < whole / 3


def test_a_probe_of_small_images_tells_what_larger_ones_will_take(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count(0.0, 2.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    resized = replace(job, recipe=replace(job.recipe, **RESIZED))
    small = summarize(resized.recipe.model, (1, 4, 4), 10).training_flops_per_image

    assert resized.probe(1.0) == pytest.approx(12 * 2.0 * resized.flops / (480 * small))


def test_shorter_epochs_count_in_images_steps_operations_and_time(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Epochs of 160, 80 and 160 images, in steps of 40.
    chosen = (HardExamples(share=0.5, until=0.5),)
    choosing = replace(job, recipe=replace(job.recipe, techniques=chosen))
    each = summarize(job.recipe.model, (1, 8, 8), 10).training_flops_per_image

    assert (choosing.images_seen, choosing.likely_steps) == (400, 10)
    assert choosing.flops == 400 * each == train(choosing).summary["flops"]
    ticks = itertools.count(0.0, 2.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    assert choosing.probe(1.0) == 10 * 2.0


def test_a_net_with_too_few_blocks_makes_no_job(job: Job) -> None:
    recipe = replace(job.recipe, techniques=(Freezing(at=(0.1, 0.2, 0.3)),))

    with pytest.raises(ConfigError, match="3 shares, and the net 3 blocks"):
        make_job(recipe, job.dataset, Seed(0), job.root, CPU)


def test_a_choice_without_effect_makes_no_job(job: Job) -> None:
    recipe = replace(job.recipe, techniques=(HardExamples(until=0.3),))

    with pytest.raises(ConfigError, match="hard-examples has no effect"):
        make_job(recipe, job.dataset, Seed(0), job.root, CPU)


def test_what_is_frozen_takes_fewer_operations_and_the_probe_knows(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of 12 steps of 40 images the bias is trained in three.
    recipe = replace(
        job.recipe,
        model=Compact(widths=(4,), whitened_patch=2),
        techniques=(Whitening(bias_until=0.25),),
    )
    freezing = replace(job, recipe=recipe)
    trained, frozen = (
        summarize(recipe.model, (1, 8, 8), 10, names).training_flops_per_image
        for names in (frozenset[str](), frozenset({"stem.conv"}))
    )

    assert freezing.flops == train(freezing).summary["flops"] == 40 * (3 * trained + 9 * frozen)
    assert frozen < 0.8 * trained
    ticks = itertools.count(0.0, 2.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    assert freezing.probe(1.0) == pytest.approx(24 * freezing.flops / (480 * trained))


def test_a_side_that_does_not_fit_the_images_makes_no_job(job: Job) -> None:
    too_large = {**RESIZED, "techniques": (ProgressiveResizing(sides=(8,), until=(0.5,)),)}

    with pytest.raises(ConfigError, match="the images are 8×8 pixels"):
        make_job(replace(job.recipe, **too_large), job.dataset, Seed(0), job.root, CPU)


# --- interruptions


@pytest.mark.parametrize(
    "enough",
    [
        lambda progress: (progress.epoch, progress.step) == (1, 1),
        lambda progress: (progress.epoch, progress.step) == (2, 3),
        lambda progress: progress.epoch == 2 and progress.record is not None,
        lambda progress: progress.epoch == 3 and progress.record is not None,
    ],
    ids=["first step", "mid-epoch", "between epochs", "after the last epoch"],
)
def test_an_interrupted_run_ends_in_the_very_same_weights(
    job: Job, tmp_path: Path, enough: Callable[[Progress], bool]
) -> None:
    undisturbed = replace(job, root=tmp_path / "undisturbed")
    train(undisturbed)

    train_until(job, enough)
    assert job.is_started()
    assert job.finished() is None
    train(job)

    expected, _ = read_tensors(undisturbed.folder / "model.safetensors")
    found, _ = read_tensors(job.folder / "model.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert without_seconds(job) == without_seconds(undisturbed)
    assert names_in(job.folder) == names_in(undisturbed.folder)


def test_a_run_that_was_killed_goes_on_from_its_last_save(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = train(replace(job, root=tmp_path / "undisturbed"))
    monkeypatch.setattr(module, "SECONDS_BETWEEN_SAVES", 0.0)

    training = job.train()
    while (progress := next(training)).epoch < 3:
        pass
    saved = (job.folder / "last.safetensors").read_bytes()
    training.close()  # this saves step 1 of epoch 3, which a kill would not have done
    (job.folder / "last.safetensors").write_bytes(saved)

    assert progress.step == 1
    assert len(read_tensors(job.folder / "last.safetensors")[1]["history"]) == 2
    assert (
        train(job).summary["files"]["model.safetensors"]
        == (undisturbed.summary["files"]["model.safetensors"])
    )


def test_a_full_disk_keeps_the_state_that_was_saved(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = train(replace(job, root=tmp_path / "undisturbed"))
    train_until(job, lambda progress: progress.epoch == 2)

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(StorageError, match="the disk is full"):
            train(job)

    assert names_in(job.folder) >= {"last.safetensors", "recipe.yaml"}
    assert not [name for name in names_in(job.folder) if name.endswith(".part")]
    assert (
        train(job).summary["files"]["model.safetensors"]
        == (undisturbed.summary["files"]["model.safetensors"])
    )


def test_a_diverged_training_is_told_and_leaves_no_finished_run(job: Job) -> None:
    wild = replace(job.recipe, optimizer=SGD(lr=1e30), techniques=())

    with pytest.raises(RunError, match="the training has diverged"):
        train(replace(job, recipe=wild))

    assert replace(job, recipe=wild).finished() is None
