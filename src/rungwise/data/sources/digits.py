"""The 8 × 8 digits that come with scikit-learn: always there, nothing to download.

Source: Alpaydin & Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI; the test part of
that set, 1,797 images, as `sklearn.datasets.load_digits` brings it.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rungwise.data.download import Download
from rungwise.data.images import LabelledImages
from rungwise.data.split import stratified_split
from rungwise.randomness import generator

TEST_SHARE = 0.2
"""scikit-learn brings one part, so a fixed stratified share of it is held out for testing."""


@dataclass(frozen=True)
class Digits:
    """The digits inside scikit-learn; no file is ever missing."""

    def missing(self, folder: Path) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def files(self, folder: Path) -> tuple[Path, ...]:
        """Return scikit-learn's first file, which another version replaces, as it has the digits.

        Only looking for it, not importing the library, takes no time.
        """
        spec = importlib.util.find_spec("sklearn")
        return (Path(spec.origin),) if spec and spec.origin else ()

    def downloads(self) -> tuple[Download, ...]:
        """Return nothing."""
        return ()

    def read(
        self, folder: Path, class_names: tuple[str, ...]
    ) -> tuple[LabelledImages, LabelledImages]:
        """Return 1,438 training and 359 test images, the same on every machine.

        The values 0..16 become 0..255, each rounded to the nearest (8, exactly between two,
        becomes 128). The test part is drawn by the generator keyed `("digits", "test")`.
        """
        from sklearn.datasets import load_digits

        digits = load_digits()
        pixels = (digits.images.astype(np.int64) * 255 + 8) // 16
        images = torch.from_numpy(pixels.astype(np.uint8)).unsqueeze(-1)
        labels = torch.from_numpy(digits.target.astype(np.int64))
        everything = LabelledImages(images, labels, class_names)
        return stratified_split(everything, TEST_SHARE, generator("digits", "test"))
