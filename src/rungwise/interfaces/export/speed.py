"""Latency: how long a predictor and its exported file take for the same images, in turn."""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping

import torch

BATCHES = (1, 100)
"""Images that are asked for at once."""
SECONDS = 2.0
"""About how long each batch size is measured, all contestants together."""
FEWEST, MOST = 5, 200
"""Rounds that are measured at least and at most."""

Answer = Callable[[torch.Tensor], torch.Tensor]


def latencies(contestants: Mapping[str, Answer], images: torch.Tensor) -> dict[str, list[float]]:
    """Return for each contestant its median seconds for each of `BATCHES`, on one thread.

    The contestants take turns, so that what slows the machine down for a while slows all of them.

    Args:
        contestants: Functions of images, by name.
        images: (N, H, W, C) uint8, at least one; repeated where a batch has more.
    """
    with _one_thread():
        measured = [_medians(contestants, _batch(images, size)) for size in BATCHES]
    return {name: [medians[name] for medians in measured] for name in contestants}


def _medians(contestants: Mapping[str, Answer], pixels: torch.Tensor) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for answer in contestants.values():
        answer(pixels)  # the first call sets up what the others find
    started = time.perf_counter()
    for number in range(MOST):
        if number >= FEWEST and time.perf_counter() - started > SECONDS:
            break
        for name, answer in contestants.items():
            before = time.perf_counter()
            answer(pixels)
            times[name].append(time.perf_counter() - before)
    return {name: statistics.median(values) for name, values in times.items()}


def _batch(images: torch.Tensor, size: int) -> torch.Tensor:
    return images[torch.arange(size) % len(images)].contiguous()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
