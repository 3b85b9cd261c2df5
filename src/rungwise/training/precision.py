"""Number formats: bfloat16 products where the processor is fast at them, else float32."""

import contextlib
import functools
from typing import Literal

import torch
import torch.nn.functional as F

from rungwise.errors import ConfigError

Precision = Literal["auto", "float32", "bfloat16"]

SMALLEST_BATCH_FLOPS = 2e8
"""Forward operations of a batch below which bfloat16 does not pay on a CPU: the conversions of the
weights cost more than the products save (docs/log.md has the measurement)."""


@functools.cache
def bfloat16_problem(device: torch.device) -> str | None:
    """Return why a device cannot train in bfloat16, or None if it can.

    The question is asked once in a process, by trying each operation that a training needs on
    small tensors. oneDNN, for example, refuses convolutions in bfloat16 on processors with AVX2
    alone.
    """
    try:
        _try_layers(device)
        if device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            _try_onednn()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return None


def _try_layers(device: torch.device) -> None:
    """Run a convolution and a dense layer forward and back, as PyTorch's own pass does."""
    maps = torch.ones(2, 16, 4, 4, dtype=torch.float32, device=device, requires_grad=True)
    filters = torch.ones(16, 16, 3, 3, dtype=torch.float32, device=device, requires_grad=True)
    matrix = torch.ones(8, 64, dtype=torch.float32, device=device, requires_grad=True)
    with torch.inference_mode(False), torch.enable_grad(), autocast("bfloat16", device):
        made = F.conv2d(maps.contiguous(memory_format=torch.channels_last), filters)
        F.linear(made.flatten(1), matrix).sum().backward()  # type: ignore[no-untyped-call]


def _try_onednn() -> None:
    """Call the operations that the program's convolutions name, forward and back."""
    maps, filters = (
        torch.ones(shape, dtype=torch.bfloat16, device="cpu").contiguous(
            memory_format=torch.channels_last
        )
        for shape in ((2, 16, 4, 4), (16, 16, 3, 3))
    )
    settings = [0, 0], [1, 1], [1, 1]
    made = torch.ops.mkldnn._convolution_pointwise.default(
        maps, filters, None, *settings, 1, "none", [], ""
    )
    torch.ops.aten.convolution_backward.default(
        made, maps, filters, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, False]
    )


@functools.cache
def bfloat16_is_fast(device: torch.device) -> bool:
    """Tell whether the device multiplies bfloat16 in hardware, and each operation is there.

    On a processor without it (AVX2 alone) bfloat16 is up to hundreds of times slower than float32.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    in_hardware = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return in_hardware and bfloat16_problem(device) is None


def resolve(precision: Precision, device: torch.device, batch_flops: float) -> Precision:
    """Return `float32` or `bfloat16` for `auto`, else the precision itself.

    Args:
        precision: The recipe's wish.
        device: Where the training runs.
        batch_flops: Floating-point operations of one batch forward.

    Raises:
        ConfigError: The recipe asks for bfloat16, and the device cannot do it.
    """
    if precision == "auto":
        worth = device.type == "cuda" or batch_flops >= SMALLEST_BATCH_FLOPS
        return "bfloat16" if worth and bfloat16_is_fast(device) else "float32"
    if precision == "bfloat16" and (problem := bfloat16_problem(device)):
        raise ConfigError(
            f"precision is bfloat16, but this {_name(device)} cannot train in it: {problem}",
            expected="a number format that the machine has; `rungwise doctor` lists what it can do",
            fix="choose precision auto, which takes the fastest of them (--set precision=auto)",
        )
    return precision


def to_predict_in(precision: Precision, device: torch.device) -> Precision:
    """Return the format that a net predicts in: its own, or float32 where that is missing.

    A net that was trained in bfloat16 gives the same answers in float32, rounding aside.
    """
    return "float32" if precision == "bfloat16" and bfloat16_problem(device) else precision


def _name(device: torch.device) -> str:
    return "processor" if device.type == "cpu" else f"device ({device})"


def dtype_of(precision: Precision) -> torch.dtype:
    """Return the format of products and of what lies between layers; `precision` is resolved."""
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def autocast(precision: Precision, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Return the context under which a net runs in `precision`; weights stay float32."""
    if precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()
