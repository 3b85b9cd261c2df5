"""Our own training as a contestant.

    python -m rungwise.bench.ours NET FORMAT          FORMAT is auto, float32 or bfloat16

Speaks as `process` has it: a line of JSON when ready, then for each line with a number of images
one with the seconds that training on them took, and with the speed of a matrix product right after.
"""

import itertools
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from rungwise.bench.machine import flops, median_seconds
from rungwise.bench.nets import choose_nets
from rungwise.errors import ConfigError
from rungwise.training import precision
from rungwise.training.loop import Progress, Training
from rungwise.training.precision import Precision
from rungwise.training.seed import Seed

PRODUCT_SIZE = 2048
FORMATS: dict[str, Precision] = {
    "auto": "auto",
    "float32": "float32",
    "bfloat16": "bfloat16",
}


def main() -> None:
    """Train the named net on as many images as each line of the standard input says."""
    name, wish = sys.argv[1:]
    training = prepare(name, wish)
    size = training.recipe.batch_size
    print(json.dumps(described(training)), flush=True)
    steps = training.steps()
    for line in sys.stdin:
        seconds = time_steps(steps, int(line) // size)
        product = product_speed(precision.dtype_of(training.recipe.precision))
        told = {"seconds": seconds, "peak_memory": peak_memory(), "product": product}
        print(json.dumps(told), flush=True)


def prepare(name: str, wish: str) -> Training:
    """Return the training of a net on random images.

    Raises:
        UnknownNameError: There is no such net.
        ConfigError: There is no such number format.
    """
    (net,) = choose_nets([name])
    if wish not in FORMATS:
        raise ConfigError(
            f"the number format is {wish!r}",
            expected=f"one of {', '.join(FORMATS)}",
            fix="use auto",
        )
    recipe = net.recipe_in(FORMATS[wish])
    return Training(recipe, net.random_images(), None, Seed(0), torch.device("cpu"))


def described(training: Training) -> dict[str, object]:
    """Return what the ready line says."""
    return {
        "torch": torch.__version__,
        "batch_size": training.recipe.batch_size,
        "parameters": sum(tensor.numel() for tensor in training.net.parameters()),
        "precision": training.recipe.precision,
    }


def time_steps(steps: Iterator[Progress], count: int) -> float:
    """Take so many steps and return the seconds."""
    started = time.perf_counter()
    for _ in itertools.islice(steps, count):
        pass
    return time.perf_counter() - started


def product_speed(dtype: torch.dtype) -> float:
    """Return the operations a second of a square matrix product, the median of a few."""
    left, right = torch.rand(2, PRODUCT_SIZE, PRODUCT_SIZE).to(dtype)
    return flops(PRODUCT_SIZE) / median_seconds(lambda: left @ right)


def peak_memory() -> int:
    """Return the most bytes that this process has held in memory.

    What `getrusage` tells on Linux is at least what the parent held when it started the process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
