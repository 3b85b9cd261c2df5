"""Number formats: bfloat16 products where the processor is fast at them, else float32."""

import contextlib
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]

SMALLEST_BATCH_FLOPS = 2e8
"""Forward operations of a batch below which bfloat16 does not pay on a CPU: the conversions of the
weights cost more than the products save (docs/log.md has the measurement)."""


def bfloat16_is_fast(device: torch.device) -> bool:
    """Tell whether the device multiplies bfloat16 in hardware.

    On a processor without it (AVX2 alone) bfloat16 is up to hundreds of times slower than float32.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def resolve(precision: Precision, device: torch.device, batch_flops: float) -> Precision:
    """Return `float32` or `bfloat16` for `auto`, else the precision itself.

    Args:
        precision: The recipe's wish.
        device: Where the training runs.
        batch_flops: Floating-point operations of one batch forward.
    """
    if precision != "auto":
        return precision
    worth = device.type == "cuda" or batch_flops >= SMALLEST_BATCH_FLOPS
    return "bfloat16" if worth and bfloat16_is_fast(device) else "float32"


def dtype_of(precision: Precision) -> torch.dtype:
    """Return the format of products and of what lies between layers; `precision` is resolved."""
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def autocast(precision: Precision, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Return the context under which a net runs in `precision`; weights stay float32."""
    if precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()
