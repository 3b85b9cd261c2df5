"""Calibration: whether answers given with 90% probability are right 90% of the time."""

import torch


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
    gaps = torch.zeros(bins, dtype=torch.float64).index_add_(0, places, confidence - right)
    return gaps.abs().sum().item() / len(labels)
