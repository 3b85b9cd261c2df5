"""Which labels are probably wrong, by what a net that has not seen them answers.

Source: Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset
Labels", arXiv:1911.00068.
"""

import torch


def suspected(probabilities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Tell for each image whether its label is suspected to be wrong: (N,) bool.

    A class's threshold is the mean probability that it gets on the images labelled so: nets are
    surer of some classes than of others. An image is counted to the class with the largest
    probability among those that reach their thresholds. Its label is suspected where that is
    another class than the label, and the likeliest class is another one too.

    Args:
        probabilities: (N, K) float, by nets that were not trained on these images.
        labels: (N,) int64.

    >>> sure, unsure, other = [0.9, 0.1], [0.6, 0.4], [0.2, 0.8]
    >>> suspected(torch.tensor([sure, unsure, other, other]), torch.tensor([0, 0, 0, 1])).tolist()
    [False, False, True, False]
    """
    reached = probabilities >= thresholds(probabilities, labels)
    counted = probabilities.where(reached, -1.0).argmax(1)
    wrong = probabilities.argmax(1) != labels
    return reached.any(1) & (counted != labels) & wrong


def thresholds(probabilities: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return each class's mean probability on the images labelled so: (K,).

    A class without images gets infinity, which no probability reaches.
    """
    classes = probabilities.shape[1]
    own = probabilities.gather(1, labels[:, None])[:, 0].double()
    sums = torch.zeros(classes, dtype=torch.float64).index_add(0, labels, own)
    counts = torch.bincount(labels, minlength=classes)
    return (sums / counts).where(counts > 0, torch.inf).to(probabilities.dtype)
