"""What a rung is worth: its paired gain, with an interval that covers both seeds and images.

A climb sees a rung through two windows of finite size: a few seeds, and the images that it is
evaluated on. Both move the measured gain. With D[s, i] the difference of two rungs (right is 1,
wrong is 0) with seed s on image i, and g[s] its mean over the images of seed s,

    gain     = mean of g over the S seeds
    variance = (variance of g between the seeds) / S  +  mean covariance of g[s] and g[t]

The first term holds the seeds' noise and the noise of images that a seed has for itself. The
second is there when seeds share images, as all of them do on a test set: more seeds do not make it
smaller. It is estimated as the mean product of D[s, i] and D[t, i] on shared images less that on
different ones. The first term is known from S - 1 degrees of freedom alone, the second well, so

    half of the interval = sqrt(t² · first term + z² · second term)

with t and z the quantiles of Student's distribution with S - 1 degrees of freedom and of the normal
one. Source: Graybill & Wang 1980, "Confidence intervals on nonnegative linear combinations of
variances". benchmarks/verdicts.py measures how often the interval holds the truth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
MOST_SEEDS = 1000
LEAST_P_VALUE = 1e-12

Verdict = Literal["keep", "drop", "unclear"]


@dataclass(frozen=True, eq=False)
class Answers:
    """Which images a predictor got right with one seed.

    Args:
        images: (N,) identities of the images, equal for the same image with another seed.
        right: (N,) bool.
    """

    images: npt.NDArray[np.int64]
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Gain:
    """A paired gain in accuracy.

    Args:
        mean: Mean over the seeds, in -1..1.
        values: The gain with each seed.
        interval: 95% interval, or wider where looks are spent; None with a single seed.
        seed_deviation: Standard deviation of `mean` that the seeds bring; None with a single seed.
        image_deviation: Standard deviation of `mean` that the finite number of images brings.
        p_value: Two-sided, of no gain, corrected for looks; 1 with a single seed.
        further_seeds: Seeds that would be needed on top to tell a gain of this size from none, for
            as many comparisons as there are: 0 if it can be told already, None if no number of
            seeds would do.
    """

    mean: float
    values: tuple[float, ...]
    interval: tuple[float, float] | None
    seed_deviation: float | None
    image_deviation: float
    p_value: float
    further_seeds: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; the interval stands beside the gain."""
        return {
            "mean": self.mean,
            "values": list(self.values),
            "seed_deviation": self.seed_deviation,
            "image_deviation": self.image_deviation,
            "p_value": self.p_value,
            "further_seeds": self.further_seeds,
        }


def compare(
    answers: Sequence[Answers], base: Sequence[Answers], comparisons: int = 1, looks: int = 0
) -> Gain:
    """Return the gain of a rung over its base.

    Who looks at a verdict to decide whether to measure on has several chances to be wrong. So the
    chance of error is spent: of the 5% the first look gets a half, the second a quarter, and so
    on, which is never more than 5% in all. Source: Bonferroni's inequality; on spending, Lan &
    DeMets 1983, "Discrete sequential boundaries for clinical trials".

    Args:
        answers: The rung's answers, one item for each seed.
        base: The base's, with the same seeds on the same images.
        comparisons: Number of gains that the ladder compares; more of them need more seeds.
        looks: Which look this is, from 1, where looks decide about further seeds; 0 where the
            number of seeds was fixed beforehand.
    """
    share = 2.0**-looks
    differences = [a.right.astype(np.float64) - b.right for a, b in zip(answers, base, strict=True)]
    values = np.array([difference.mean() for difference in differences])
    seeds, mean = len(values), float(values.mean())
    shared = shared_covariance([a.images for a in answers], differences)
    own = float(np.mean([difference.var() / len(difference) for difference in differences]))
    images = max(shared, shared + (own - shared) / seeds)
    if seeds == 1:
        return Gain(mean, (mean,), None, None, math.sqrt(own), 1.0, None)
    # Gains come in steps of one image: two that are equal by luck are not equal for certain.
    step = 1 / min(len(difference) for difference in differences)
    between = max(float(values.var(ddof=1)), step**2 / 12)
    half = _half_width(share * (1 - LEVEL), between, shared, seeds)
    return Gain(
        mean=mean,
        values=tuple(values.tolist()),
        interval=(mean - half, mean + half),
        seed_deviation=math.sqrt(max(0.0, between / seeds + shared - images)),
        image_deviation=math.sqrt(images),
        p_value=min(1.0, _p_value(mean, between, shared, seeds) / share),
        further_seeds=_further_seeds(mean, between, shared, seeds, share / comparisons, looks > 0),
    )


def shared_covariance(
    images: Sequence[npt.NDArray[np.int64]], differences: Sequence[npt.NDArray[np.float64]]
) -> float:
    """Return the mean covariance, at least 0, of two seeds' gains that shared images bring.

    Args:
        images: For each seed the identities (N,) of its images.
        differences: For each seed D[s] (N,), the differences on them.
    """
    _, places = np.unique(np.concatenate(images), return_inverse=True)
    joined = np.concatenate(differences)
    sums = np.array([difference.sum() for difference in differences])
    counts = np.array([len(difference) for difference in differences], dtype=np.float64)
    # Pairs of observations with different seeds: on the same image, and on any two images.
    pairs_same = float((np.bincount(places) ** 2).sum() - len(joined))
    pairs_any = float(counts.sum() ** 2 - (counts**2).sum())
    if pairs_same == 0 or pairs_same == pairs_any:
        return 0.0
    same = float((np.bincount(places, joined) ** 2).sum() - (joined**2).sum())
    across = float(sums.sum() ** 2 - (sums**2).sum())
    covariance = same / pairs_same - (across - same) / (pairs_any - pairs_same)
    return max(0.0, covariance) * pairs_same / pairs_any


def _half_width(p_value: float, between: float, shared: float, seeds: int) -> float:
    return float(_half_widths(np.array([p_value]), between, shared, np.array([seeds]))[0])


def _half_widths(
    p_values: npt.NDArray[np.float64],
    between: float,
    shared: float,
    seeds: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    from scipy.special import ndtri, stdtrit

    # Quantiles of the lower tail, which keeps its digits for tiny p; their sign does not matter.
    seed_quantiles = stdtrit(seeds - 1.0, p_values / 2)
    image_quantiles = ndtri(p_values / 2)
    widths: npt.NDArray[np.float64] = np.sqrt(
        seed_quantiles**2 * between / seeds + image_quantiles**2 * shared
    )
    return widths


def _p_value(mean: float, between: float, shared: float, seeds: int) -> float:
    """Return the level at which the interval just touches 0."""
    from scipy.optimize import brentq

    if mean == 0:
        return 1.0

    def excess(log_p: float) -> float:
        return _half_width(math.exp(log_p), between, shared, seeds) - abs(mean)

    if excess(math.log(LEAST_P_VALUE)) <= 0:
        return LEAST_P_VALUE
    return math.exp(float(brentq(excess, math.log(LEAST_P_VALUE), 0.0)))


def _further_seeds(
    mean: float, between: float, shared: float, seeds: int, share: float, looks_again: bool
) -> int | None:
    counts = np.arange(seeds, MOST_SEEDS + 1)
    # Further seeds are judged at the next look, which has half of this one's share.
    shares = np.where(looks_again & (counts > seeds), share / 2, share)
    enough = abs(mean) > _half_widths((1 - LEVEL) * shares, between, shared, counts)
    return int(enough.argmax()) if enough.any() else None


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for the number of comparisons.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    >>> holm([0.25, 0.03125, 0.5])
    [0.5, 0.09375, 0.5]
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def verdicts(gains: Sequence[Gain]) -> list[Verdict]:
    """Return keep, drop or unclear for each gain of one ladder, with Holm's correction."""
    corrected = holm([gain.p_value for gain in gains])
    return [
        "unclear" if p_value > 1 - LEVEL else "keep" if gain.mean > 0 else "drop"
        for gain, p_value in zip(gains, corrected, strict=True)
    ]
