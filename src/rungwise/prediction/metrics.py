"""Figures of a classifier on labelled images."""

from dataclasses import dataclass
from typing import Any

import torch

from rungwise.data.images import LabelledImages
from rungwise.errors import DataError
from rungwise.prediction.calibration import expected_calibration_error
from rungwise.prediction.uncertainty import wilson_interval

SMALLEST_PROBABILITY = 1e-7
"""Least probability in the loss, as in Keras, so that one sure mistake stays finite."""


@dataclass(frozen=True)
class ClassFigures:
    """Figures of one class, each in 0..1; `images` is how many truly belong to it."""

    name: str
    images: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Evaluation:
    """Figures of a classifier on one set of images.

    Args:
        accuracy: Share of right answers, 0..1.
        balanced_accuracy: Mean over the classes of the share of right answers.
        loss: Mean cross-entropy in nats.
        calibration_error: Expected calibration error over 15 bins, 0..1.
        per_class: Figures of each class, in the order of their labels.
        confusion: (K, K) counts; row: the true class, column: the answer.
    """

    accuracy: float
    balanced_accuracy: float
    loss: float
    calibration_error: float
    per_class: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """The 95% interval that the number of images leaves for the accuracy, in 0..1."""
        return wilson_interval(self.accuracy, sum(map(sum, self.confusion)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; `per_class` is keyed by the class's name."""
        per_class = {
            figures.name: {
                "images": figures.images,
                "precision": figures.precision,
                "recall": figures.recall,
                "f1": figures.f1,
            }
            for figures in self.per_class
        }
        return {
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "balanced_accuracy": self.balanced_accuracy,
            "loss": self.loss,
            "calibration_error": self.calibration_error,
            "per_class": per_class,
            "confusion": [list(row) for row in self.confusion],
        }


def evaluate(probabilities: torch.Tensor, data: LabelledImages) -> Evaluation:
    """Measure predictions.

    Args:
        probabilities: (N, K) float, rows sum to 1.
        data: The N images with their labels.

    Raises:
        DataError: There are no images.
    """
    if len(data) == 0:
        raise DataError(
            "there are no images to evaluate on", expected="at least one", fix="check the data set"
        )
    confusion = confusion_matrix(data.labels, probabilities.argmax(1), data.classes)
    per_class = tuple(
        _class_figures(confusion, index, name) for index, name in enumerate(data.class_names)
    )
    recalls = [figures.recall for figures in per_class if figures.images]
    chosen = probabilities.gather(1, data.labels[:, None]).double()
    return Evaluation(
        accuracy=confusion.diagonal().sum().item() / len(data),
        balanced_accuracy=sum(recalls) / len(recalls),
        loss=-chosen.clamp_min(SMALLEST_PROBABILITY).log().mean().item(),
        calibration_error=expected_calibration_error(probabilities, data.labels),
        per_class=per_class,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def confusion_matrix(labels: torch.Tensor, answers: torch.Tensor, classes: int) -> torch.Tensor:
    """Count (true class, answer) pairs: (K, K) int64.

    >>> confusion_matrix(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    pairs = torch.bincount(labels * classes + answers, minlength=classes * classes)
    return pairs.view(classes, classes)


def _class_figures(confusion: torch.Tensor, index: int, name: str) -> ClassFigures:
    right = confusion[index, index].item()
    images, answers = confusion[index].sum().item(), confusion[:, index].sum().item()
    return ClassFigures(
        name=name,
        images=int(images),
        precision=right / answers if answers else 0.0,
        recall=right / images if images else 0.0,
        f1=2 * right / (images + answers) if images + answers else 0.0,
    )
