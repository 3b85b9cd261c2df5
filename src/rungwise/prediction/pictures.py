"""From an image file to the pixels that a predictor takes."""

from pathlib import Path

import torch

from rungwise.data.sources.picture import LARGEST_PIXELS, read_picture
from rungwise.errors import DataError
from rungwise.prediction.predictor import Predictor


def pixels_for(
    predictor: Predictor,
    source: Path | bytes,
    *,
    name: str | None = None,
    most_pixels: int = LARGEST_PIXELS,
) -> torch.Tensor:
    """Decode an image file as the training's files were decoded.

    Args:
        predictor: Says which size and how many channels the image must have.
        source: The file, or what a file holds.
        name: What messages call it; the path by default.
        most_pixels: Larger images are refused before they are decoded.

    Returns:
        (H, W, C) uint8.

    Raises:
        DataError: The file cannot be read or is too large, or its size is not that of the
            training's images and they were not resized either.
    """
    channels, height, width = predictor.shape
    name = name or (str(source) if isinstance(source, Path) else "the image")
    picture = read_picture(
        source,
        image_size=(height, width) if predictor.resizes else None,
        channels=channels if channels in (1, 3) else None,
        name=name,
        most_pixels=most_pixels,
    )
    found_height, found_width, found_channels = picture.pixels.shape
    if (found_height, found_width) != (height, width):
        raise DataError(
            f"{name} is {found_width}x{found_height} pixels",
            expected=f"{width}x{height}, the size of the training's images",
            fix=f"resize it to {width}x{height}, or train on a folder with --image-size, which "
            "makes the predictor resize too",
        )
    if found_channels != channels:
        raise DataError(
            f"{name} has {found_channels} channels",
            expected=f"{channels}, as the training's images have",
            fix="predict such images from Python: an image file holds grey or colour alone",
        )
    return torch.from_numpy(picture.pixels)
