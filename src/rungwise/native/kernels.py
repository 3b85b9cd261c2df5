"""The kernels as functions of tensors.

Tensors of four dimensions are (N, C, H, W) and lie channels-last in memory; all tensors of one call
have one dtype, float32 or bfloat16, and are on the CPU. A kernel reads and writes memory as it is
told to. So the address of a tensor from outside is taken by `_address` alone, which checks it.
"""

import ctypes
import functools
from collections.abc import Callable
from ctypes import c_double, c_int, c_int64, c_uint64, c_void_p
from typing import Any, NamedTuple

import torch

from rungwise.errors import RunError
from rungwise.native import library

SUFFIXES = {torch.float32: "f32", torch.bfloat16: "b16"}
ROWS = torch.contiguous_format
COLOURS = (1, 3)
PADDINGS = (0, 1, 2)
UNIT = 8
"""What the channels of `convolve` are multiples of."""

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
        function = self._functions.get((name, values.dtype))
        if function is None:
            raise _unfit(values, "float32 or bfloat16, as the operation has it")
        return function

    def to_unit(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return images in 0..1: (N, C, H, W) float32, channels-last.

        Args:
            pixels: (N, H, W, C) uint8, contiguous.
        """
        images = torch.empty(pixels.shape, dtype=torch.float32, device="cpu")
        taken = _address(pixels, torch.uint8, *pixels.shape, lies=ROWS)
        self._to_unit(taken, images.data_ptr(), pixels.numel())
        return images.permute(0, 3, 1, 2)

    def scale(
        self, images: torch.Tensor, mean: torch.Tensor, std: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        """Return (images - mean) / std in `dtype`.

        Args:
            images: (N, C, H, W) float32, channels-last.
            mean: (C,) float32.
            std: (C,) float32.
            dtype: float32 or bfloat16.
        """
        count, channels, height, width = images.shape
        taken = _address(images, torch.float32, *images.shape)
        line = [_address(one, torch.float32, channels) for one in (mean, std)]
        scaled = torch.empty_like(images, dtype=dtype, memory_format=torch.channels_last)
        pixels = count * height * width
        self._of("scale", scaled)(taken, scaled.data_ptr(), pixels, channels, *line)
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
        rows, classes = logits.shape
        taken = _address(logits, logits.dtype, rows, max(1, classes))
        aims = _address(targets, torch.float32, rows, classes)
        total = _address(sums, torch.float64, 2)
        gradient = torch.empty_like(logits)
        function = self._of("cross_entropy", logits)
        function(taken, aims, gradient.data_ptr(), rows, classes, total)
        return gradient

    def drop(self, values: torch.Tensor, drop: Drop, relu: bool) -> None:
        """Set negative values (with `relu`) and a random share to 0, scale the others, in place."""
        function = self._of("drop", values)
        taken = _address(values, values.dtype, *values.shape)
        function(taken, values.numel(), relu, drop.rate, drop.key)

    def relu_drop_backward(self, gradient: torch.Tensor, made: torch.Tensor, rate: float) -> None:
        """Lead a gradient back, in place, through what made `made` with ReLU and dropout."""
        function = self._of("relu_drop_backward", gradient)
        pointers = [_address(t, gradient.dtype, *made.shape) for t in (gradient, made)]
        function(*pointers, made.numel(), rate)

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
        taken = _address(maps, maps.dtype, *maps.shape)
        made = out.data_ptr(), origin.data_ptr(), ctypes.addressof(sizes)
        self._of("pool", maps)(taken, *made, relu, *before, *after)
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
        if height not in _halves(size[0]) or width not in _halves(size[1]):
            raise _unfit(gradient, f"half of {size} in height and width")
        taken = _address(gradient, gradient.dtype, *gradient.shape)
        places = _address(origin, torch.uint8, *gradient.shape)
        out = torch.empty(
            (images, channels, *size),
            dtype=gradient.dtype,
            memory_format=torch.channels_last,
            device="cpu",
        )
        sizes = _Maps(images, *size, height, width, channels)
        pointers = taken, places, out.data_ptr(), ctypes.addressof(sizes)
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
        outputs = weight.shape[-1]
        first, maps = _first(images, padding, outputs)
        taps = _address(weight, torch.float32, 3, 3, images.shape[1], outputs, lies=ROWS)
        shape = len(images), maps.channels, maps.out_height, maps.out_width
        out = torch.empty(
            shape, dtype=images.dtype, memory_format=torch.channels_last, device="cpu"
        )
        origin = torch.empty(
            shape, dtype=torch.uint8, memory_format=torch.channels_last, device="cpu"
        )
        settings = ctypes.addressof(first), images.shape[1], taps, _bias(bias, outputs)
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
        outputs = weight.shape[-1]
        first, maps = _first(images, padding, outputs)
        shape = len(images), outputs, maps.out_height, maps.out_width
        slopes, places = (
            _address(gradient, images.dtype, *shape),
            _address(origin, torch.uint8, *shape),
        )
        settings = ctypes.addressof(first), images.shape[1], slopes, places
        taps = _address(weight, torch.float32, 3, 3, images.shape[1], outputs, lies=ROWS)
        found = taps, _bias(bias, outputs), ctypes.addressof(maps)
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
        taken, sizes = _norm(normed)
        out = torch.empty_like(normed.values)
        kept = [_address(one, torch.float32, sizes.channels) for one in running]
        function = self._of("norm", out)
        function(taken, out.data_ptr(), ctypes.addressof(sizes), *kept, momentum, epsilon, gelu)
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
        taken, sizes = _norm(normed)
        out = torch.empty_like(normed.values)
        slopes = _address(gradient, out.dtype, *out.shape)
        found = [_address(one, torch.float32, sizes.channels) for one in (weight, bias)]
        function = self._of("norm_backward", gradient)
        pointers = slopes, taken, out.data_ptr(), ctypes.addressof(sizes)
        function(*pointers, *found, gelu, relu)
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
            RunError: With their zeros the maps are smaller than 3×3 pixels.
        """
        shape, pixels, taps = _convolution(maps, weight, padding)
        out = _empty(*_result(shape))
        taken = pixels, taps, _bias(bias, shape.outputs), relu
        self._of("convolve", maps)(ctypes.addressof(shape), *taken, out.data_ptr())
        return out

    def convolve_backward(
        self, gradient: torch.Tensor, weight: torch.Tensor, maps: torch.Tensor, padding: int
    ) -> torch.Tensor:
        """Return the gradient of `maps`, given that of what `convolve` made of them."""
        shape, _, taps = _convolution(maps, weight, padding)
        slopes = _address(gradient, maps.dtype, *_result(shape))
        out = torch.empty_like(maps)
        function = self._of("convolve_backward", maps)
        function(ctypes.addressof(shape), slopes, taps, out.data_ptr())
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
        shape, pixels, taps = _convolution(maps, weight, padding)
        slopes = _address(gradient, maps.dtype, *_result(shape))
        function = self._of("convolve_weight", maps)
        function(ctypes.addressof(shape), pixels, slopes, taps, _bias(bias, shape.outputs))


def _address(
    tensor: torch.Tensor, dtype: torch.dtype, *shape: int, lies: torch.memory_format | None = None
) -> int:
    """Return where a tensor's numbers lie, all of them without gaps, in the order of the kernels.

    Args:
        tensor: Given from outside; those made here need no check.
        dtype: That it must have.
        shape: That it must have.
        lies: Its order in memory, by default channels-last with four dimensions, else by rows.

    Raises:
        RunError: It is something else.
    """
    order = lies or (torch.channels_last if len(shape) == 4 else ROWS)
    if (
        tensor.dtype is dtype
        and tensor.shape == shape
        and tensor.is_cpu
        and tensor.layout is torch.strided
        and tensor.is_contiguous(memory_format=order)
    ):
        return tensor.data_ptr()
    words = "row by row" if order is ROWS else "channels-last"
    raise _unfit(tensor, f"{dtype} of shape {shape}, {words} without gaps")


def _unfit(tensor: torch.Tensor, expected: str) -> RunError:
    has = f"{tensor.dtype} of shape {tuple(tensor.shape)}"
    if tensor.layout is torch.strided:
        has += f" with strides {tensor.stride()}"
    return RunError(
        f"a compiled operation was given a tensor that it cannot use: {has} on {tensor.device}",
        expected=f"{expected}, on the CPU",
        fix="let a model, technique or augmentation of your own keep the dtype and shape that it "
        "is given; without one this is a fault of rungwise, so please report it",
    )


def _halves(side: int) -> tuple[int, int]:
    """Return how many windows of 2 pixels there are without one that sticks out, and with it."""
    return side // 2, (side + 1) // 2


def _bias(bias: torch.Tensor | None, outputs: int) -> int | None:
    return None if bias is None else _address(bias, torch.float32, outputs)


def _convolution(
    maps: torch.Tensor, weight: torch.Tensor, padding: int
) -> tuple[_Convolution, int, int]:
    """Return sizes, and the addresses of maps and weight."""
    images, channels, height, width = maps.shape
    outputs = len(weight)
    shape = _Convolution(images, height, width, padding, channels, outputs)
    small = min(height, width) + 2 * padding < 3
    if small or padding not in PADDINGS or channels % UNIT or outputs % UNIT:
        raise _unfit(maps, f"{UNIT} channels or a multiple, 3×3 pixels or more with their zeros")
    taps = _address(weight, torch.float32, outputs, channels, 3, 3)
    return shape, _address(maps, torch.bfloat16, *maps.shape), taps


def _result(shape: _Convolution) -> tuple[int, int, int, int]:
    edge = 2 * shape.padding - 2
    return shape.images, shape.outputs, shape.height + edge, shape.width + edge


def _empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.bfloat16, memory_format=torch.channels_last, device="cpu")


def _first(images: torch.Tensor, padding: int, channels: int) -> tuple[_First, _Maps]:
    count, colours, height, width = images.shape
    high, wide = height + 2 * padding - 2, width + 2 * padding - 2
    if colours not in COLOURS or padding not in PADDINGS or min(high, wide) < 1:
        raise _unfit(images, "1 or 3 channels, 3×3 pixels or more with their zeros")
    maps = _Maps(count, high, wide, high // 2, wide // 2, channels)
    return _First(_address(images, images.dtype, *images.shape), height, width, padding), maps


def _norm(normed: Normed) -> tuple[int, _Norm]:
    """Return the address of the values, and sizes with the other addresses."""
    values = normed.values
    images, channels, height, width = values.shape
    rows = images * height * width
    if not rows:
        raise _unfit(values, "one pixel or more")
    pointers = [_address(tensor, torch.float32, channels) for tensor in normed[1:]]
    return _address(values, values.dtype, *values.shape), _Norm(rows, channels, *pointers)


@functools.cache
def kernels() -> Kernels | None:
    """Return the kernels, compiled at the first call on a machine; None where that cannot be."""
    compiled = library.load()
    return None if compiled is None else Kernels(compiled)
