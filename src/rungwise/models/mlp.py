"""A multilayer perceptron: every pixel is an input, and the image's geometry is not used."""

from dataclasses import dataclass

import torch
from torch import nn

from rungwise.models.base import Model
from rungwise.models.initialization import materialize
from rungwise.models.layers import Classifier, dense_steps
from rungwise.models.settings import require_widths


@dataclass(frozen=True, kw_only=True)
class MLP(Model):
    """Flatten → dense layers with ReLU → logits; takes images of any size.

    Source: article C, the first classifier of TensorFlow's Fashion-MNIST tutorial.

    Raises:
        ConfigError: A width is not positive.
    """

    is_chain = True

    hidden_widths: tuple[int, ...] = (128,)
    """Units of each hidden layer; none makes a linear classifier."""

    def __post_init__(self) -> None:
        require_widths("mlp hidden_widths", self.hidden_widths, at_least=0)

    def build(
        self, shape: tuple[int, int, int], classes: int, rng: torch.Generator | None
    ) -> nn.Module:
        channels, height, width = shape
        pixels = channels * height * width
        return materialize(
            lambda: Classifier(
                ("flatten", nn.Flatten()),
                *dense_steps(pixels, self.hidden_widths),
                ("logits", nn.Linear((pixels, *self.hidden_widths)[-1], classes)),
            ),
            rng,
        )
