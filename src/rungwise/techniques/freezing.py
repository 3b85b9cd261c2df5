"""Freezing: end the training of a net's first blocks one by one, and the way back above them.

Source: Brock et al. 2017, "FreezeOut: Accelerate Training by Progressively Freezing Layers",
arXiv:1706.04983. One deviation: there, each layer has a learning rate of its own that falls to 0 at
the moment of its freezing; here all blocks keep the recipe's.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from rungwise.data.images import LabelledImages
from rungwise.errors import ConfigError
from rungwise.models.base import Model
from rungwise.models.input import ScaledNetwork
from rungwise.techniques.base import Technique


@dataclass(frozen=True, kw_only=True)
class Freezing(Technique):
    """Save the way back through blocks that have settled: the first ones learn the fastest.

    A block is a direct child of the net that has parameters: in `compact` the stem, each group and
    the head, elsewhere each convolution, normalisation or dense layer. Frozen are its parameters
    alone: its dropout still draws, and its batch normalisation still normalises with the batch and
    moves its running statistics.

    Raises:
        ConfigError: The shares are out of their range or fall, or the model is no chain; at the
            first use, if the net has no block beyond them that is trained to the end.
    """

    at: tuple[float, ...] = (0.5,)
    """Share of the training from which on each block, counted from the input, is no longer
    trained; from 0 to below 1."""

    def __post_init__(self) -> None:
        in_range = all(0 <= share < 1 for share in self.at)
        if not self.at or not in_range or any(one > next_ for one, next_ in pairwise(self.at)):
            raise ConfigError(
                f"freezing at is {self.at}",
                expected="shares from 0 to below 1, of which none is less than the one before",
                fix="use for example at: [0.3, 0.5]: the first block, and later the second",
            )

    def check(self, model: Model, validated: bool) -> None:
        """Refuse nets whose blocks have no order."""
        if not model.is_chain:
            raise ConfigError(
                "freezing cannot be used: the model's net is no chain of layers",
                expected="a model without branches",
                fix="choose another model, such as 'cnn' or 'compact', or drop the technique",
            )

    def prepare(self, net: ScaledNetwork, train: LabelledImages, rng: torch.Generator) -> None:
        """Refuse nets with too few blocks; no weight is set."""
        self._blocks(net)

    def frozen(self, net: ScaledNetwork, progress: float) -> list[nn.Module]:
        """Tell the blocks whose time has come."""
        due = sum(progress >= share for share in self.at)
        return self._blocks(net)[:due] if due else []

    def _blocks(self, net: ScaledNetwork) -> list[nn.Module]:
        blocks = [block for block in net.net.children() if any(True for _ in block.parameters())]
        if len(self.at) >= len(blocks):
            raise ConfigError(
                f"freezing has {len(self.at)} shares, and the net {len(blocks)} blocks",
                expected=f"fewer than {len(blocks)} shares: the last block is trained to the end",
                fix="drop shares from at, or drop the technique",
            )
        return blocks
