"""What lies on disk is told as it is, and only a run's folder is ever removed."""

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rungwise.errors import BusyError, RunError
from rungwise.ladder.job import Job
from rungwise.ladder.store import copied_runs, remove, stored_run, stored_runs
from rungwise.training.seed import Seed


def train(job: Job) -> Path:
    for _ in job.train():
        pass
    return job.folder


def interrupt(job: Job, epoch: int) -> Path:
    """Stop in the first step of an epoch."""
    with contextlib.closing(job.train()) as training:
        for progress in training:
            if progress.epoch == epoch:
                break
    return job.folder


def spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


# --- what lies there


def test_runs_are_found_by_data_recipe_and_seed(job: Job) -> None:
    first = train(job)
    for seed in (Seed(10), Seed(2), Seed(0, 1)):
        shutil.copytree(first, first.with_name(f"seed-{seed}"))
    other = job.root / "mnist@10" / "dense-0123456789" / "seed-3"
    shutil.copytree(first, other)

    runs = stored_runs(job.root)

    key = first.parent.name.removeprefix("tiny-")
    assert [(run.data, run.recipe, run.key, str(run.seed)) for run in runs] == [
        *(("digits", "tiny", key, seed) for seed in ("0", "0.1", "2", "10")),
        ("mnist@10", "dense", "0123456789", "3"),
    ]
    assert runs[0].path == first
    assert runs[-1].path == other


def test_a_finished_run_tells_its_figures_and_size(job: Job) -> None:
    folder = train(job)
    (folder / "figures").mkdir()
    (folder / "figures" / "curves.png").write_bytes(bytes(1000))
    summary = json.loads((folder / "summary.json").read_text())

    [run] = stored_runs(job.root)

    state = run.state
    assert (state.status, state.problem, state.epochs) == ("finished", None, 3)
    assert (state.val_accuracy, state.seconds) == (summary["val_accuracy"], summary["seconds"])
    assert state.size == 1000 + sum(p.stat().st_size for p in folder.iterdir() if p.is_file())


def test_an_unfinished_run_tells_the_epochs_it_has_behind_it(job: Job) -> None:
    interrupt(job, epoch=3)

    [run] = stored_runs(job.root)

    assert (run.state.status, run.state.epochs, run.state.val_accuracy) == ("unfinished", 2, None)
    assert run.state.seconds is not None


@pytest.mark.parametrize("text", ["", "epoch\n1\n", "epoch,seconds\n1,nan\n", "epoch,seconds\nx,1"])
def test_metrics_that_tell_nothing_leave_a_gap(job: Job, text: str) -> None:
    (interrupt(job, epoch=2) / "metrics.csv").write_text(text)

    [run] = stored_runs(job.root)

    assert (run.state.status, run.state.epochs, run.state.seconds) == ("unfinished", None, None)


def test_an_altered_run_is_damaged_and_its_figures_are_not_told(job: Job) -> None:
    spoil(train(job) / "model.safetensors")

    [run] = stored_runs(job.root)

    assert (run.state.status, run.state.val_accuracy) == ("damaged", None)
    assert "model.safetensors is damaged: it was altered" in str(run.state.problem)


@pytest.mark.parametrize("value", ["high", [1], float("nan")])
def test_a_figure_that_is_no_number_is_damage(job: Job, value: object) -> None:
    path = train(job) / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"val_accuracy": value}))

    [run] = stored_runs(job.root)

    assert run.state.status == "damaged"
    assert "it is not a run's summary" in str(run.state.problem)


def test_what_was_set_aside_is_told_apart_from_the_run_that_replaced_it(job: Job) -> None:
    train(job)
    aside = job.set_aside()
    again = train(job)

    assert [(run.path, run.state.status, run.seed) for run in stored_runs(job.root)] == [
        (again, "finished", Seed(0)),
        (aside, "aside", Seed(0)),
    ]


def test_a_folder_that_may_not_be_read_is_listed_as_damaged(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(job)

    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_file", refuse)
    [run] = stored_runs(job.root)

    assert run.state.status == "damaged"
    assert "cannot be read: Permission denied" in str(run.state.problem)


@pytest.mark.parametrize(
    "place",
    [
        "climbs/digits-digits-sealed-0123ab/seed-0",
        "digits/predictions/seed-0",
        "digits/tiny-0123456789/seed-x",
        "digits/tiny-0123456789/seed-01",
        "digits/tiny-0123456789/seed-0.damaged-",
        "digits/tiny-0123456789/figures",
        "my data/tiny-0123456789/seed-0",
        ".locks/tiny-0123456789/seed-0",
        "digits/tiny-0123456789/seed-0/seed-0",
    ],
)
def test_a_folder_elsewhere_is_no_run_whatever_it_holds(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").touch()

    assert stored_runs(tmp_path) == []
    with pytest.raises(RunError, match="is no run"):
        stored_run(folder)


def test_a_folder_that_is_only_named_like_a_run_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "digits" / "tiny-0123456789" / "seed-0"
    folder.mkdir(parents=True)
    (folder / "thesis.tex").touch()

    assert stored_runs(tmp_path) == []
    with pytest.raises(RunError, match="is no run"):
        stored_run(folder)


@pytest.mark.parametrize("path", ["/", "/tmp", ".", "..", "gone", "gone/tiny-0123456789/seed-0"])
def test_paths_that_lead_to_no_run_are_refused(path: str) -> None:
    with pytest.raises(RunError, match=r"is no run|does not exist"):
        stored_run(Path(path))


def test_a_place_that_is_not_there_or_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="gone does not exist"):
        stored_runs(tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file is no folder"):
        stored_runs(tmp_path / "file")


# --- copies


def test_a_run_that_was_copied_to_another_place_is_found_there(job: Job, tmp_path: Path) -> None:
    folder, place = train(job), tmp_path / "models"
    shutil.copytree(folder, place / "best")
    (place / "other").mkdir()
    spoiled = shutil.copytree(folder, place / "spoiled")
    (spoiled / "summary.json").write_text("{}")

    assert stored_runs(place) == []
    [above], [itself] = copied_runs(place), copied_runs(place / "best")

    assert above == itself
    assert (above.path, above.data, above.recipe) == (place / "best", "digits", "tiny")
    assert (above.key, above.seed, above.state.status) == (job.key, Seed(0), "finished")
    assert copied_runs(job.root) == []


# --- links


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_what_a_link_leads_to_is_neither_listed_nor_removed(
    job: Job, tmp_path: Path, depth: int
) -> None:
    folder = train(job)
    place = tmp_path / "place"
    linked = place.joinpath(*folder.parts[-3:])
    part = (linked, *linked.parents)[3 - depth]
    part.parent.mkdir(parents=True)
    part.symlink_to((folder, *folder.parents)[3 - depth])

    assert stored_runs(place) == []
    with pytest.raises(RunError, match="leads through a link"):
        stored_run(linked)


def test_the_place_itself_may_be_a_link(job: Job, tmp_path: Path) -> None:
    folder = train(job)
    (tmp_path / "link").symlink_to(job.root)

    [run] = stored_runs(tmp_path / "link")
    remove(stored_run(run.path))

    assert not folder.exists()


def test_removing_a_run_leaves_what_its_links_lead_to(job: Job, tmp_path: Path) -> None:
    folder = train(job)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").touch()
    (folder / "link").symlink_to(tmp_path / "precious")

    remove(stored_run(folder))

    assert not folder.exists()
    assert (tmp_path / "precious" / "thesis.tex").exists()


# --- removal


def test_a_removed_run_leaves_its_neighbours_and_no_empty_folder(job: Job) -> None:
    first = train(job)
    second = train(replace(job, seed=Seed(1)))

    remove(stored_run(first))
    assert not first.exists()
    assert job.finished() is None
    assert stored_run(second).state.status == "finished"

    (job.root / "digits" / "predictions").mkdir()
    remove(stored_run(second))
    assert [path.name for path in (job.root / "digits").iterdir()] == ["predictions"]


def test_the_last_run_takes_the_folder_of_its_data_along(job: Job) -> None:
    remove(stored_run(train(job)))

    assert stored_runs(job.root) == []
    assert not (job.root / "digits").exists()


def test_a_run_that_is_being_trained_is_left_alone(job: Job) -> None:
    folder = interrupt(job, epoch=2)

    with job.alone(), pytest.raises(BusyError, match="another process is training"):
        remove(stored_run(folder))

    assert job.is_started()
    remove(stored_run(folder))
    assert not folder.exists()


def test_what_was_set_aside_may_be_removed_while_its_run_is_trained(job: Job) -> None:
    train(job)
    aside = job.set_aside()
    again = train(job)

    with job.alone():
        remove(stored_run(aside))

    assert [run.path for run in stored_runs(job.root)] == [again]


def test_a_run_that_went_on_since_it_was_looked_at_is_left_alone(job: Job) -> None:
    folder = interrupt(job, epoch=2)
    run = stored_run(folder)
    assert run.state.status == "unfinished"
    train(job)

    with pytest.raises(RunError, match="has changed since it was looked at"):
        remove(run)

    assert job.finished() is not None


def test_a_run_that_is_gone_meanwhile_is_told(job: Job) -> None:
    run = stored_run(train(job))
    assert run.state.status == "finished"
    shutil.rmtree(run.path)

    with pytest.raises(RunError, match="has changed since it was looked at"):
        remove(run)
