"""Reconstruction loss: an autoencoder shares the net and is trained with the classifier.

Source: Le, Patterson & White 2018, "Supervised autoencoders: Improving generalization performance
with unsupervised regularizers", NeurIPS 2018.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from rungwise.errors import ConfigError
from rungwise.models.base import Model, Output
from rungwise.techniques.base import Batch, Technique


@dataclass(frozen=True, kw_only=True)
class Reconstruction(Technique):
    """Train the net's autoencoder too: `class_weight` · cross-entropy + `weight` · squared error.

    With weight 0 the net keeps its autoencoder but learns nothing from it: the control that tells
    what the further layers are worth without the loss.

    Raises:
        ConfigError: A weight is negative, or the class loss would vanish.
    """

    weight: float = 1.0
    """Factor of the mean squared error over all pixels."""
    class_weight: float = 1.0
    """Factor of the classification loss."""

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:
            raise ConfigError(
                f"reconstruction weight is {self.weight}",
                expected="0 (a control) or more",
                fix="use a weight such as 1.0",
            )
        if not 0 < self.class_weight < math.inf:
            raise ConfigError(
                f"reconstruction class_weight is {self.class_weight}",
                expected="more than 0: the net is to learn to classify",
                fix="use a weight such as 1.0",
            )

    def check(self, model: Model, validated: bool) -> None:
        """Refuse nets that have no reconstruction."""
        if not model.reconstructs:
            raise ConfigError(
                "reconstruction has no effect: the model returns no reconstruction",
                expected="a model with an autoencoder",
                fix="choose the model 'two-branch' or 'multitask', or drop the technique",
            )

    def change_loss(self, loss: torch.Tensor, output: Output, batch: Batch) -> torch.Tensor:
        """Weight the class loss and add the reconstruction's."""
        loss = self.class_weight * loss
        if self.weight == 0 or output.reconstruction is None:
            return loss
        # A net for grey images that are stored with three channels draws one.
        drawn = output.reconstruction.float().expand_as(batch.images)
        return loss + self.weight * F.mse_loss(drawn, batch.images)
