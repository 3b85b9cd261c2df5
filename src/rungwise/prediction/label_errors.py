"""Which labels are probably wrong, by what nets that have not seen them answer.

A label is a wrong one with probability e, and then any class; else the net's calibrated answer
says how likely it is:

    P(label k | image) = (1 - e) · softmax(log p / T)_k + e / K

The temperature T and the share e of wrong labels are those that make the labels the likeliest. The
share has a limit: without one, a weak and overconfident net would explain its mistakes by wrong
labels. With it, such a net gets a high temperature, and its mistakes are no evidence any more.
"""

import math

import torch

from rungwise.prediction.calibration import EXTREME

MOST_WRONG = 0.05
"""The largest share of wrong labels that is believed."""
STRONG = 0.9
"""Probability of a wrong label from which it is suspected; measured in decision 37."""


def suspected(probabilities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Tell for each image whether its label is suspected to be wrong: (N,) bool.

    Args:
        probabilities: (N, K) float, by nets that were not trained on these images.
        labels: (N,) int64.
    """
    wrong = probabilities.argmax(1) != labels
    return wrong & (chances(probabilities, labels) >= STRONG)


def chances(probabilities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return for each image how probably its label is wrong: (N,) float64.

    Args:
        probabilities: (N, K) float, by nets that were not trained on these images.
        labels: (N,) int64.
    """
    if len(labels) == 0:
        return torch.zeros(0, dtype=torch.float64, device="cpu")
    logs = probabilities.double().clamp_min(torch.finfo(torch.float32).tiny).log()
    temperature, share = _fitted(logs, labels)
    noise = share / logs.shape[1]
    own = _calibrated(logs, labels, temperature)
    return noise / ((1 - share) * own + noise)


def _fitted(logs: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Return the temperature and the share of wrong labels that make the labels the likeliest.

    One image more is counted, whose label is wrong with the smallest probability: a few images do
    not make a share.
    """
    from scipy.optimize import minimize

    def loss(settings: list[float]) -> float:
        temperature, share = math.exp(settings[0]), settings[1]
        own = _calibrated(logs, labels, temperature)
        likelihoods = (1 - share) * own + share / logs.shape[1]
        return -float(likelihoods.log().sum()) - math.log(1 - share)

    bound = math.log(EXTREME)
    limits = [(-bound, bound), (1e-6, MOST_WRONG)]
    starts = ([0.0, MOST_WRONG / 2], [1.0, MOST_WRONG / 2])
    found = [minimize(loss, start, method="Nelder-Mead", bounds=limits) for start in starts]
    best = min(found, key=lambda one: float(one.fun)).x
    return math.exp(float(best[0])), float(best[1])


def _calibrated(logs: torch.Tensor, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the calibrated probabilities of the labels: (N,)."""
    return (logs / temperature).softmax(1).gather(1, labels[:, None])[:, 0]
