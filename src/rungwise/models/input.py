"""The first step of every net: from pixels in 0..1 to what the architecture is fed."""

from typing import Literal

import torch
from torch import nn

from rungwise.data.images import LabelledImages
from rungwise.models.base import Output

InputScaling = Literal["unit", "raw", "standardized"]


def to_unit(pixels: torch.Tensor) -> torch.Tensor:
    """Turn uint8 images (N, H, W, C) into float32 (N, C, H, W) in 0..1, channels-last."""
    return pixels.permute(0, 3, 1, 2).float().div_(255)


def network_shape(train: LabelledImages) -> tuple[int, int, int]:
    """Return the (C, H, W) that a net for these images takes: C is 1 where all of them are grey.

    Grey images are often stored with three equal channels. A net for three would have inputs that
    say nothing new, and whitened patches without variance in two directions of three.
    """
    channels, height, width = train.shape
    return (1 if train.is_grey else channels), height, width


class ScaledNetwork(nn.Module):
    """A network behind its input scaling, (pixels - mean) / std for each channel.

    The scaling is part of the weights, so training, evaluation and exports share it. Images of
    more channels than the one that the network takes become grey first.

    Args:
        net: Takes scaled images, returns an `Output`.
        mean: (C,) float; C is the network's number of channels.
        std: (C,) float, above 0.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, net: nn.Module, mean: torch.Tensor, std: torch.Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", mean.view(1, -1, 1, 1))
        self.register_buffer("std", std.view(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> Output:
        """Return the net's output for images (N, C, H, W) in 0..1."""
        output: Output = self.net(self.scaled(images))
        return output

    def scaled(self, images: torch.Tensor) -> torch.Tensor:
        """Return images (N, C, H, W) in 0..1 as the net takes them."""
        return (self.with_own_channels(images) - self.mean) / self.std

    def with_own_channels(self, images: torch.Tensor) -> torch.Tensor:
        """Return images with the net's number of channels: the mean of all, for a grey net."""
        channels = self.mean.shape[1]
        return images if images.shape[1] == channels else images.mean(1, keepdim=True)


def input_statistics(
    scaling: InputScaling, train: LabelledImages
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and standard deviation, (C,) float32 each, that a scaling subtracts and divides.

    Args:
        scaling: `unit` leaves 0..1, `raw` makes 0..255, `standardized` makes each channel of the
            training images mean 0 and deviation 1.
        train: The training images; C is the number of channels of `network_shape`.
    """
    channels = network_shape(train)[0]
    zeros = torch.zeros(channels, dtype=torch.float32, device="cpu")
    if scaling == "raw":
        return zeros, torch.full_like(zeros, 1 / 255)
    if scaling == "unit":
        return zeros, torch.ones_like(zeros)
    counts = _level_counts(train)[:channels].double()
    levels = torch.arange(256, dtype=torch.float64, device="cpu") / 255
    mean = torch.stack([(count * levels).sum() / count.sum() for count in counts])
    square = torch.stack([(count * levels**2).sum() / count.sum() for count in counts])
    std = (square - mean**2).clamp_min(0).sqrt()
    return mean.float(), torch.where(std > 1e-6, std, torch.ones_like(std)).float()


def _level_counts(images: LabelledImages) -> torch.Tensor:
    """Return how often each channel has each of the levels 0 to 255: (C, 256) int64."""
    counts = torch.zeros(images.shape[0], 256, dtype=torch.int64, device="cpu")
    for chunk in images.chunks():
        for channel, count in enumerate(counts):
            count += torch.bincount(chunk[..., channel].flatten(), minlength=256)
    return counts
