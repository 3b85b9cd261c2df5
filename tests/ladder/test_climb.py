"""A climb of four small rungs with two seeds."""

import contextlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.augment import Shift
from rungwise.augment.views import RandomCopies
from rungwise.data import Dataset
from rungwise.ladder import climb as climb_module
from rungwise.ladder import job as job_module
from rungwise.ladder.climb import Climb, ClimbEvent
from rungwise.ladder.result import ClimbResult
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import MLP
from rungwise.prediction.predictor import Predictor
from rungwise.training.recipe import Members, Recipe

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

    monkeypatch.setattr(climb_module.time, "sleep", let_the_other_finish)
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
