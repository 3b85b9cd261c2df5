"""A finished run: a folder that others can trust."""

import contextlib
import json
import shutil
from pathlib import Path

import pytest

from rungwise.errors import RunError
from rungwise.ladder.job import Job
from rungwise.ladder.run import CHECKED_FILES, Run, Summary, open_run, slug


def train(job: Job) -> Run:
    for _ in job.train():
        pass
    return open_run(job.folder)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist@100", "mnist@100"),
        ("./my photos", "my-photos"),
        ("/data/photos.npz", "photos.npz"),
        ("../..", "data"),
        ("/", "data"),
        ("写真", "写真"),
    ],
)
def test_a_data_set_names_one_folder_inside_the_root(name: str, folder: str) -> None:
    assert slug(name) == folder


def test_the_folder_of_all_runs_is_known_where_the_run_lies_as_it_was_stored(job: Job) -> None:
    assert train(job).root == job.root


@pytest.mark.parametrize(
    "place", ["model", "srv/model/seed-0", "photos/tiny-{key}/seed-0", "digits/tiny/seed-0"]
)
def test_a_run_that_was_copied_elsewhere_has_no_folder_of_all_runs(
    job: Job, tmp_path: Path, place: str
) -> None:
    copy = shutil.copytree(train(job).path, tmp_path / place.format(key=job.key))

    assert open_run(copy).root is None


def test_the_root_of_the_file_system_is_no_folder_of_all_runs() -> None:
    summary = {"data": "digits", "key": "0123456789", "seed": "0"}

    assert Run(Path("/digits/tiny-0123456789/seed-0"), summary).root is None
    assert Run(Path("/model"), summary).root is None
    assert Run(Path("/"), summary).root is None
    assert Run(Path("/runs/digits/tiny-0123456789/seed-0"), summary).root == Path("/runs")


# --- trust


@pytest.mark.parametrize("name", CHECKED_FILES)
def test_an_altered_file_is_noticed(job: Job, name: str) -> None:
    path = train(job).path / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    with pytest.raises(RunError, match=rf"{name} is damaged: it was altered"):
        job.finished()


@pytest.mark.parametrize("name", CHECKED_FILES)
def test_a_missing_file_is_noticed(job: Job, name: str) -> None:
    (train(job).path / name).unlink()

    with pytest.raises(RunError, match=rf"{name} is damaged: the file is missing"):
        job.finished()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": []}', '"files"', "\ud800"])
def test_a_summary_that_is_none_is_noticed(job: Job, text: str) -> None:
    path = train(job).path / "summary.json"
    path.write_bytes(text.encode(errors="surrogatepass"))

    with pytest.raises(RunError, match="it is not a run's summary"):
        open_run(path.parent)


@pytest.mark.parametrize("figure", sorted(Summary.__required_keys__))
def test_a_summary_without_a_figure_is_noticed(job: Job, figure: str) -> None:
    run = train(job)
    rest = {key: value for key, value in run.summary.items() if key != figure}
    (run.path / "summary.json").write_text(json.dumps(rest))

    with pytest.raises(RunError, match=f"it is not a run's summary: {figure} is missing"):
        open_run(run.path)


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("data", ["digits"]),
        ("image_size", "32"),
        ("seed", "first"),
        ("seed", 0),
        ("validation", "train"),
        ("val_accuracy", 98.5),
        ("val_accuracy", "0.985"),
        ("epochs", True),
        ("seconds", float("nan")),
        ("files", {"recipe.yaml": None}),
    ],
)
def test_a_figure_of_another_type_or_range_is_noticed(job: Job, figure: str, value: object) -> None:
    run = train(job)
    (run.path / "summary.json").write_text(json.dumps({**run.summary, figure: value}))

    with pytest.raises(RunError, match="it is not a run's summary"):
        open_run(run.path)


def test_a_summary_that_is_nested_without_end_is_noticed(job: Job) -> None:
    run = train(job)
    (run.path / "summary.json").write_text('{"data": ' * 100_000)

    with pytest.raises(RunError, match="nested more than 64 deep"):
        open_run(run.path)


def test_a_folder_that_is_no_run_and_an_unfinished_one_are_told_apart(
    job: Job, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=f"{tmp_path} is no run"):
        open_run(tmp_path)
    with pytest.raises(RunError, match="missing does not exist"):
        open_run(tmp_path / "missing")
    with contextlib.closing(job.train()) as training:
        next(training)
    with pytest.raises(RunError, match="is an unfinished run") as caught:
        open_run(job.folder)
    assert "--resume" in str(caught.value)


def test_a_place_that_may_not_be_looked_at_is_told(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(RunError, match="cannot be read: Permission denied"):
        job.finished()
    monkeypatch.undo()
    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(RunError, match="cannot be read: Permission denied"):
        open_run(job.folder)
