"""One encoder with two heads: a classifier and a convolutional decoder."""

from dataclasses import dataclass

import torch
from torch import nn

from rungwise.errors import ConfigError
from rungwise.models.base import Model, Output
from rungwise.models.initialization import materialize
from rungwise.models.layers import Step, chain, dense_steps, dropout_steps
from rungwise.models.settings import require_positive, require_rate

SHRINK = 4
"""Two poolings make the encoder's map four times smaller than the image, on each side."""


@dataclass(frozen=True, kw_only=True)
class Multitask(Model):
    """Six convolutions feed a classifier and, for its own sake, a decoder of the image.

    Source: article E.

    Raises:
        ConfigError: A setting has an impossible value.
    """

    reconstructs = True

    conv_width: int = 64
    """Channels of every convolution."""
    dense_width: int = 1024
    """Units of the classifier's dense layer."""
    dropout: float = 0.1
    """Rate after all of the encoder's convolutions but the last; 0 removes the dropouts."""

    def __post_init__(self) -> None:
        require_positive("multitask conv_width", self.conv_width)
        require_positive("multitask dense_width", self.dense_width)
        require_rate("multitask dropout", self.dropout)

    def build(
        self, shape: tuple[int, int, int], classes: int, rng: torch.Generator | None
    ) -> nn.Module:
        _, height, width = shape
        if height % SHRINK or width % SHRINK:
            raise ConfigError(
                f"multitask cannot reconstruct images of {height}×{width} pixels",
                expected=f"height and width that {SHRINK} divides, the smallest {SHRINK}×{SHRINK}",
                fix="resize or pad the images, or take another model",
            )
        return materialize(lambda: MultitaskNet(self, shape, classes), rng)


class MultitaskNet(nn.Module):
    """The network of `Multitask`: images (N, C, H, W) to logits and reconstruction."""

    def __init__(self, model: Multitask, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        features = model.conv_width * (height // SHRINK) * (width // SHRINK)
        self.encoder = chain(*_encoder_steps(model, channels))
        self.classification = chain(
            ("flatten", nn.Flatten()),
            *dense_steps(features, (model.dense_width,)),
            ("logits", nn.Linear(model.dense_width, classes)),
        )
        self.autoencoder = chain(
            ("upsample", nn.Upsample(scale_factor=2)),
            *_conv(model.conv_width, model.conv_width),
            ("upsample", nn.Upsample(scale_factor=2)),
            ("pixels", nn.Conv2d(model.conv_width, channels, 3, padding=1)),
            ("sigmoid", nn.Sigmoid()),
        )

    def forward(self, images: torch.Tensor) -> Output:
        features = self.encoder(images)
        return Output(self.classification(features), self.autoencoder(features))


def _encoder_steps(model: Multitask, channels: int) -> list[Step]:
    width, drop = model.conv_width, model.dropout
    return [
        *[*_conv(channels, width), *dropout_steps(drop)],
        *[*_conv(width, width), *dropout_steps(drop)],
        *[*_conv(width, width), *dropout_steps(drop)],
        ("pool", nn.MaxPool2d(2)),
        *[*_conv(width, width), *dropout_steps(drop)],
        *[*_conv(width, width), *dropout_steps(drop)],
        *_conv(width, width),
        ("pool", nn.MaxPool2d(2)),
    ]


def _conv(channels: int, width: int) -> list[Step]:
    return [
        ("conv", nn.Conv2d(channels, width, 3, padding=1)),
        ("relu", nn.ReLU(inplace=True)),
    ]
