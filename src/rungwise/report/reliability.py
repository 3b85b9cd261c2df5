"""The reliability diagram: whether answers given with 90% probability are right 90% of the time.

Source: Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rungwise.report.canvas import new_figure, save

BINS = 15
"""As in the calibration error."""


@dataclass(frozen=True)
class Bin:
    """The answers whose probability lies from `low` to below `high`.

    Args:
        low: Lower end, 0..1.
        high: Upper end.
        images: Number of answers.
        confidence: Mean probability of these answers.
        accuracy: Share of them that is right.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


def reliability_bins(
    probabilities: torch.Tensor, labels: torch.Tensor, bins: int = BINS
) -> list[Bin]:
    """Return the bins that hold any answer.

    Args:
        probabilities: (N, K) float.
        labels: (N,) int64.
        bins: Number of equal intervals of the confidence.
    """
    confidence, answers = probabilities.double().max(1)
    right = (answers == labels).double()
    places = (confidence * bins).long().clamp_max(bins - 1)
    return [
        Bin(
            place / bins,
            (place + 1) / bins,
            int(inside.sum()),
            confidence[inside].mean().item(),
            right[inside].mean().item(),
        )
        for place in range(bins)
        if (inside := places == place).any()
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the mean gap between confidence and accuracy, weighted by the answers in each bin."""
    gaps = sum(one.images * abs(one.confidence - one.accuracy) for one in bins)
    return gaps / sum(one.images for one in bins)


def reliability(bins: Sequence[Bin], path: Path) -> Path:
    """Draw accuracy over confidence, and below it how many answers each bin holds.

    Args:
        bins: At least one.
        path: Ends in .png or .svg.
    """
    figure = new_figure(5.2, 5.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    lows, widths = [one.low for one in bins], [one.high - one.low for one in bins]
    bars = {"align": "edge", "edgecolor": "white"}
    above.bar(lows, [one.accuracy for one in bins], widths, color="#7aa6d6", **bars)
    above.plot([0, 1], [0, 1], color="#555555", linestyle="--", linewidth=1, label="calibrated")
    above.plot(
        [one.confidence for one in bins],
        [one.accuracy for one in bins],
        "o-",
        color="#1f4e86",
        markersize=4,
        label="mean of a bin",
    )
    above.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    above.legend(frameon=False, loc="upper left")
    below.bar(lows, [one.images for one in bins], widths, color="#a9b1ba", **bars)
    below.set(ylabel="answers", xlabel="probability of the answer", yscale="log")
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
    return save(figure, path)
