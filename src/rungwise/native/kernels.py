"""The kernels as functions of tensors.

Tensors of four dimensions are (N, C, H, W) and lie channels-last in memory; all tensors of one call
have one dtype, float32 or bfloat16, and are on the CPU. Nothing is checked here: the callers are
`training.program`'s instructions, which make every tensor themselves.
"""

import ctypes
import functools
from collections.abc import Callable
from ctypes import c_double, c_int, c_int64, c_uint64, c_void_p
from typing import Any, NamedTuple

import torch

from rungwise.native import library

SUFFIXES = {torch.float32: "f32", torch.bfloat16: "b16"}

_ARGUMENTS: dict[str, list[Any]] = {
    "scale": [c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_void_p],
    "cross_entropy": [*[c_void_p] * 3, c_int64, c_int64, c_void_p],
    "drop": [c_void_p, c_int64, c_int, c_double, c_uint64],
    "relu_drop_backward": [c_void_p, c_void_p, c_int64, c_double],
    "pool": [*[c_void_p] * 4, c_int, c_double, c_uint64, c_double, c_uint64],
    "pool_backward": [*[c_void_p] * 4, c_double, c_double],
    "first_pool": [c_void_p, c_int, *[c_void_p] * 5, c_double, c_uint64],
    "first_pool_backward": [c_void_p, c_int, *[c_void_p] * 5, c_double],
    "norm": [*[c_void_p] * 5, c_double, c_double, c_int],
    "norm_backward": [*[c_void_p] * 6, c_int, c_int],
}


_CONVOLUTIONS: dict[str, list[Any]] = {
    "convolve": [*[c_void_p] * 4, c_int, c_void_p],
    "convolve_backward": [c_void_p] * 4,
    "convolve_weight": [c_void_p] * 5,
}
"""Of bfloat16 alone, and only where the processor multiplies it and the system allows that."""


class Drop(NamedTuple):
    """A dropout: the share that is set to 0, and the key of its random bits (64 bits)."""

    rate: float
    key: int


KEEP_ALL = Drop(0.0, 0)


class Normed(NamedTuple):
    """What a batch normalisation keeps for its way back.

    Args:
        values: Its input.
        weight: (C,) float32.
        bias: (C,) float32.
        mean: (C,) float32, of the batch.
        inverse: (C,) float32, 1 / standard deviation of the batch.
    """

    values: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor
    mean: torch.Tensor
    inverse: torch.Tensor


class _Maps(ctypes.Structure):
    _fields_ = [
        (name, c_int64)
        for name in ("images", "height", "width", "out_height", "out_width", "channels")
    ]


class _First(ctypes.Structure):
    _fields_ = [
        ("images", c_void_p),
        *[(name, c_int64) for name in ("height", "width", "padding")],
    ]


class _Norm(ctypes.Structure):
    _fields_ = [
        *[(name, c_int64) for name in ("rows", "channels")],
        *[(name, c_void_p) for name in ("weight", "bias", "mean", "inverse")],
    ]


class _Convolution(ctypes.Structure):
    _fields_ = [
        (name, c_int64) for name in ("images", "height", "width", "padding", "channels", "outputs")
    ]


class Kernels:
    """The compiled functions.

    Attributes:
        has_convolutions: Whether `convolve` and what leads it back are among them: the processor
            multiplies bfloat16, in vectors or on units for whole matrices.
    """

    def __init__(self, compiled: ctypes.CDLL) -> None:
        self._functions: dict[tuple[str, torch.dtype], Callable[..., None]] = {}
        for name, arguments in _ARGUMENTS.items():
            for dtype, suffix in SUFFIXES.items():
                function = getattr(compiled, f"{name}_{suffix}")
                function.argtypes, function.restype = arguments, None
                self._functions[name, dtype] = function
        self.has_convolutions = (
            hasattr(compiled, "convolve_b16") and compiled.convolutions_are_allowed() == 1
        )
        for name, arguments in _CONVOLUTIONS.items() if self.has_convolutions else ():
            function = getattr(compiled, f"{name}_b16")
            function.argtypes, function.restype = arguments, None
            self._functions[name, torch.bfloat16] = function
        self._to_unit = compiled.to_unit_u8
        self._to_unit.argtypes, self._to_unit.restype = [c_void_p, c_void_p, c_int64], None

    def _of(self, name: str, values: torch.Tensor) -> Callable[..., None]:
        return self._functions[name, values.dtype]

    def to_unit(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return images in 0..1: (N, C, H, W) float32, channels-last.

        Args:
            pixels: (N, H, W, C) uint8, contiguous.
        """
        images = torch.empty(pixels.shape, dtype=torch.float32, device="cpu")
        self._to_unit(pixels.data_ptr(), images.data_ptr(), pixels.numel())
        return images.permute(0, 3, 1, 2)

    def scale(
        self, images: torch.Tensor, mean: torch.Tensor, std: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        """Return (images - mean) / std in `dtype`.

        Args:
            images: (N, C, H, W) float32, channels-last.
            mean: C numbers, float32.
            std: C numbers, float32.
            dtype: float32 or bfloat16.
        """
        scaled = torch.empty_like(images, dtype=dtype, memory_format=torch.channels_last)
        channels = images.shape[1]
        pointers = images.data_ptr(), scaled.data_ptr()
        settings = images.numel() // channels, channels, mean.data_ptr(), std.data_ptr()
        self._of("scale", scaled)(*pointers, *settings)
        return scaled

    def cross_entropy(
        self, logits: torch.Tensor, targets: torch.Tensor, sums: torch.Tensor
    ) -> torch.Tensor:
        """Return the gradient, by the logits, of the mean cross-entropy of softmax.

        Args:
            logits: (N, K), contiguous.
            targets: (N, K) float32, each row a distribution, contiguous.
            sums: (2,) float64; the sum of the N losses and the number of right answers are added.
        """
        gradient = torch.empty_like(logits)
        pointers = logits.data_ptr(), targets.data_ptr(), gradient.data_ptr()
        self._of("cross_entropy", logits)(*pointers, *logits.shape, sums.data_ptr())
        return gradient

    def drop(self, values: torch.Tensor, drop: Drop, relu: bool) -> None:
        """Set negative values (with `relu`) and a random share to 0, scale the others, in place."""
        function = self._of("drop", values)
        function(values.data_ptr(), values.numel(), relu, drop.rate, drop.key)

    def relu_drop_backward(self, gradient: torch.Tensor, made: torch.Tensor, rate: float) -> None:
        """Lead a gradient back, in place, through what made `made` with ReLU and dropout."""
        function = self._of("relu_drop_backward", gradient)
        function(gradient.data_ptr(), made.data_ptr(), made.numel(), rate)

    def pool(
        self, maps: torch.Tensor, ceil: bool, relu: bool, before: Drop, after: Drop
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take [ReLU,] [dropout,] the largest of each 2×2 pixels [, dropout], in one pass.

        Args:
            maps: (N, C, H, W).
            ceil: Whether a window that sticks out counts, or is left out.
            relu: Whether values below 0 count as 0.
            before: Dropout before the pooling.
            after: Dropout after it.

        Returns:
            The pooled maps, and where each value came from: uint8 of the same shape.
        """
        images, channels, height, width = maps.shape
        shape = images, channels, (height + ceil) // 2, (width + ceil) // 2
        out = torch.empty(shape, dtype=maps.dtype, memory_format=torch.channels_last, device="cpu")
        origin = torch.empty(
            shape, dtype=torch.uint8, memory_format=torch.channels_last, device="cpu"
        )
        sizes = _Maps(images, height, width, shape[2], shape[3], channels)
        pointers = (maps.data_ptr(), out.data_ptr(), origin.data_ptr(), ctypes.addressof(sizes))
        self._of("pool", maps)(*pointers, relu, *before, *after)
        return out, origin

    def pool_backward(
        self,
        gradient: torch.Tensor,
        origin: torch.Tensor,
        size: tuple[int, int],
        before: float,
        after: float,
    ) -> torch.Tensor:
        """Lead a gradient back to maps of height and width `size`; rates as in `pool`."""
        images, channels, height, width = gradient.shape
        out = torch.empty(
            (images, channels, *size),
            dtype=gradient.dtype,
            memory_format=torch.channels_last,
            device="cpu",
        )
        sizes = _Maps(images, *size, height, width, channels)
        pointers = (gradient.data_ptr(), origin.data_ptr(), out.data_ptr(), ctypes.addressof(sizes))
        self._of("pool_backward", gradient)(*pointers, before, after)
        return out

    def first_pool(
        self,
        images: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        padding: int,
        after: Drop,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Convolve 3×3, apply ReLU and take the largest of each 2×2 pixels [, dropout].

        Args:
            images: (N, C, H, W), C of 1 or 3.
            weight: (3, 3, C, O) float32, contiguous.
            bias: (O,) float32, or None.
            padding: Zeros around the images.
            after: Dropout after the pooling.

        Returns:
            As `pool`.
        """
        first, maps = _first(images, padding, weight.shape[3])
        shape = len(images), maps.channels, maps.out_height, maps.out_width
        out = torch.empty(
            shape, dtype=images.dtype, memory_format=torch.channels_last, device="cpu"
        )
        origin = torch.empty(
            shape, dtype=torch.uint8, memory_format=torch.channels_last, device="cpu"
        )
        settings = ctypes.addressof(first), images.shape[1], weight.data_ptr(), _pointer(bias)
        made = out.data_ptr(), origin.data_ptr(), ctypes.addressof(maps)
        self._of("first_pool", images)(*settings, *made, *after)
        return out, origin

    def first_pool_backward(
        self,
        images: torch.Tensor,
        gradient: torch.Tensor,
        origin: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        padding: int,
        after: float,
    ) -> None:
        """Write the gradients of weight and bias, in the forms that `first_pool` takes."""
        first, maps = _first(images, padding, weight.shape[3])
        given = gradient.data_ptr(), origin.data_ptr()
        settings = ctypes.addressof(first), images.shape[1], *given
        found = weight.data_ptr(), _pointer(bias), ctypes.addressof(maps)
        self._of("first_pool_backward", images)(*settings, *found, after)

    def norm(
        self,
        normed: Normed,
        running: tuple[torch.Tensor, torch.Tensor],
        momentum: float,
        epsilon: float,
        gelu: bool,
    ) -> torch.Tensor:
        """Normalise each channel [and apply GELU]; fill the batch's mean and deviation.

        Args:
            normed: With `mean` and `inverse` to be filled.
            running: Mean and variance over batches, updated here.
            momentum: Share of this batch in them.
            epsilon: Added to the variance.
            gelu: Whether GELU follows.
        """
        out = torch.empty_like(normed.values)
        sizes = _norm(normed)
        pointers = (normed.values.data_ptr(), out.data_ptr(), ctypes.addressof(sizes))
        mean, variance = running
        function = self._of("norm", out)
        function(*pointers, mean.data_ptr(), variance.data_ptr(), momentum, epsilon, gelu)
        return out

    def norm_backward(
        self,
        gradient: torch.Tensor,
        normed: Normed,
        weight: torch.Tensor,
        bias: torch.Tensor,
        gelu: bool,
        relu: bool,
    ) -> torch.Tensor:
        """Return the gradient of the input; write those of weight and bias.

        Args:
            gradient: Of the result.
            normed: As `norm` left it.
            weight: (C,) float32, to be filled.
            bias: (C,) float32, to be filled.
            gelu: Whether GELU followed.
            relu: Whether the input came out of a ReLU, to lead the gradient through that too.
        """
        out = torch.empty_like(normed.values)
        sizes = _norm(normed)
        pointers = [t.data_ptr() for t in (gradient, normed.values, out)]
        function = self._of("norm_backward", gradient)
        function(*pointers, ctypes.addressof(sizes), weight.data_ptr(), bias.data_ptr(), gelu, relu)
        return out

    def convolve(
        self,
        maps: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        padding: int,
        relu: bool,
    ) -> torch.Tensor:
        """Convolve 3×3 with stride 1 [and apply ReLU].

        Args:
            maps: (N, C, H, W) bfloat16; C and O are multiples of 8.
            weight: (O, C, 3, 3) float32, channels-last.
            bias: (O,) float32, or None.
            padding: Zeros around the maps: 0, 1 or 2.
            relu: Whether values below 0 become 0.

        Raises:
            ValueError: With their zeros the maps are smaller than 3×3 pixels.
        """
        shape = _convolution(maps, len(weight), padding)
        size = shape.height + 2 * padding - 2, shape.width + 2 * padding - 2
        if min(size) < 1:
            raise ValueError(f"maps of {shape.height}×{shape.width} are smaller than 3×3 pixels")
        out = _empty(len(maps), len(weight), *size)
        taken = maps.data_ptr(), weight.data_ptr(), _pointer(bias), relu
        self._of("convolve", maps)(ctypes.addressof(shape), *taken, out.data_ptr())
        return out

    def convolve_backward(
        self, gradient: torch.Tensor, weight: torch.Tensor, maps: torch.Tensor, padding: int
    ) -> torch.Tensor:
        """Return the gradient of `maps`, given that of what `convolve` made of them."""
        shape = _convolution(maps, len(weight), padding)
        out = torch.empty_like(maps)
        taken = gradient.data_ptr(), weight.data_ptr()
        self._of("convolve_backward", maps)(ctypes.addressof(shape), *taken, out.data_ptr())
        return out

    def convolve_weight(
        self,
        maps: torch.Tensor,
        gradient: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        padding: int,
    ) -> None:
        """Write the gradients of weight and bias, in the forms that `convolve` takes."""
        shape = _convolution(maps, len(weight), padding)
        given = maps.data_ptr(), gradient.data_ptr()
        found = weight.data_ptr(), _pointer(bias)
        self._of("convolve_weight", maps)(ctypes.addressof(shape), *given, *found)


def _convolution(maps: torch.Tensor, outputs: int, padding: int) -> _Convolution:
    images, channels, height, width = maps.shape
    return _Convolution(images, height, width, padding, channels, outputs)


def _empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.bfloat16, memory_format=torch.channels_last, device="cpu")


def _first(images: torch.Tensor, padding: int, channels: int) -> tuple[_First, _Maps]:
    count, _, height, width = images.shape
    high, wide = height + 2 * padding - 2, width + 2 * padding - 2
    maps = _Maps(count, high, wide, high // 2, wide // 2, channels)
    return _First(images.data_ptr(), height, width, padding), maps


def _pointer(tensor: torch.Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _norm(normed: Normed) -> _Norm:
    images, channels, height, width = normed.values.shape
    pointers = [tensor.data_ptr() for tensor in normed[1:]]
    return _Norm(images * height * width, channels, *pointers)


@functools.cache
def kernels() -> Kernels | None:
    """Return the kernels, compiled at the first call on a machine; None where that cannot be."""
    compiled = library.load()
    return None if compiled is None else Kernels(compiled)
