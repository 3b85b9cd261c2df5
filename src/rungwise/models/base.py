"""What a model is: settings that build a network, and what a network returns."""

from typing import NamedTuple

import torch
from torch import nn


class Output(NamedTuple):
    """What every network returns.

    Args:
        logits: (N, K) float; softmax belongs to the loss and to the predictor.
        reconstruction: (N, C, H, W) float in 0..1, from nets that have an autoencoder, else None.
    """

    logits: torch.Tensor
    reconstruction: torch.Tensor | None = None


class Model:
    """A frozen dataclass of an architecture's settings; `build` makes the network.

    The network's `forward` takes images (N, C, H, W) as the recipe's input scaling leaves them and
    returns an `Output`.
    """

    reconstructs: bool = False
    """Whether the networks return a reconstruction."""

    any_size: bool = False
    """Whether a network, once built, takes images of other sizes too."""

    is_chain: bool = False
    """Whether the networks are one chain of layers (`layers.Classifier`)."""

    def build(
        self, shape: tuple[int, int, int], classes: int, rng: torch.Generator | None
    ) -> nn.Module:
        """Return a freshly initialised network.

        Args:
            shape: (C, H, W) of one image.
            classes: K.
            rng: The only source of the initial weights; None gives a network whose tensors have
                shapes and no memory.

        Raises:
            ConfigError: The architecture cannot take images of this shape.
        """
        raise NotImplementedError
