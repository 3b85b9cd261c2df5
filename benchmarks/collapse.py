"""How often does a training on unknown data collapse?

Trains the first recipe of the general ladder, in its smallest size, with many seeds on each data
set that is named, and on sets that are made here and are hard for normalised nets: inverted digits,
plain colours, black images with few white pixels, one colour channel alone, images that are all the
same. A training has collapsed if its validation accuracy is below 0.9 of the median over the seeds
of its set and number format. Exit code 1 if any has.

Command: python benchmarks/collapse.py OUT.json [DATA…] --seeds 15 [--formats float32 bfloat16]
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rungwise.data import Dataset, draw, from_arrays, load
from rungwise.ladder.environment import describe_environment
from rungwise.ladder.general import SIZES, Traits, first_recipe
from rungwise.models.input import network_shape
from rungwise.training.loop import Training
from rungwise.training.precision import Precision
from rungwise.training.readiness import made_ready
from rungwise.training.seed import Seed

CPU = torch.device("cpu")
SHARE = 0.9
IMAGES, SIDE, CLASSES = 1000, 32, 10
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Outcome:
    """How one training ended."""

    data: str
    number_format: str
    seed: int
    val_accuracy: float
    val_loss: float
    train_accuracy: float
    largest_bias: float


def made_up() -> Iterator[tuple[str, Dataset]]:
    """Yield sets that are hard for normalised nets, each of ten classes but the last."""
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES) % CLASSES
    digits = load("digits").train
    yield "inverted digits", from_arrays(255 - digits.images.numpy(), digits.labels.numpy())
    shape = (IMAGES, SIDE, SIDE, 3)
    colours = np.linspace(20, 230, CLASSES)[labels][:, None, None, None].astype(np.uint8)
    tints = rng.integers(0, 256, (CLASSES, 3))[labels][:, None, None]
    yield "plain greys", from_arrays(np.broadcast_to(colours, shape).copy(), labels)
    yield "plain colours", from_arrays(np.broadcast_to(tints, shape).astype(np.uint8), labels)
    dots = np.zeros(shape, np.uint8)
    for image, label in zip(dots, labels, strict=True):
        row, column = 3 * label, rng.integers(SIDE)
        image[row : row + 2, column] = 255
    yield "few white pixels", from_arrays(dots, labels)
    yield "few black pixels", from_arrays(255 - dots, labels)
    red = dots + (rng.integers(0, 8, shape) * (dots == 0)).astype(np.uint8)
    red[..., 1:] = 0
    yield "red alone", from_arrays(red, labels)
    same = np.full(shape, 128, np.uint8)
    yield "all the same", from_arrays(same, labels)


def outcome(
    name: str, dataset: Dataset, number_format: Precision, seed: int, validation: float
) -> Outcome:
    """Train once, with a share of the images held out."""
    train = draw(dataset, 0.0, seed=0).train
    traits = Traits(network_shape(train), tuple(train.class_counts()), mirrors=False)
    first = first_recipe(traits, *SIZES[0])
    recipe = replace(first, precision=number_format, validation=validation)
    parts = draw(dataset, recipe.validation, Seed(seed).draw)
    ready = made_ready(recipe, parts.train, CPU)
    training = Training(ready, parts.train, parts.validation, Seed(seed), CPU)
    largest = 0.0
    for _ in training.steps():
        bias = training.net.get_parameter("net.stem.conv.bias")
        largest = max(largest, bias.detach().abs().max().item())
    last = training.history[-1]
    return Outcome(
        name,
        number_format,
        seed,
        val_accuracy=last.val_acc or 0.0,
        val_loss=last.val_loss or 0.0,
        train_accuracy=last.train_acc,
        largest_bias=largest,
    )


def collapsed(outcomes: list[Outcome]) -> list[Outcome]:
    """Return those of one set and format that lie far below the others."""
    middle = statistics.median(one.val_accuracy for one in outcomes)
    return [one for one in outcomes if one.val_accuracy < SHARE * middle]


def main() -> int:
    """Train all, print a line a set and format, and write all outcomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", nargs="*", help="names, files or folders, as `rungwise train`")
    parser.add_argument("--seeds", type=int, default=15)
    parser.add_argument(
        "--validation", type=float, default=0.1, help="more of few images, against chance"
    )
    parser.add_argument("--formats", nargs="+", default=["float32"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    sets = [*((Path(name).name, load(name)) for name in options.data), *made_up()]
    rows, all_outcomes, lost = [], [], 0
    print(
        "| data | format | trainings | median | least | largest loss | largest bias | collapsed |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, dataset in sets:
        for number_format in options.formats:
            outcomes = [
                outcome(name, dataset, number_format, seed, options.validation)
                for seed in range(options.seeds)
            ]
            accuracies = [one.val_accuracy for one in outcomes]
            count = len(collapsed(outcomes))
            lost += count
            all_outcomes += outcomes
            cells = (
                *(name, number_format, str(len(outcomes))),
                *(f"{statistics.median(accuracies):.1%}", f"{min(accuracies):.1%}"),
                f"{max(one.val_loss for one in outcomes):.2f}",
                *(f"{max(one.largest_bias for one in outcomes):.1f}", str(count)),
            )
            rows.append(f"| {' | '.join(cells)} |")
            print(rows[-1], flush=True)
    content = {
        "environment": describe_environment(CPU),
        "trainings": len(all_outcomes),
        "collapsed": lost,
        "outcomes": [asdict(one) for one in all_outcomes],
    }
    options.out.write_text(json.dumps(content, indent=1))
    print(f"\n{len(all_outcomes)} trainings, {lost} collapsed")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
