"""How long would the CIFAR-10 speed record take on this processor, beside a recipe of ours?

The peer is airbench94 (94% of the test images in 3.3 seconds of a GPU), rebuilt in plain PyTorch:
eager, bfloat16, channels-last (src/rungwise/bench/peers/airbench.py). It drops the images of an
epoch that fill no batch: 9.9 epochs are 476 steps of 1024. Ours is a named recipe on all training
images, through `Training` and `Predictor`.

Each contestant has a process that trains and one that predicts; all stay resident, one works at a
time. In each round each takes a turn: N steps in the middle of each tenth of the training, as steps
need not all cost the same (the peer's stem learns in three of the tenths), and the prediction of
some test images with all views. From that follows the whole: set-up on loaded images (the peer's
whitening), training, prediction of the 10,000 test images. Validation after epochs is not counted.
A figure is the median over the rounds, the ratio the median of the rounds' own ratios; above 1 ours
is faster.

`--full SEED` instead trains the peer once, whole, and tells its test accuracy. The C library gives
large blocks back to the kernel after each step, which our engine forbids and plain PyTorch does
not: MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=2147483647 in the environment forbid
it to the peer too.

Command: python benchmarks/airbench.py airbench.json --recipe compact --steps 2   (about 4 minutes)
         python benchmarks/airbench.py --full 0                                  (about 10 minutes)
"""

import argparse
import contextlib
import functools
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from rungwise.bench.ours import peak_memory
from rungwise.bench.peers import airbench
from rungwise.bench.process import Resident, Turn
from rungwise.bench.whole import (
    first_step,
    middles,
    ratios,
    timed,
    training_seconds,
    whole_seconds,
)
from rungwise.data import Dataset, load
from rungwise.ladder.environment import describe_environment
from rungwise.ladder.final import on_all_images
from rungwise.ladder.job import make_job
from rungwise.ladder.recipes import find_recipe
from rungwise.models.summary import summarize
from rungwise.native import kernels
from rungwise.prediction.predictor import Predictor
from rungwise.storage import write_text
from rungwise.training.loop import Training
from rungwise.training.operations import training_operations
from rungwise.training.seed import Seed
from rungwise.training.threads import respect_quota

CPU = torch.device("cpu")
PEER = "airbench94"
PARTS = ("train", "predict")
PREDICTED = 1000
"""Test images of a turn."""


@dataclass(frozen=True)
class Work:
    """What a contestant's process can do.

    Args:
        about: What it tells of itself.
        train: Takes so many steps at each of so many places and returns the seconds.
        predict: Predicts so many test images and returns the seconds.
    """

    about: dict[str, Any]
    train: Callable[[int, int], float]
    predict: Callable[[int], float]


def loaded() -> Dataset:
    """Return CIFAR-10, with all imported that both need: that is no part of a training."""
    torch.optim.SGD([torch.zeros(1)])  # The first optimizer imports half of torch.
    kernels()
    return load("cifar10")


def peer_work() -> Work:
    """Set the peer up."""
    data = loaded()
    images, labels, test = data.train.images, data.train.labels, data.parts["test"].images
    started = time.perf_counter()
    training = airbench.Airbench(images, labels, seed=0)
    setup = time.perf_counter() - started

    def train(places: int, steps: int) -> float:
        seconds = 0.0
        for share in middles(places):
            first = first_step(share, steps, training.steps_per_epoch, training.steps)
            training.take(first)
            seconds += timed(functools.partial(take, training, first + 1, steps))
        return seconds

    about = {
        "batch_size": airbench.BATCH_SIZE,
        "training_images": training.steps * airbench.BATCH_SIZE,
        "predicted_images": len(test),
        "setup_seconds": setup,
        "parameters": sum(tensor.numel() for tensor in training.net.parameters()),
        "flops": peer_flops(training, len(test)),
    }
    return Work(about, train, lambda count: timed(lambda: training.logits(test[:count])))


def take(training: airbench.Airbench, first: int, count: int) -> None:
    """Take steps of the peer's training."""
    for step in range(first, first + count):
        training.take(step)


def peer_flops(training: airbench.Airbench, predicted: int) -> int:
    """Count the operations of all steps and of the prediction on two images."""
    images, labels = torch.rand(2, 3, 32, 32), torch.tensor([0, 1])
    stem_steps = sum(training.learns_stem(step) for step in range(training.steps))
    each = []
    for learns in (True, False):
        training.net.stem.bias.requires_grad_(learns)
        with FlopCounterMode(display=False) as counter:
            training.loss(images, labels).backward()  # type: ignore[no-untyped-call]
        training.net.zero_grad(set_to_none=True)
        each.append(counter.get_total_flops() // 2)
    with FlopCounterMode(display=False) as counter:
        training.logits(torch.zeros(2, 32, 32, 3, dtype=torch.uint8))
    steps: int = stem_steps * each[0] + (training.steps - stem_steps) * each[1]
    predictions: int = predicted * (counter.get_total_flops() // 2)
    return steps * airbench.BATCH_SIZE + predictions


def our_work(name: str) -> Work:
    """Set a recipe up; of an ensemble the first member, which stands for all."""
    data = loaded()
    recipe = on_all_images(find_recipe(name), data)
    members = len(recipe.member_recipes())
    job = make_job(recipe.member_recipes()[0], data, Seed(0), Path(), CPU)
    parts = job.parts()
    test = data.parts["test"].images
    started = time.perf_counter()
    training = Training(job.recipe, parts.train, parts.validation, Seed(0), CPU)
    setup = time.perf_counter() - started
    images = len(training.supply.images)
    shape, classes, epochs = parts.train.shape, parts.train.classes, job.recipe.epochs
    operations = training_operations(job.recipe, shape, classes, images=images, epochs=epochs)
    summary = summarize(recipe.model, shape, classes)
    views = 1 if recipe.views is None else recipe.views.count
    about = {
        "batch_size": job.recipe.batch_size,
        "training_images": images * epochs * members,
        "predicted_images": len(test),
        "setup_seconds": setup * members,
        "parameters": summary.parameters,
        "precision": job.recipe.precision,
        "flops": (operations + len(test) * views * summary.flops) * members,
    }
    predictor = Predictor(
        replace(recipe, ensemble=()),
        (job.recipe,) * members,
        (training.trained_network(),) * members,
        parts.train.class_names,
        shape,
    )
    return Work(
        about,
        lambda places, steps: training_seconds(training, places, steps),
        lambda count: timed(lambda: predictor.probabilities(test[:count])),
    )


def serve(name: str, part: str, *, places: int) -> None:
    """Answer each number of images with the seconds that they took, as `process` has it."""
    work = peer_work() if name == PEER else our_work(name)
    print(json.dumps(work.about), flush=True)
    for line in sys.stdin:
        images = int(line)
        steps = images // (places * work.about["batch_size"])
        seconds = work.train(places, steps) if part == "train" else work.predict(images)
        print(json.dumps({"seconds": seconds, "peak_memory": peak_memory()}), flush=True)


def hold(names: list[str], rounds: int, places: int, steps: int) -> dict[str, dict[str, Any]]:
    """Let the contestants train and predict in turn, and return what each did."""
    with contextlib.ExitStack() as stack:
        teams = {}
        for name in names:
            command = [sys.executable, __file__, "--places", str(places), "--serve", name]
            teams[name] = {
                part: stack.enter_context(Resident([*command, part], torch.get_num_threads()))
                for part in PARTS
            }
            print(f"{name} is ready", flush=True)
        turns: dict[str, dict[str, list[Turn]]] = {
            name: {part: [] for part in PARTS} for name in names
        }
        for index in range(-1, rounds):  # The first round warms up.
            for name, team in teams.items():
                wanted = {"train": steps if index >= 0 else 1, "predict": PREDICTED}
                wanted["train"] *= places * team["train"].batch_size
                for part, resident in team.items():
                    turn = resident.train(wanted[part])
                    if index >= 0:
                        turns[name][part].append(turn)
            print(f"round {index + 1} of {rounds}", flush=True)
        return {name: entry(teams[name]["train"].about, turns[name]) for name in names}


def entry(about: dict[str, Any], turns: dict[str, list[Turn]]) -> dict[str, Any]:
    """Return what a contestant did: its turns, its speeds, and the whole in each round."""
    speeds = {part: [turn.images_per_second for turn in turns[part]] for part in PARTS}
    wholes = [whole_seconds(about, *pair) for pair in zip(*speeds.values(), strict=True)]
    return {
        "about": about,
        "trained_per_second": statistics.median(speeds["train"]),
        "predicted_per_second": statistics.median(speeds["predict"]),
        "whole_seconds": statistics.median(wholes),
        "whole_seconds_of_rounds": wholes,
        "pflop": about["flops"] / 1e15,
        "turns": {part: [turn.to_dict() for turn in turns[part]] for part in PARTS},
    }


def train_in_full(seed: int) -> dict[str, Any]:
    """Train the peer whole, and return its test accuracies and the seconds."""
    data = loaded()
    test = data.parts["test"]
    started = time.perf_counter()
    training = airbench.Airbench(data.train.images, data.train.labels, seed)
    training.train()
    trained = time.perf_counter()
    answers = {"six views": training.logits(test.images).argmax(1)}
    predicted = time.perf_counter()
    answers["one view"] = training.logits(test.images, views=False).argmax(1)
    return {
        "seed": seed,
        "training_seconds": trained - started,
        "prediction_seconds": predicted - trained,
        "test_accuracy": {
            views: (answer == test.labels).double().mean().item()
            for views, answer in answers.items()
        },
    }


def main() -> None:
    """Time both, or train the peer whole, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--recipe", default="compact", help="a recipe's name or YAML file")
    parser.add_argument("--steps", type=int, default=2, help="timed at each place")
    parser.add_argument("--places", type=int, default=10, help="of the training")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--full", type=int, metavar="SEED")
    parser.add_argument("--serve", nargs=2, help="internal: be a contestant's process")
    options = parser.parse_args()
    respect_quota()
    if options.serve:
        name, part = options.serve
        serve(name, part, places=options.places)
        return
    record: dict[str, Any] = {"machine": describe_environment(CPU)}
    if options.full is not None:
        record |= train_in_full(options.full)
        told = record
    else:
        find_recipe(options.recipe)
        entries = hold([PEER, options.recipe], options.rounds, options.places, options.steps)
        theirs, ours = (one["whole_seconds_of_rounds"] for one in entries.values())
        record |= {
            "places": options.places,
            "steps_at_each_place": options.steps,
            "ratio": statistics.median(ratios(ours, theirs)),
            "contestants": entries,
        }
        kept = ("trained_per_second", "predicted_per_second", "whole_seconds", "pflop")
        told = {name: {key: one[key] for key in kept} for name, one in entries.items()}
        told["ratio"] = record["ratio"]
    print(json.dumps(told, indent=1))
    if options.path:
        write_text(options.path, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
