"""Boxes in images, one for each image of a batch."""

import torch


def inside_boxes(
    images: torch.Tensor,
    top: torch.Tensor,
    left: torch.Tensor,
    height: torch.Tensor | int,
    width: torch.Tensor | int,
) -> torch.Tensor:
    """Return which pixels lie in their image's box: (N, 1, H, W) bool.

    Args:
        images: (N, C, H, W); only its shape and device are used.
        top: (N,) the first row of each box.
        left: (N,) the first column of each box.
        height: (N,) or one for all; 0 leaves the box empty.
        width: (N,) or one for all.
    """
    rows = torch.arange(images.shape[-2], device=images.device)
    columns = torch.arange(images.shape[-1], device=images.device)
    in_rows = _between(rows, top, top + height)
    in_columns = _between(columns, left, left + width)
    return (in_rows[:, :, None] & in_columns[:, None, :])[:, None]


def _between(places: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    return (places >= low[:, None]) & (places < high[:, None])
