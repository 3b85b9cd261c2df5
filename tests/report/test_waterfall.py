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
