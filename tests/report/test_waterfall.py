"""The waterfall's numbers and its picture."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rungwise.report.waterfall import Step, steps, waterfall


def test_a_bar_goes_from_its_bases_accuracy_to_its_own(records_of: Any, rung: Any) -> None:
    records = records_of(
        rung("plain", 0.9),
        rung("control", 0.92, "plain", gain=0.02, interval=[-0.01, 0.05], control=True),
        rung("worse", 0.85, "plain", gain=-0.05, interval=[-0.07, -0.03], verdict="drop"),
    )

    start, control, worse = steps(records)

    assert start == Step("plain", 0.9)
    assert (control.start, control.end, control.base) == (0.9, 0.92, 0)
    assert control.interval == pytest.approx((0.89, 0.95))
    assert (control.control, control.verdict) == (True, "")
    assert (worse.start, worse.end, worse.verdict) == (0.9, 0.85, "drop")
    assert worse.interval == pytest.approx((0.83, 0.87))


def test_a_data_set_without_validation_images_is_drawn_by_its_test_images(
    records_of: Any, rung: Any
) -> None:
    one = {**rung("plain", 0.9), "val_accuracy": None}
    one["test_accuracy"]["mean"] = 0.8

    assert steps(records_of(one)) == [Step("plain", 0.8)]


def test_a_bar_is_as_long_as_the_gain_over_the_rungs_own_seeds(records_of: Any, rung: Any) -> None:
    base = rung("base", 0.8, seeds=[0, 1, 2])
    base["val_accuracy"] = {"mean": 0.8, "std": 0.1, "values": [0.7, 0.8, 0.9]}
    few = rung("few", 0.85, "base", gain=0.1, interval=[0.0, 0.2], verdict="unclear")

    _, bar = steps(records_of(base, few, seeds=[0, 1, 2]))

    assert bar.start == pytest.approx(0.75)  # Mean of 0.7 and 0.8, not of all three.
    assert bar.end - (bar.start or 0) == pytest.approx(few["gain"])
    assert bar.interval == pytest.approx((0.75, 0.95))


def test_what_is_left_out_is_drawn_from_without_up_to_the_top(records_of: Any, rung: Any) -> None:
    without = rung("without-a", 0.8, "top", gain=0.1, interval=[0.05, 0.15], left_out=True)

    _, bar = steps(records_of(rung("top", 0.9), without, reading="leave-one-out"))

    assert bar.left_out
    assert (bar.start, bar.end) == (0.9, 0.8)
    assert bar.interval == pytest.approx((0.75, 0.85))  # 0.15 and 0.05 below the top.


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_controls_and_every_verdict_are_drawn(tmp_path: Path, suffix: str) -> None:
    bars = [
        Step("start_1", 0.5),
        Step("kept", 0.6, 0.5, 0, (0.55, 0.65), verdict="keep"),
        Step("control", 0.6, 0.6, 1, (0.5, 0.7), control=True, verdict="unclear"),
        Step("dropped", 0.55, 0.6, 1, verdict="drop"),
    ]

    path = waterfall(bars, "accuracy", tmp_path / f"waterfall.{suffix}")

    if suffix == "png":
        with Image.open(path) as image:
            assert image.width > 600
    else:
        assert path.read_text().rstrip().endswith("</svg>")


def test_a_single_perfect_rung_is_drawn(tmp_path: Path) -> None:
    assert waterfall([Step("only", 1.0)], "accuracy", tmp_path / "one.png").is_file()
