"""Calibration: whether answers given with 90% probability are right 90% of the time."""

import math

import torch

EXTREME = 20.0
"""Temperatures are looked for between 1 / EXTREME and EXTREME."""


def fit_temperature(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return what the logits are to be divided by so that the probabilities are the likeliest.

    The loss has one valley, as it is convex in 1 / temperature. Where every image is right it
    would fall for ever as the temperature does; therefore it counts one image more, whose label
    may be any with equal probability, as Platt scaling does.

    Source: Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599; the
    further image: Platt 1999, "Probabilistic outputs for support vector machines".

    Args:
        logits: (N, K) float of images that the net was not trained on; N of 1 or more.
        labels: (N,) int64.
    """
    from scipy.optimize import minimize_scalar

    logits = logits.double()
    right = logits.gather(1, labels[:, None])[:, 0]
    aims = (len(right) * right + logits.mean(1)) / (len(right) + 1)

    def loss(log_temperature: float) -> float:
        scale = math.exp(-log_temperature)
        return float(((logits * scale).logsumexp(1) - aims * scale).mean())

    bound = math.log(EXTREME)
    found = minimize_scalar(loss, bounds=(-bound, bound), method="bounded")
    return math.exp(float(found.x))


def expected_calibration_error(
    probabilities: torch.Tensor, labels: torch.Tensor, bins: int = 15
) -> float:
    """Return the mean gap between confidence and accuracy, weighted by the answers in each bin.

    Source: Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599.

    Args:
        probabilities: (N, K) float.
        labels: (N,) int64.
        bins: Number of equal intervals of the confidence.

    >>> sure_and_right = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> expected_calibration_error(sure_and_right, torch.tensor([0, 1]))
    0.0
    """
    confidence, answers = probabilities.double().max(1)
    right = (answers == labels).double()
    places = (confidence * bins).long().clamp_max(bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64, device="cpu").index_add_(
        0, places, confidence - right
    )
    return gaps.abs().sum().item() / len(labels)
