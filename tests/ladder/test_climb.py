"""A climb of four small rungs with two seeds."""

import contextlib
import json
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rungwise.augment import Shift
from rungwise.augment.views import RandomCopies
from rungwise.data import Dataset
from rungwise.errors import RunError, UsageError
from rungwise.ladder import budget as budget_module
from rungwise.ladder import climb as climb_module
from rungwise.ladder import job as job_module
from rungwise.ladder.budget import Budget
from rungwise.ladder.climb import Climb, ClimbEvent, Event, Notice, RungMeasured
from rungwise.ladder.comparison import compare
from rungwise.ladder.job import Job
from rungwise.ladder.pace import Pace
from rungwise.ladder.result import ClimbResult
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import MLP
from rungwise.prediction.metrics import evaluate
from rungwise.prediction.predictor import Predictor
from rungwise.report.climb_page import write_climb_report
from rungwise.techniques import Snapshots
from rungwise.training.optimizer import SGD
from rungwise.training.recipe import Members, Recipe
from rungwise.training.schedule import CyclicCosine

PLAIN = Recipe(
    name="plain",
    model=MLP(hidden_widths=(16,)),
    validation=0.2,
    epochs=1,
    batch_size=20,
    precision="float32",
)
SHIFTED = replace(PLAIN, name="shifted", augment=(Shift(pixels=1),))
TTA = replace(SHIFTED, name="tta", views=RandomCopies(copies=2))
ENSEMBLE = replace(TTA, name="ensemble", ensemble=(Members(count=2),))
LADDER = Ladder(
    name="small",
    data="digits",
    title="Four rungs",
    rungs=(
        Rung(recipe=PLAIN, change="nothing yet", reference=0.5),
        Rung(recipe=SHIFTED, change="+ shift", base="plain", control=True),
        Rung(recipe=TTA, change="+ two copies", base="shifted"),
        Rung(recipe=ENSEMBLE, change="two nets", base="tta"),
    ),
)


def climb_of(dataset: Dataset, root: Path, ladder: Ladder = LADDER) -> Climb:
    return Climb(ladder, dataset, (0, 1), root, torch.device("cpu"))


def finish(work: Climb) -> tuple[list[ClimbEvent], ClimbResult]:
    told = []
    result = work.run(told.append)
    return [event for event in told if isinstance(event, ClimbEvent)], result


def for_want_of_time(result: ClimbResult) -> list[str]:
    return [told for told in result.left_out if "further seeds" not in told]


def lines(result: ClimbResult) -> list[dict[str, Any]]:
    text = (result.folder / "results.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def trained(root: Path) -> set[str]:
    folders = (path.parent for path in root.glob("digits/*/seed-*/summary.json"))
    return {f"{path.parent.name.rpartition('-')[0]} {path.name}" for path in folders}


@pytest.fixture(scope="module")
def climbed(
    digits: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Climb, list[ClimbEvent], ClimbResult]:
    """Climb once for all tests that only look."""
    work = climb_of(digits, tmp_path_factory.mktemp("climb") / "runs")
    return work, *finish(work)


Climbed = tuple[Climb, list[ClimbEvent], ClimbResult]


def test_views_reuse_nets_and_an_ensemble_trains_its_further_members_alone(
    climbed: Climbed,
) -> None:
    work, events, _ = climbed

    assert trained(work.root) == {
        *("plain seed-0", "plain seed-1", "shifted seed-0", "shifted seed-1"),
        *("shifted seed-0.1", "shifted seed-1.1"),
    }
    assert {(event.rung, str(event.seed)) for event in events if event.doing == "trains"} == {
        *(("plain", "0"), ("plain", "1"), ("shifted", "0"), ("shifted", "1")),
        *(("ensemble", "0.1"), ("ensemble", "1.1")),
    }


def test_the_test_set_is_opened_once_and_after_everything_else(climbed: Climbed) -> None:
    work, events, result = climbed
    doings = [event.doing for event in events]

    first = doings.index("predicts the test images")
    assert set(doings[first:]) == {"predicts the test images"}
    assert len(doings) - first == 4 * 2
    assert len((work.root / "ledger.jsonl").read_text().splitlines()) == 1
    assert result.earlier_openings == 0


def test_results_hold_a_line_for_each_rung_and_seed(climbed: Climbed) -> None:
    *_, result = climbed

    records = lines(result)

    assert [(record["rung"], record["seed"]) for record in records] == [
        (rung.name, seed) for rung in LADDER.rungs for seed in (0, 1)
    ]
    assert [len(record["runs"]) for record in records] == [1, 1, 1, 1, 1, 1, 2, 2]
    assert {record["protocol"] for record in records} == {"sealed"}
    for record in records:
        for part, count in (("validation", 40), ("test", 60)):
            confusion = record[part]["confusion"]
            assert sum(map(sum, confusion)) == count
            right = sum(confusion[label][label] for label in range(10))
            assert record[part]["accuracy"] == right / count


def test_an_ensembles_cost_is_that_of_all_its_nets(climbed: Climbed) -> None:
    *_, result = climbed
    by_name = {rung.rung.name: rung for rung in result.rungs}

    assert by_name["tta"].flops == by_name["shifted"].flops
    assert by_name["ensemble"].flops == 2 * by_name["tta"].flops


def test_gains_are_paired_seed_by_seed_on_validation_images(climbed: Climbed) -> None:
    *_, result = climbed
    accuracy = {
        (record["rung"], record["seed"]): record["validation"]["accuracy"]
        for record in lines(result)
    }

    gains = {rung["name"]: rung["gain_details"] for rung in result.to_dict()["rungs"]}

    assert gains["plain"] is None
    for name, base in (("shifted", "plain"), ("tta", "shifted"), ("ensemble", "tta")):
        by_hand = [accuracy[name, seed] - accuracy[base, seed] for seed in (0, 1)]
        assert gains[name]["values"] == pytest.approx(by_hand)
        assert gains[name]["mean"] == pytest.approx(sum(by_hand) / 2)


def test_climb_json_is_what_the_command_line_prints(climbed: Climbed) -> None:
    *_, result = climbed

    written = json.loads((result.folder / "climb.json").read_text())

    assert written == result.to_dict()
    assert re.fullmatch("small-digits-sealed-[0-9a-f]{6}", result.folder.name)
    assert written.keys() >= {"ladder", "data", "seeds", "protocol", "rungs", "report"}
    assert (written["ladder"], written["data"], written["seeds"], written["protocol"]) == (
        *("small", "digits", [0, 1]),
        "sealed",
    )
    first = written["rungs"][0]
    assert first.keys() >= {
        *("name", "val_accuracy", "test_accuracy", "reference", "gain", "interval"),
        *("verdict", "seconds", "flops"),
    }
    assert first["reference"] == 0.5
    for part in ("val_accuracy", "test_accuracy"):
        assert first[part].keys() == {"mean", "std", "values"}
        assert first[part]["mean"] == pytest.approx(sum(first[part]["values"]) / 2)


def test_members_of_an_ensemble_share_their_draw_and_other_seeds_do_not(
    climbed: Climbed,
) -> None:
    work, *_ = climbed
    ensemble = LADDER.rung("ensemble")

    first, second = (job.parts() for job in work.jobs(ensemble, 0))
    other = work.jobs(ensemble, 1)[0].parts()

    assert first.validation is not None
    assert second.validation is not None
    assert other.validation is not None
    assert torch.equal(first.validation.images, second.validation.images)
    assert torch.equal(first.train.images, second.train.images)
    assert not torch.equal(first.validation.images, other.validation.images)


def test_a_second_climb_trains_and_predicts_nothing(
    climbed: Climbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, _, before = climbed

    def refuse(*args: object) -> None:
        raise AssertionError("it works again")

    monkeypatch.setattr(job_module, "Training", refuse)
    monkeypatch.setattr(Predictor, "probabilities", refuse)
    _, after = finish(work)

    assert after.earlier_openings == before.earlier_openings == 0
    assert len((work.root / "ledger.jsonl").read_text().splitlines()) == 1
    assert after.to_dict()["rungs"] == before.to_dict()["rungs"]


def test_an_interrupted_climb_goes_on_and_ends_in_the_same_figures(
    climbed: Climbed, digits: Dataset, tmp_path: Path
) -> None:
    *_, undisturbed = climbed
    work = climb_of(digits, tmp_path)
    with contextlib.closing(work.events()) as events:
        for event in events:
            if isinstance(event, ClimbEvent) and event.rung == "shifted":
                break  # in the middle of its first epoch

    assert trained(tmp_path) == {"plain seed-0", "plain seed-1"}
    assert len(list(tmp_path.glob("digits/*/seed-0/last.safetensors"))) == 1
    told, result = finish(work)

    assert "plain" not in {event.rung for event in told if event.doing == "trains"}
    figures = [
        [[rung[part]["values"] for part in ("val_accuracy", "test_accuracy")] for rung in rungs]
        for rungs in (result.to_dict()["rungs"], undisturbed.to_dict()["rungs"])
    ]
    assert figures[0] == figures[1]
    assert not list(tmp_path.glob("digits/*/seed-*/last.safetensors"))


@pytest.mark.parametrize("name", ["metrics.csv", "model.safetensors"])
def test_a_damaged_run_is_named_set_aside_and_trained_again(
    digits: Dataset, tmp_path: Path, name: str
) -> None:
    work = climb_of(digits, tmp_path, LADDER.only(["plain"]))
    _, before = finish(work)
    damaged = next(tmp_path.glob(f"digits/plain-*/seed-0/{name}"))
    with damaged.open("ab") as file:
        file.write(b"9")

    told, after = finish(work)

    assert any(f"{name} is damaged" in event.doing for event in told)
    assert (damaged.parent.with_name("seed-0.damaged-1") / name).exists()
    assert (
        after.to_dict()["rungs"][0]["val_accuracy"] == before.to_dict()["rungs"][0]["val_accuracy"]
    )


def test_a_climb_waits_for_another_process_and_takes_its_run(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = climb_of(digits, tmp_path, LADDER.only(["plain"]))
    job = work.jobs(work.ladder.rungs[0], 0)[0]
    other = contextlib.ExitStack()
    other.enter_context(job.alone())

    def let_the_other_finish(seconds: float) -> None:
        for _ in job.train():
            pass
        other.close()

    # In this module alone: threads that an earlier test has left may sleep, too.
    clock = SimpleNamespace(sleep=let_the_other_finish, monotonic=time.monotonic)
    monkeypatch.setattr(climb_module, "time", clock)
    told, _ = finish(work)

    assert told[0].doing == "waits for another process that trains it"
    assert {(event.doing, str(event.seed)) for event in told if event.progress} == {("trains", "1")}


def test_without_a_test_part_nothing_is_opened(digits: Dataset, tmp_path: Path) -> None:
    work = climb_of(replace(digits, test=None), tmp_path, LADDER.only(["plain", "shifted"]))

    _, result = finish(work)

    assert not (tmp_path / "ledger.jsonl").exists()
    first, second = result.to_dict()["rungs"]
    assert first["test_accuracy"] is None
    assert second["gain_details"]["values"] == pytest.approx(
        [
            mine - other
            for mine, other in zip(
                second["val_accuracy"]["values"], first["val_accuracy"]["values"], strict=True
            )
        ]
    )


def test_under_an_articles_protocol_choices_are_made_on_the_test_images(
    digits: Dataset, tmp_path: Path
) -> None:
    ladder = replace(LADDER.only(["plain"]), article_validation="test").under("article")

    _, result = finish(replace(climb_of(digits, tmp_path, ladder), protocol="article"))

    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 1
    first = result.to_dict()["rungs"][0]
    assert result.folder.name.startswith("small-digits-article-")
    assert first["val_accuracy"] == first["test_accuracy"]


def test_a_shortened_climb_leaves_the_full_ones_records_alone(
    climbed: Climbed, digits: Dataset
) -> None:
    work, _, full = climbed
    shortened = climb_of(digits, work.root, LADDER.only(["plain"]))

    _, result = finish(shortened)

    assert result.folder != full.folder
    assert len(lines(full)) == 4 * 2


def test_a_climb_tells_each_accuracy_and_how_long_it_still_takes(
    digits: Dataset, tmp_path: Path
) -> None:
    work = climb_of(digits, tmp_path, LADDER.only(["plain", "shifted"]))
    told: list[Event] = []
    left = []

    def watch(event: Event) -> None:
        told.append(event)
        left.append((work.outlook.trained, work.outlook.left, work.seconds_left()))

    result = work.run(watch)

    measured = [event for event in told if isinstance(event, RungMeasured)]
    assert [(event.rung, event.accuracy) for event in measured] == [
        (rung["name"], value)
        for rung in result.to_dict()["rungs"]
        for value in rung["val_accuracy"]["values"]
    ]
    assert left[0] == (0, 4, None)
    assert left[-1] == (4, 0, 0.0)
    # After the first training's only epoch the other three are all that is left.
    known = next(one for one in left if one[2] is not None)
    assert known[:2] == (0, 4)
    assert known[2] > 0


# --- the net to use


def test_the_net_to_use_is_fitted_to_all_training_images_and_tested_once(
    digits: Dataset, tmp_path: Path
) -> None:
    work = climb_of(digits, tmp_path, LADDER.only(["plain", "shifted"]))

    _, result = finish(replace(work, fits=1))

    final, test = result.final, digits.test
    assert final is not None
    assert test is not None
    assert (final.train_images, final.model) == (200, result.folder / "model.safetensors")
    assert [run.summary["validation"] for runs in final.runs for run in runs] == [0.0]
    best = max(result.rungs, key=lambda rung: rung.to_dict()["val_accuracy"]["mean"])
    assert final.recipe == replace(best.rung.recipe, validation=0.0)
    saved = Predictor.load(final.model)
    found = evaluate(saved.probabilities(test.images), test)
    assert [(one.part, one.accuracy) for one in saved.figures] == [("test", found.accuracy)]
    assert [origin and origin.images["train"] for origin in saved.origins] == [200]
    accuracy = {"mean": found.accuracy, "std": None, "values": [found.accuracy]}
    assert final.to_dict()["test_accuracy"] == accuracy
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 1


def test_the_net_to_use_is_fitted_with_the_climbs_own_first_seeds(
    digits: Dataset, tmp_path: Path
) -> None:
    work = replace(climb_of(digits, tmp_path, LADDER.only(["plain"])), seeds=(3,), fits=2)

    final = finish(work)[1].final

    assert final is not None
    assert [[run.summary["seed"] for run in runs] for runs in final.runs] == [["3"], ["4"]]


def test_the_net_to_use_may_be_fitted_with_several_seeds_for_its_spread(
    digits: Dataset, tmp_path: Path
) -> None:
    work = replace(climb_of(digits, tmp_path, LADDER.only(["plain"])), seeds=(0,))
    once, thrice = (finish(replace(work, fits=fits))[1].final for fits in (1, 3))
    assert once is not None and thrice is not None

    assert [run.summary["seed"] for runs in thrice.runs for run in runs] == ["0", "1", "2"]
    accuracy = thrice.to_dict()["test_accuracy"]
    assert accuracy["values"][:1] == once.to_dict()["test_accuracy"]["values"]
    assert len(set(accuracy["values"])) > 1 and accuracy["std"] > 0
    seconds = [run.summary["seconds"] for runs in thrice.runs for run in runs]
    assert thrice.to_dict()["seconds"] == pytest.approx(sum(seconds) / 3)
    assert thrice.model == once.model


def test_a_net_to_use_may_be_an_ensemble_with_views(digits: Dataset, tmp_path: Path) -> None:
    ladder = LADDER.only(["ensemble"])

    _, result = finish(replace(climb_of(digits, tmp_path, ladder), seeds=(0,), fits=1))

    assert result.final is not None
    assert [[run.summary["seed"] for run in runs] for runs in result.final.runs] == [["0", "0.1"]]
    assert len(Predictor.load(result.final.model).nets) == 2


def test_a_rung_may_be_an_ensemble_of_snapshots_with_temperatures(
    digits: Dataset, tmp_path: Path
) -> None:
    rung = LADDER.rung("ensemble")
    recipe = replace(
        rung.recipe,
        techniques=(Snapshots(count=2),),
        schedule=CyclicCosine(cycles=2),
        epochs=2,
        views=None,
        temperature_scaling=True,
    )
    ladder = replace(LADDER, rungs=(replace(rung, recipe=recipe, base=None),))

    _, result = finish(replace(climb_of(digits, tmp_path, ladder), seeds=(0,), fits=1))

    assert result.final is not None
    assert [[run.summary["seed"] for run in runs] for runs in result.final.runs] == [["0", "0.1"]]
    predictor = Predictor.load(result.final.model)
    assert len(predictor.nets) == 4
    assert len(set(predictor.temperatures) - {None}) == 4
    assert predictor.recipe == recipe


@pytest.mark.parametrize("control", [False, True])
def test_without_validation_images_the_last_rung_that_is_no_control_is_fitted(
    digits: Dataset, tmp_path: Path, control: bool
) -> None:
    ladder = LADDER.only(["plain", "shifted"]).changed(lambda one: replace(one, validation=0.0))
    chosen = ladder.only(["shifted"]) if control else ladder

    _, result = finish(replace(climb_of(digits, tmp_path, chosen), seeds=(0,), fits=1))

    assert result.final is not None
    assert result.final.recipe.name == ("shifted" if control else "plain")


def test_a_climb_may_leave_the_test_set_sealed(digits: Dataset, tmp_path: Path) -> None:
    work = climb_of(digits, tmp_path, LADDER.only(["plain"]))

    told, result = finish(replace(work, fits=1, opens_test=False))

    assert not (tmp_path / "ledger.jsonl").exists()
    assert "predicts the test images" not in {event.doing for event in told}
    assert result.final is not None
    assert result.final.test == ()
    assert result.to_dict()["rungs"][0]["test_accuracy"] is None


# --- within a budget


class TenSeconds(Pace):
    """Takes every training for one of ten seconds, whatever is seen."""

    def learn(self, job: Job, seconds: float, slowness: float | None = None) -> None:
        pass

    def knows(self, job: Job) -> bool:
        return True

    def training(self, job: Job) -> float:
        return 10.0

    def predicting(self, recipe: Recipe, jobs: list[Job], images: int) -> float:
        return 0.0


@dataclass
class Clock:
    """Goes on with each step of a training; to `watch` a climb moves it."""

    seconds_each_step: float
    now: float = 0.0

    def watch(self, event: Event) -> None:
        if isinstance(event, ClimbEvent) and event.progress:
            self.now += self.seconds_each_step

    def monotonic(self) -> float:
        return self.now


TWO_RUNGS = LADDER.only(["plain", "shifted"])


def budgeted(
    dataset: Dataset, root: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, each_step: float
) -> tuple[Climb, Clock]:
    """Return a climb whose trainings have 8 steps, or 10 for the net to use, and their clock."""
    clock = Clock(each_step)
    for module in (budget_module, climb_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(climb_module, "Stopwatch", lambda on_processor: SimpleNamespace(slowness=1))
    work = replace(climb_of(dataset, root, TWO_RUNGS), seeds=(0, 1, 2), fits=1, pace=TenSeconds())
    return replace(work, budget=Budget(seconds, started=0.0)), clock


def test_a_climb_that_keeps_its_budget_measures_chooses_and_fits(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, clock = budgeted(digits, tmp_path, monkeypatch, seconds=82.5, each_step=1.25)

    result = work.run(clock.watch)

    assert clock.now == 6 * 10 + 12.5  # the report has its 10 s
    assert [rung.seeds for rung in result.rungs] == [(0, 1, 2)] * 2
    assert (for_want_of_time(result), result.budget) == ([], 82.5)
    assert result.final is not None
    assert result.final.train_images == 200
    plain, shifted = result.rungs
    assert shifted.gain == compare(shifted.answers, plain.answers, comparisons=1, looks=1)
    assert json.loads((result.folder / "climb.json").read_text()) == result.to_dict()


def test_a_budget_that_ends_in_a_training_leaves_a_valid_result_that_tells_it(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A training of `10 s` takes 24: plain until 24, shifted is stopped after 37.5, the end less
    # the report's 10 s and 12.5 s of fitting; the fitting is stopped after 50.
    work, clock = budgeted(digits, tmp_path, monkeypatch, seconds=60, each_step=3)
    notices: list[str] = []

    def watch(event: Event) -> None:
        clock.watch(event)
        if isinstance(event, Notice):
            notices.append(event.text)

    result = work.run(watch)

    assert clock.now == 24 + 5 * 3 + 4 * 3
    assert [(rung.rung.name, rung.seeds) for rung in result.rungs] == [("plain", (0,))]
    assert result.left_out == (
        "shifted was not measured: one seed takes about 10s",
        "measured with fewer than 3 seeds: plain",
        "shifted with seed 0 was stopped in its training; a later climb goes on",
        "no time was left to fit plain to all images, seed 0 is taken",
    )
    assert notices[-1] == result.left_out[-1]
    assert result.final is not None
    assert (result.final.train_images, result.final.recipe.validation) == (160, 0.2)
    assert Predictor.load(result.final.model)
    assert result.rungs[0].test


def test_a_second_climb_with_the_same_budget_goes_on_where_the_first_was_stopped(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, clock = budgeted(digits, tmp_path, monkeypatch, seconds=60, each_step=3)
    work.run(clock.watch)
    told: list[ClimbEvent] = []

    def watch(event: Event) -> None:
        clock.watch(event)
        if isinstance(event, ClimbEvent) and event.progress:
            told.append(event)

    clock.now = 0.0
    result = work.run(watch)

    first = told[0].progress
    assert first is not None
    assert (told[0].rung, first.step) == ("shifted", 6)
    assert [len(rung.seeds) for rung in result.rungs] == [2, 1]
    assert result.rungs[1].gain is not None
    assert result.earlier_openings == 1


def test_a_budget_that_ends_in_the_first_training_is_an_error_that_loses_nothing(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, clock = budgeted(digits, tmp_path, monkeypatch, seconds=33, each_step=3)

    with pytest.raises(RunError, match="budget of 33s ended before anything was measured"):
        work.run(clock.watch)

    assert len(list(tmp_path.glob("digits/plain-*/seed-0/last.safetensors"))) == 1
    assert not (tmp_path / "ledger.jsonl").exists()


def test_a_budget_too_small_for_one_training_is_refused_before_anything_is_done(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, clock = budgeted(digits, tmp_path, monkeypatch, seconds=32, each_step=1)

    with pytest.raises(UsageError, match="too small: plain"):
        work.run(clock.watch)

    assert not list(tmp_path.iterdir())


def test_unknown_trainings_are_timed_and_those_on_file_are_not(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "probe", lambda job, seconds: 7.0)
    monkeypatch.setattr(climb_module, "Stopwatch", lambda on_processor: SimpleNamespace(slowness=1))
    _, result = finish(climb_of(digits, tmp_path, LADDER.only(["plain"])))
    work = climb_of(digits, tmp_path)

    timed = [event.rung for event in work.time() if isinstance(event, ClimbEvent)]

    assert timed == ["shifted"]  # whose nets the rungs above it share
    plain, shifted, *_ = LADDER.rungs
    assert work.pace.training(work.jobs(shifted, 1)[0]) == 7.0
    seconds = [runs[0].summary["seconds"] for runs in result.rungs[0].runs]
    assert work.pace.training(work.jobs(plain, 1)[0]) in seconds


class DearAugmentation(TenSeconds):
    """Takes trainings that augment for far longer than any budget here."""

    def training(self, job: Job) -> float:
        return 1000.0 if job.recipe.augment else 10.0


def test_a_rung_over_one_that_did_not_fit_is_compared_with_that_ones_base(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = Rung(recipe=replace(PLAIN, name="wide", batch_size=40), change="wide", base="shifted")
    ladder = replace(TWO_RUNGS, rungs=(*TWO_RUNGS.rungs, wide))
    work, clock = budgeted(digits, tmp_path, monkeypatch, seconds=82.5, each_step=0.5)

    result = replace(work, ladder=ladder, pace=DearAugmentation()).run(clock.watch)

    assert [(rung.rung.name, rung.rung.base) for rung in result.rungs] == [
        ("plain", None),
        ("wide", "plain"),
    ]
    assert result.rungs[1].verdict is not None
    assert for_want_of_time(result) == ["shifted was not measured: one seed takes about 16m40s"]


def test_a_collapsed_training_is_reported_by_the_climb_its_result_and_its_page(
    digits: Dataset, tmp_path: Path
) -> None:
    absurd = replace(PLAIN, optimizer=SGD(lr=1000.0), epochs=8)  # 64 steps: enough to judge
    ladder = replace(LADDER, rungs=(Rung(recipe=absurd, change="an absurd rate"),))
    events, result = finish(climb_of(digits, tmp_path, ladder))

    told = [one.doing for one in events if isinstance(one, ClimbEvent) and one.notable]
    assert len(told) == 2  # seeds
    assert all("no better than always answering one class" in one for one in told)
    assert len(result.collapsed) == 2
    assert result.collapsed[0].startswith("plain with seed 0: the net answers ")
    assert result.to_dict()["collapsed"] == list(result.collapsed)
    assert f"Collapsed: {result.collapsed[1]}." in repr(result)
    page = write_climb_report(result.folder, digits).read_text(encoding="utf-8")
    assert "A training collapsed: plain with seed 0" in page
