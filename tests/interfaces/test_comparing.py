"""Comparing finished runs: paired, sealed, without training, and refused where it would mislead."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from rungwise import Ladder, Rung, climb, compare
from rungwise.data import load
from rungwise.errors import DamagedError, RunError, UsageError
from rungwise.interfaces import comparing
from rungwise.ladder.job import Job, make_job
from rungwise.storage import sha256
from rungwise.training.parsing import load_recipe
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

Find = Callable[[str], Path]


@pytest.fixture(scope="session")
def stored_once(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a few runs and return their folder: `tiny` 0, 1, 0.1; `slow` 0, 1; others once."""
    root = tmp_path_factory.mktemp("stored") / "runs"
    shutil.copytree(trained_once, root)
    tiny = replace(load_recipe(trained_once.parent / "tiny.yaml"), epochs=1)
    tiny2 = load_recipe(trained_once.parent / "tiny.yaml")
    jobs: list[tuple[Recipe, str]] = [
        *((tiny2, "1"), (tiny2, "0.1")),
        *((replace(tiny, name="slow"), "0"), (replace(tiny, name="slow"), "1")),
        (replace(tiny, name="large-share", validation=0.2), "0"),
        (replace(tiny, name="all-images", validation=0.0), "0"),
        (replace(tiny, name="on-test", validation="test"), "0"),
    ]
    for recipe, seed in jobs:
        job = make_job(recipe, load("digits"), Seed.parse(seed), root, torch.device("cpu"))
        for _ in job.train():
            pass
    return root


@pytest.fixture
def find(stored_once: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> Find:
    """Return a function that finds a run by `NAME/SEED` in a copy; no page is drawn."""
    shutil.copytree(stored_once, here / "runs")
    monkeypatch.setattr(comparing, "write_climb_report", lambda *_: None)

    def fail(self: Job) -> NoReturn:
        pytest.fail(f"{self.recipe.name} is trained")

    monkeypatch.setattr(Job, "train", fail)

    def one(name: str) -> Path:
        recipe, seed = name.split("/")
        [path] = Path("runs/digits").glob(f"{recipe}-??????????/seed-{seed}")
        return path

    return one


def val_accuracy(run: Path) -> float:
    return float(json.loads((run / "summary.json").read_text())["val_accuracy"])


def refused(runs: list[Path], kind: type[Exception], *words: str) -> None:
    with pytest.raises(kind) as caught:
        compare(runs)
    assert type(caught.value) is kind
    for word in (*words, "expected: ", "fix: "):
        assert word in str(caught.value)
    assert not Path("runs/climbs").exists()


def test_gains_are_paired_over_the_seeds_and_the_test_set_stays_sealed(find: Find) -> None:
    tiny, slow = [find("tiny/0"), find("tiny/1")], [find("slow/1"), find("slow/0")]

    result = compare([*slow, *tiny])

    first, second = result.rungs
    assert (first.rung.name, second.rung.name, second.rung.base) == ("slow", "tiny", "slow")
    assert second.rung.change == "other epochs"
    differences = [val_accuracy(a) - val_accuracy(b) for a, b in zip(tiny, slow[::-1], strict=True)]
    assert second.gain is not None
    assert second.gain.values == pytest.approx(differences)
    assert first.test == second.test == ()
    assert "No test images were looked at" in repr(result)
    assert not Path("runs/ledger.jsonl").exists()


def test_runs_that_have_no_partner_are_named(find: Find) -> None:
    result = compare([find("tiny/0"), find("tiny/1"), find("tiny/0.1"), str(find("slow/0"))])

    assert result.seeds == (0,)
    other_seed, member = result.left_out
    assert str(find("tiny/1")) in other_seed
    assert "seed 1" in other_seed
    assert "ensemble's member" in member


def test_two_recipes_of_one_name_are_kept_apart(find: Find) -> None:
    slow = find("slow/0")
    text = (slow / "recipe.yaml").read_text().replace("name: slow", "name: tiny")
    (slow / "recipe.yaml").write_text(text)
    summary = json.loads((slow / "summary.json").read_text())
    summary["files"]["recipe.yaml"] = sha256(slow / "recipe.yaml")
    (slow / "summary.json").write_text(json.dumps(summary))

    result = compare([find("tiny/0"), slow])

    assert [one.rung.name for one in result.rungs] == ["tiny", f"tiny-{summary['key']}"]


def test_one_recipe_or_none_is_nothing_to_compare(find: Find) -> None:
    refused([], UsageError, "no run is given")
    refused([find("tiny/0")], UsageError, "all runs are of one recipe")
    refused([find("tiny/0"), find("tiny/1")], UsageError, "all runs are of one recipe")


def test_runs_without_a_common_seed_are_told_with_their_seeds(find: Find) -> None:
    refused([find("tiny/1"), find("slow/0")], UsageError, "no seed in common", "slow", "has 0")
    refused([find("tiny/0.1"), find("slow/0")], UsageError, "no seed in common", "has 0.1")


def test_runs_without_equal_validation_images_are_refused(find: Find) -> None:
    refused([find("tiny/0"), find("all-images/0")], UsageError, "held no validation images out")
    refused([find("tiny/0"), find("on-test/0")], UsageError, "held no validation images out")
    refused([find("tiny/0"), find("large-share/0")], UsageError, "0.1, 0.2")


def test_runs_of_different_places_or_data_are_refused(find: Find) -> None:
    shutil.copytree("runs", "others")
    elsewhere = Path("others") / find("slow/0").relative_to("runs")
    refused([find("tiny/0"), elsewhere], UsageError, "folder of runs", "others")
    change_summary(find("slow/0"), data="mnist")
    refused([find("tiny/0"), find("slow/0")], UsageError, "data set: digits, mnist")


def change_summary(run: Path, **values: str) -> None:
    path = run / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_run_of_another_version_is_named_with_the_command_that_trains_it(find: Find) -> None:
    change_summary(find("slow/0"), key="0123456789")

    command = f"rungwise train digits --recipe {find('slow/0')}/recipe.yaml --seed 0"
    refused([find("tiny/0"), find("slow/0")], RunError, "by another version", command)


def test_a_run_on_other_images_is_refused(find: Find) -> None:
    change_summary(find("slow/0"), fingerprint="0" * 16)

    refused([find("tiny/0"), find("slow/0")], RunError, "other images than digits holds now")


def test_a_run_that_was_moved_is_not_trained_anew(find: Find) -> None:
    moved = find("slow/0").rename("runs/digits/slow-moved")
    moved.rename(find("tiny/0").parent / "seed-5")

    refused([find("tiny/0"), find("tiny/0").parent / "seed-5"], RunError, "is not at")


def test_what_is_no_finished_run_is_told(find: Find) -> None:
    refused([find("tiny/0"), Path("gone")], RunError, "gone does not exist")
    refused([find("tiny/0"), find("tiny/0").parent], RunError, "is no run")
    (find("slow/0") / "summary.json").unlink()
    refused([find("tiny/0"), find("slow/0")], RunError, "an unfinished run")
    (find("slow/1") / "model.safetensors").write_bytes(b"x")
    refused([find("tiny/1"), find("slow/1")], DamagedError, "altered after the training")


# --- sizes of images


@pytest.fixture
def sized(photos: Path) -> dict[int | None, Path]:
    """Return runs on one folder at 8 (its own size), 8 and 16 pixels."""
    recipe = replace(load_recipe(Path("tiny.yaml")), epochs=1, validation=0.25)
    found: dict[int | None, Path] = {}
    for size in (None, 8, 16):
        data = load("photos", image_size=size)
        job = make_job(recipe, data, Seed(0), Path("runs"), torch.device("cpu"))
        if not job.is_finished():
            for _ in job.train():
                pass
        found[size] = job.folder
    return found


def test_runs_at_two_sizes_are_paired_image_by_image(sized: dict[int | None, Path]) -> None:
    assert sized[None] == sized[8]  # the pixels are the same

    for base, other in ((8, 16), (16, 8)):
        result = compare([sized[base], sized[other]])

        first, second = result.rungs
        assert second.rung.change == f"other image size ({other}x{other})"
        assert second.gain is not None
        assert second.gain.mean == val_accuracy(sized[other]) - val_accuracy(sized[base])
        identities = [rung.validation[0].answers.images.tolist() for rung in (first, second)]
        assert identities[0] == identities[1]
        assert result.report.is_file()


def test_a_rung_may_name_a_size_of_images(photos: Path) -> None:
    recipe = replace(load_recipe(Path("tiny.yaml")), epochs=1, validation=0.25)
    larger = replace(recipe, name="larger")
    rungs = (
        Rung(recipe=recipe, change="8 pixels"),
        Rung(recipe=larger, change="16 pixels", base="tiny", image_size=(16, 16)),
    )
    ladder = Ladder(name="sizes", data="photos", title="Sizes", rungs=rungs)

    result = climb(ladder, seeds=1, fit=True, test_share=0.5)

    runs = [rung.runs[0][0] for rung in result.rungs]
    assert [run.summary["image_size"] for run in runs] == [None, [16, 16]]
    assert all(len(rung.test) == 1 for rung in result.rungs)
    openings = Path("runs/ledger.jsonl").read_text().splitlines()
    assert len({json.loads(line)["test"] for line in openings}) == 1  # one test set
    with pytest.raises(UsageError, match="the data set is loaded"):
        climb(ladder, data=load("photos"))
    with pytest.raises(UsageError, match="cannot move"):
        climb(ladder, reading="add-one")


def test_images_that_changed_between_two_sizes_are_noticed(sized: dict[int | None, Path]) -> None:
    shutil.copy("photos/cat/0.png", "photos/cat/7.png")

    refused([sized[8], sized[16]], RunError, "was trained on other images")
