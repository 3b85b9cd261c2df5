"""What the machine can do at most: matrix products, and article B's augmentation beside them."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

import torch

from rungwise.ladder.presets.cifar10 import BENCHMARK, NORMAL

SIZES = (256, 512, 1024, 2048, 4096)
LONGEST_PRODUCT = 1.0
"""Seconds that one product may take; what would take longer is not measured."""
REPEATS = 5
IMAGE = (3, 32, 32)
FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Product:
    """The speed of a square matrix product in one number format.

    Args:
        format: float32 or bfloat16.
        size: Rows and columns.
        flops_per_second: Floating-point operations a second, two for each multiply-add.
    """

    format: str
    size: int
    flops_per_second: float


def measure_products() -> list[Product]:
    """Return the speed in each number format, with all threads that PyTorch uses."""
    return [measure_product(name) for name in FORMATS]


def measure_product(name: str) -> Product:
    """Return the fastest of the products that do not take too long.

    Not simply the largest: rows of a power of two compete for the same lines of a cache, and on a
    machine that does other work too a longer product is disturbed more.
    """
    best = _timed(name, SIZES[0])
    for size in SIZES[1:]:
        if flops(size) > LONGEST_PRODUCT * best.flops_per_second:
            break
        best = max(best, _timed(name, size), key=attrgetter("flops_per_second"))
    return best


def flops(size: int) -> int:
    """Return the operations of a product of square matrices.

    >>> flops(10)
    2000
    """
    return 2 * size**3


def augmentation_seconds() -> float:
    """Return how long article B's augmentation takes for one of its batches."""
    rng = torch.Generator().manual_seed(0)
    batch = torch.rand(BENCHMARK.batch_size, *IMAGE, generator=rng)
    batch = batch.to(memory_format=torch.channels_last)

    def augment() -> None:
        images = batch
        for augmentation in NORMAL:
            images = augmentation.change_images(images, rng)

    return median_seconds(augment)


def median_seconds(work: Callable[[], object]) -> float:
    """Return the median of several timings of `work`; the first call is not counted."""
    work()
    return statistics.median(_seconds(work) for _ in range(REPEATS))


def _timed(name: str, size: int) -> Product:
    return Product(name, size, flops(size) / median_seconds(_product(size, FORMATS[name])))


def _product(size: int, number_format: torch.dtype) -> Callable[[], object]:
    left, right = torch.rand(2, size, size).to(number_format)
    return lambda: left @ right


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
