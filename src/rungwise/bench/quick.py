"""What this machine does with our engine alone, in a minute or two."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rungwise.bench.contestants import OURS
from rungwise.bench.machine import Product, augmentation_seconds, measure_products
from rungwise.bench.nets import BenchNet
from rungwise.bench.process import Resident, Turn
from rungwise.bench.result import share_of_product
from rungwise.bench.rounds import Pace, warm_up

AUGMENTED = "B-benchmark"
"""The net whose training step the augmentation is compared with."""
PACE = Pace(seconds=0.6, least_batches=1)
TURNS = 3
SECONDS_OF_TURNS = 4.0
"""A net's turns take no longer than this together, unless the first one alone does."""


@dataclass(frozen=True, kw_only=True)
class QuickNet:
    """What the machine does with one net.

    Args:
        net: The net's name.
        format: The number format of its products.
        batch_size: Images in a step.
        images_per_second: Images trained on in a second, the median of several turns.
        flops_per_image: Operations of one image, forward and backward.
        share: Share of the speed of a matrix product in that format, timed after each turn, that
            the training reaches.
        startup_seconds: From the start of a fresh process to the end of its first training step.
        peak_memory: The most bytes that the process has held.
    """

    net: str
    format: str
    batch_size: int
    images_per_second: float
    flops_per_image: int
    share: float | None
    startup_seconds: float
    peak_memory: int


@dataclass(frozen=True, kw_only=True)
class QuickResult:
    """What the machine does.

    Args:
        machine: Facts about the machine and our libraries.
        date: When it started, as ISO 8601 has it.
        products: Speeds of matrix products.
        nets: What it does with each net.
        augmentation_seconds: Article B's augmentation of one batch.
        augmentation_share: The same as a share of a training step; None if that was not measured.
    """

    machine: Mapping[str, Any]
    date: str
    products: tuple[Product, ...]
    nets: tuple[QuickNet, ...]
    augmentation_seconds: float
    augmentation_share: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def measure(
    nets: Sequence[BenchNet],
    machine: Mapping[str, Any],
    date: str,
    threads: int,
    tell: Callable[[str], None],
) -> QuickResult:
    """Measure the machine's products, then each net in a process of its own.

    Args:
        nets: The nets.
        machine: Facts for the result.
        date: When the measuring starts.
        threads: Threads of each process.
        tell: Called with lines about the progress.

    Raises:
        ContestantLost: A process ends before it has been measured.
    """
    tell("matrix products and augmentation")
    products = measure_products()
    augmentation = augmentation_seconds()
    measured = []
    for net in nets:
        tell(net.name)
        measured.append(measure_net(net, threads))
    return QuickResult(
        machine=machine,
        date=date,
        products=tuple(products),
        nets=tuple(measured),
        augmentation_seconds=augmentation,
        augmentation_share=augmentation_share(augmentation, measured),
    )


def measure_net(net: BenchNet, threads: int) -> QuickNet:
    """Train a net in a fresh process for a few seconds.

    Args:
        net: The net.
        threads: Threads of the process.

    Raises:
        ContestantLost: The process ends.
    """
    started = time.perf_counter()
    with Resident((*OURS, net.name, "auto"), threads) as resident:
        resident.train(resident.batch_size)
        startup = time.perf_counter() - started
        turns = take_turns(resident)
    speed = statistics.median(turn.images_per_second for turn in turns)
    flops = net.summary().training_flops_per_image
    return QuickNet(
        net=net.name,
        format=resident.about["precision"],
        batch_size=resident.batch_size,
        images_per_second=speed,
        flops_per_image=flops,
        share=share_of_product(turns, flops),
        startup_seconds=startup,
        peak_memory=turns[-1].peak_memory,
    )


def take_turns(resident: Resident) -> list[Turn]:
    """Warm a contestant up, and let it take some turns, or a single one that is long."""
    images = warm_up(resident, PACE)
    turns = [resident.train(images)]
    while len(turns) < TURNS and turns[0].seconds * (len(turns) + 1) < SECONDS_OF_TURNS:
        turns.append(resident.train(images))
    return turns


def augmentation_share(seconds: float, nets: Sequence[QuickNet]) -> float | None:
    """Return the augmentation's time as a share of the time of a training step of its net."""
    for net in nets:
        if net.net == AUGMENTED:
            return seconds * net.images_per_second / net.batch_size
    return None
