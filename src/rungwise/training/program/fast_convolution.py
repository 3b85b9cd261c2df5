"""3×3 convolutions by our own kernels: Winograd's algorithm, or the processor's matrix units."""

from dataclasses import dataclass

import torch
from torch import nn

from rungwise.native import Kernels
from rungwise.native.kernels import UNIT
from rungwise.training.program.instruction import in_order
from rungwise.training.program.products import Convolution

FEWEST_CHANNELS = 16
FEWEST_PAIRS = 512
"""Input times output channels from which on our kernels are at least as fast as the library's."""


def pays(layer: nn.Conv2d, kernels: Kernels, dtype: torch.dtype) -> bool:
    """Return whether `FastConvolution` can do a convolution, and faster than `Convolution`."""
    channels = layer.in_channels, layer.out_channels
    return (
        kernels.has_convolutions
        and dtype == torch.bfloat16
        and (layer.kernel_size, layer.stride, layer.dilation) == ((3, 3), (1, 1), (1, 1))
        and layer.groups == 1
        and layer.padding in ((0, 0), (1, 1), (2, 2))
        and all(count % UNIT == 0 and count >= FEWEST_CHANNELS for count in channels)
        and channels[0] * channels[1] >= FEWEST_PAIRS
    )


@dataclass(kw_only=True, eq=False)
class FastConvolution(Convolution):
    """A convolution by kernels of ours, and its tail; it works with float32 weights.

    On a processor with units for whole matrices (AMX) they multiply directly, from a layout that
    feeds the units better than the library's; rounding to bfloat16 leaves errors of 0.2%. On others
    tiles of 4×4 results take 36 multiplications instead of 144 (Winograd's F(4×4, 3×3); Lavin and
    Gray 2015, arXiv:1509.09308); what is multiplied has larger parts that cancel in the end, so
    that errors are 1.3 to 1.6%.
    """

    def _made(self, maps: torch.Tensor, relu: bool) -> torch.Tensor:
        bias = None if self.layer.bias is None else self.layer.bias.detach()
        return self.kernels.convolve(in_order(maps), self._weight(), bias, self._zeros(), relu)

    def _led_back(self, maps: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor | None:
        maps = in_order(maps)
        if any(self.trains):
            bias = None if self.bias is None else self.gradients[1]
            self.kernels.convolve_weight(maps, gradient, self.gradients[0], bias, self._zeros())
        if not self.leads_back:
            return None
        return self.kernels.convolve_backward(gradient, self._weight(), maps, self._zeros())

    def _weight(self) -> torch.Tensor:
        return self.layer.weight.detach()

    def _zeros(self) -> int:
        return self._padding()[0]
