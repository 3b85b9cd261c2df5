"""Do the fused instructions and bfloat16 cost accuracy?

    python benchmarks/numerics.py fashion-mnist docs/results/numerics-fashion-mnist.json
    python benchmarks/numerics.py cifar10 docs/results/numerics-cifar10.json

A net is trained from the same seeds in four ways: by PyTorch's own pass and by the program of
fused instructions, each in float32 and in bfloat16. The seeds give the same images, the same order
and the same first weights; only dropout's draws differ between PyTorch and the program. Test
accuracies and the paired differences from PyTorch in float32 are written as JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

WAYS = ("pytorch float32", "pytorch bfloat16", "program float32", "program bfloat16")
IMAGES = 12_000
NO_COMPILER = "no-compiler"


def recipes() -> dict[str, Any]:
    """Return the recipes: dropout and pooling in one net, normalisation and GELU in the other."""
    from rungwise.ladder.presets import fashion_mnist
    from rungwise.models import Compact
    from rungwise.training.optimizer import AdamW
    from rungwise.training.recipe import Recipe
    from rungwise.training.schedule import Cosine

    compact = Recipe(
        name="compact",
        model=Compact(widths=(32, 64, 64), stem_width=16),
        optimizer=AdamW(lr=0.003, weight_decay=0.02),
        schedule=Cosine(),
        epochs=3,
        batch_size=128,
    )
    return {"fashion-mnist": replace(fashion_mnist.CONV2, epochs=3), "cifar10": compact}


def train(data: str, number_format: str, seed: int) -> float:
    """Train in this process and return the accuracy on the test images."""
    import torch

    from rungwise.data import load
    from rungwise.training.loop import Training
    from rungwise.training.seed import Seed

    dataset = load(data)
    order = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(seed))
    recipe = replace(recipes()[data], precision=number_format)
    images = dataset.train.take(order[:IMAGES])
    training = Training(recipe, images, dataset.test, Seed(seed), torch.device("cpu"))
    for _ in training.steps():
        pass
    accuracy = training.history[-1].val_acc
    if accuracy is None:
        raise ValueError("there are no test images")
    return accuracy


def measure(data: str, way: str, seed: int) -> float:
    """Train in a process of its own, which has a compiler or none."""
    engine, number_format = way.split()
    environment = {**os.environ, **({"CXX": NO_COMPILER} if engine == "pytorch" else {})}
    command = [sys.executable, __file__, data, "--one", number_format, str(seed)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout)


def compared(accuracies: dict[str, list[float]]) -> dict[str, Any]:
    """Return mean, spread and the mean paired difference from the first way, with its error."""
    first = accuracies[WAYS[0]]
    result = {}
    for way, values in accuracies.items():
        gains = [value - base for value, base in zip(values, first, strict=True)]
        result[way] = {
            "accuracies": values,
            "mean": statistics.mean(values),
            "std": statistics.stdev(values),
            "difference": statistics.mean(gains),
            "standard_error": statistics.stdev(gains) / len(gains) ** 0.5,
        }
    return result


def main() -> None:
    """Train in all ways from each seed and write the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=recipes())
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--one", nargs=2, metavar=("FORMAT", "SEED"))
    options = parser.parse_args()
    if options.one:
        number_format, seed = options.one
        print(train(options.data, number_format, int(seed)))
        return
    accuracies: dict[str, list[float]] = {way: [] for way in WAYS}
    for seed in range(options.seeds):
        for way in WAYS:
            accuracies[way].append(measure(options.data, way, seed))
            print(seed, way, accuracies[way][-1], flush=True)
    options.out.write_text(json.dumps(compared(accuracies), indent=1) + "\n")


if __name__ == "__main__":
    main()
