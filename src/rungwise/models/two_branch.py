"""Two branches that see the same image: a dense autoencoder and a strided CNN, added together."""

from dataclasses import dataclass

import torch
from torch import nn

from rungwise.models.base import Model, Output
from rungwise.models.initialization import materialize
from rungwise.models.layers import Add, chain, dense_steps
from rungwise.models.settings import require_positive, require_widths
from rungwise.models.strided_cnn import strided_steps


@dataclass(frozen=True, kw_only=True)
class TwoBranch(Model):
    """The code of an autoencoder helps a `StridedCNN` to classify; both are trained end to end.

    The code feeds the decoder and, through dense layers, the classifier. Those dense layers are as
    wide as the CNN's own, so that the two results can be added.

    Source: article A, "after".

    Raises:
        ConfigError: A width is not positive, or a part has no layer.
    """

    reconstructs = True

    encoder_widths: tuple[int, ...] = (256, 128, 128)
    """Units of the autoencoder's layers down to the code, which is the last of them."""
    decoder_widths: tuple[int, ...] = (128,)
    """Units of the layers between the code and the reconstruction."""
    conv_widths: tuple[int, ...] = (32, 16, 8, 8)
    """Channels of the CNN's convolutions."""
    dense_widths: tuple[int, ...] = (128, 64)
    """Units of the dense layers after the code and, equally, after the convolutions."""
    fusion_width: int = 32
    """Units of the layer after the addition."""

    def __post_init__(self) -> None:
        require_widths("two-branch encoder_widths", self.encoder_widths)
        require_widths("two-branch decoder_widths", self.decoder_widths, at_least=0)
        require_widths("two-branch conv_widths", self.conv_widths)
        require_widths("two-branch dense_widths", self.dense_widths)
        require_positive("two-branch fusion_width", self.fusion_width)

    def build(
        self, shape: tuple[int, int, int], classes: int, rng: torch.Generator | None
    ) -> nn.Module:
        return materialize(lambda: TwoBranchNet(self, shape, classes), rng)


class TwoBranchNet(nn.Module):
    """The network of `TwoBranch`: images (N, C, H, W) to logits and reconstruction."""

    def __init__(self, model: TwoBranch, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        pixels = channels * height * width
        code = model.encoder_widths[-1]
        self.encoder = chain(("flatten", nn.Flatten()), *dense_steps(pixels, model.encoder_widths))
        self.decoder = chain(
            *dense_steps(code, model.decoder_widths),
            ("pixels", nn.Linear((code, *model.decoder_widths)[-1], pixels)),
            ("sigmoid", nn.Sigmoid()),
            ("reshape", nn.Unflatten(1, shape)),
        )
        self.code = chain(*dense_steps(code, model.dense_widths))
        self.cnn = chain(*strided_steps(shape, model.conv_widths, model.dense_widths))
        self.add = Add()
        self.fusion = chain(
            *dense_steps(model.dense_widths[-1], (model.fusion_width,)),
            ("logits", nn.Linear(model.fusion_width, classes)),
        )

    def forward(self, images: torch.Tensor) -> Output:
        code = self.encoder(images)
        # Reading order of the picture: the reconstruction's branch first.
        reconstruction = self.decoder(code)
        logits = self.fusion(self.add(self.code(code), self.cnn(images)))
        return Output(logits, reconstruction)
