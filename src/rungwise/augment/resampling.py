"""Reading new pixels from between the pixels of old images."""

import torch
import torch.nn.functional as F


def centred(side: int, device: torch.device) -> torch.Tensor:
    """Return the places of a side's pixels, measured from its middle: (side,) float32.

    >>> centred(4, torch.device("cpu")).tolist()
    [-1.5, -0.5, 0.5, 1.5]
    """
    return torch.arange(side, dtype=torch.float32, device=device) - (side - 1) / 2


def read_between(
    images: torch.Tensor, old_rows: torch.Tensor, old_columns: torch.Tensor
) -> torch.Tensor:
    """Read every new pixel from its old place, bilinearly, with the nearest pixel beyond borders.

    Args:
        images: (N, C, H, W) float in 0..1.
        old_rows: (N, H, W) float32, the row that each new pixel is read from, in pixels from the
            image's centre.
        old_columns: (N, H, W) float32, the column likewise.

    Returns:
        Images of the same shape, dtype and memory format.
    """
    # As grid_sample wants the places: column first, edges at ±1.
    height, width = images.shape[-2:]
    grid = torch.stack([old_columns * (2 / width), old_rows * (2 / height)], dim=-1)
    # In float32: bfloat16 places would be off by up to 1/32 pixel in a 32-pixel image.
    sampled = F.grid_sample(
        images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    # Rounding may leave 0..1 by the last bit. grid_sample drops channels-last; give it back.
    sampled = sampled.clamp_(0, 1).to(images.dtype)
    if images.is_contiguous(memory_format=torch.channels_last):
        return sampled.contiguous(memory_format=torch.channels_last)
    return sampled
