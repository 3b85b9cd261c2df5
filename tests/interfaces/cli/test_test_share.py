"""Data without a test part: a share of them is set aside, sealed, and found again."""

import json
from pathlib import Path
from typing import Any

import pytest

TINY = ("--recipe", "tiny.yaml", "--set", "validation=0.25")
SHARE = ("--test-share", "0.5")


@pytest.fixture
def trained(rungwise: Any, photos: Path) -> Path:
    """Train on half of twelve images, of which another quarter is held out."""
    done = rungwise("train", photos, *TINY, *SHARE)
    assert "test set             sealed; evaluating opens it" in done.out
    return next(Path("runs").glob("photos/*/seed-0"))


def summary(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return found


def test_a_run_remembers_its_test_share_and_evaluate_opens_that_part(
    rungwise: Any, trained: Path, photos: Path
) -> None:
    assert summary(trained)["images"] == {"train": 4, "validation": 2, "test": 6}
    assert summary(trained)["test_share"] == 0.5
    assert not Path("runs/ledger.jsonl").exists()

    own = rungwise("evaluate", trained)
    named = rungwise("evaluate", trained, photos)
    by_file = rungwise("evaluate", trained / "model.safetensors", photos)

    for found in (own, named, by_file):
        assert found.code == 0
        assert "(6 test images)" in found.out
    assert len(Path("runs/ledger.jsonl").read_text().splitlines()) == 3


def test_another_share_is_another_run_and_none_offers_one(
    rungwise: Any, trained: Path, photos: Path
) -> None:
    whole = rungwise("train", photos, *TINY)

    assert "none in these data; --test-share 0.2 sets a part of them aside" in whole.out
    assert len(list(Path("runs").glob("photos/*/seed-0"))) == 2
    other = next(run for run in Path("runs").glob("photos/*/seed-0") if run != trained)
    rungwise("evaluate", other).fails(3, "photos has no test part", "--test-share 0.2")


def test_a_climb_opens_the_part_that_it_set_aside(rungwise: Any, photos: Path) -> None:
    words = ("climb", "digits", "--data", photos, "--rungs", "dense", "--seeds", "1")
    short = ("--epochs", "1", "--json")

    with_test = rungwise(*words, *short, *SHARE)
    without = rungwise(*words, *short)

    assert with_test.json["rungs"][0]["test_accuracy"]["values"]
    assert "no test part" not in with_test.err
    assert not without.json["rungs"][0]["test_accuracy"]
    assert "note: " in without.err
    assert "--test-share 0.2 sets a test part aside" in without.err
    folder = Path(with_test.json["report"]).parent
    climb = json.loads((folder / "circumstances.json").read_text())
    assert climb["dataset"]["test_share"] == 0.5
    assert "--test-share 0.5" in climb["command"]
    assert rungwise("report", folder).code == 0


def test_data_are_checked_and_shown_as_they_are_divided(rungwise: Any, photos: Path) -> None:
    checked = rungwise("data", "check", photos, *SHARE, "--json")
    shown = rungwise("data", "show", photos, *SHARE, "--part", "test", "--to", "test.png")

    assert checked.json["counts"] == {part: {"cat": 3, "dog": 3} for part in ("train", "test")}
    assert (shown.code, Path("test.png").is_file()) == (0, True)
    rungwise("data", "show", photos, "--part", "test").fails(3, "no test part", "--test-share 0.2")


def test_a_test_share_of_data_with_a_test_part_is_refused(rungwise: Any, here: Path) -> None:
    rungwise("train", "digits", "--test-share", "0.2").fails(2, "has no effect on digits")
