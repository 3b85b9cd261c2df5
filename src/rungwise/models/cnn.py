"""A plain convolutional network: convolutions, pooling, dense layers, dropout after each part."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from rungwise.errors import ConfigError
from rungwise.models.base import Model
from rungwise.models.initialization import materialize
from rungwise.models.layers import Classifier, Step, dense_steps, dropout_steps
from rungwise.models.settings import require_border, require_rate, require_size, require_widths


@dataclass(frozen=True, kw_only=True)
class CNN(Model):
    """[border] → conv 3×3 relu … → pool 2 → dropout → dense relu … → dropout → logits.

    There is one dropout after the pooling and one after the last dense layer, however many dense
    layers there are.

    Source: article C with its own settings; article D's first network is
    `CNN(conv_widths=(16, 32), conv_edge="same", pooling_place="each", dropout_conv=0,
    dropout_dense=0, dense_widths=(128, 128))`.

    Raises:
        ConfigError: A setting has an impossible value.
    """

    is_chain = True

    conv_widths: tuple[int, ...] = (32, 64)
    """Channels of each convolution."""
    conv_edge: Literal["valid", "same"] = "valid"
    """Whether a convolution loses the outermost pixels or keeps the size by zero padding."""
    border: int = 0
    """Pixels of zeros around the image, before the first convolution."""
    pooling: Literal["max", "average"] = "max"
    """What stands for a square of 2×2 pixels."""
    pooling_place: Literal["end", "each"] = "end"
    """Whether to pool once, after the last convolution, or after each of them."""
    dense_widths: tuple[int, ...] = (128,)
    """Units of each hidden dense layer."""
    dropout_conv: float = 0.25
    """Rate after the last pooling; 0 removes the dropout."""
    dropout_dense: float = 0.5
    """Rate after the last hidden dense layer; 0 removes the dropout."""

    def __post_init__(self) -> None:
        require_widths("cnn conv_widths", self.conv_widths)
        require_widths("cnn dense_widths", self.dense_widths, at_least=0)
        require_rate("cnn dropout_conv", self.dropout_conv)
        require_rate("cnn dropout_dense", self.dropout_dense)
        _require_choice("cnn conv_edge", self.conv_edge, ("valid", "same"))
        _require_choice("cnn pooling", self.pooling, ("max", "average"))
        _require_choice("cnn pooling_place", self.pooling_place, ("end", "each"))
        require_border("cnn border", self.border)

    def build(
        self, shape: tuple[int, int, int], classes: int, rng: torch.Generator | None
    ) -> nn.Module:
        require_size(
            "cnn", shape, self.smallest_side(), "use fewer convolutions, a border, or edge 'same'"
        )
        channels, height, width = shape
        features = self.conv_widths[-1] * self._side_after(height) * self._side_after(width)
        return materialize(
            lambda: Classifier(
                *self._conv_steps(channels),
                *dropout_steps(self.dropout_conv),
                ("flatten", nn.Flatten()),
                *dense_steps(features, self.dense_widths),
                *dropout_steps(self.dropout_dense),
                ("logits", nn.Linear((features, *self.dense_widths)[-1], classes)),
            ),
            rng,
        )

    def smallest_side(self) -> int:
        """Return the least height and width, in pixels, that leaves one pixel after the pooling."""
        side = 1
        for pools in reversed(self._pools()):
            side = (2 * side if pools else side) + self._edge_loss
        return max(1, side - 2 * self.border)

    def _side_after(self, side: int) -> int:
        side += 2 * self.border
        for pools in self._pools():
            side -= self._edge_loss
            side = side // 2 if pools else side
        return side

    @property
    def _edge_loss(self) -> int:
        return 2 if self.conv_edge == "valid" else 0

    def _pools(self) -> list[bool]:
        """Say of each convolution whether a pooling follows it."""
        last = len(self.conv_widths) - 1
        return [self.pooling_place == "each" or i == last for i in range(last + 1)]

    def _conv_steps(self, channels: int) -> list[Step]:
        padding = 1 if self.conv_edge == "same" else 0
        pool = nn.MaxPool2d if self.pooling == "max" else nn.AvgPool2d
        steps: list[Step] = [("border", nn.ZeroPad2d(self.border))] if self.border else []
        for (before, width), pools in zip(
            pairwise((channels, *self.conv_widths)), self._pools(), strict=True
        ):
            steps += [
                ("conv", nn.Conv2d(before, width, 3, padding=padding)),
                ("relu", nn.ReLU(inplace=True)),
            ]
            if pools:
                steps += [("pool", pool(2))]
        return steps


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f"{name} is {value!r}",
            expected=f"one of {', '.join(choices)}",
            fix=f"pass {choices[0]!r} for the usual form",
        )
