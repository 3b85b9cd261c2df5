"""Small image files and folders."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_png() -> Callable[..., Path]:
    """Write a PNG: a grey one of a value, or a colour, or any array."""

    def write(path: Path, value: object = 0, size: tuple[int, int] = (4, 4)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, np.ndarray):
            pixels = value
        else:
            shape = size if isinstance(value, int) else (*size, 3)
            pixels = np.full(shape, value, np.uint8)
        Image.fromarray(pixels).save(path, format="PNG")
        return path

    return write


@pytest.fixture
def photos(tmp_path: Path, write_png: Callable[..., Path]) -> Path:
    """A split folder: cats and dogs, 3 + 2 to train on, 1 + 1 to test on; all different."""
    root = tmp_path / "photos"
    for i, name in enumerate(["cat/a", "cat/b", "cat/c", "dog/a", "dog/b"]):
        write_png(root / "train" / f"{name}.png", 10 * i)
    write_png(root / "test" / "cat" / "x.png", 100)
    write_png(root / "test" / "dog" / "y.png", 110)
    return root
