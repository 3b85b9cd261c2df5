"""How long does an article's best test accuracy take on this processor, as it was and with ours?

The article's own program, Keras on TensorFlow: the seconds that an image of a step takes in a fresh
process after a warm-up, times the images that the article trains on. Article A's ends by early
stopping and is short, so it is trained whole, on the same draw of images as ours. Not counted for
Keras, in its favour: tracing, validation, prediction, and article B's augmentation and 50 views.
What either library loads before it begins is not counted, but it is in the process's seconds.
Counted for ours: the whole of a recipe's training from loaded data, with validation, saving and
the prediction of the test images with the recipe's views. Ours trains on all training images where
the recipe needs no validation, as the articles do.

Each round trains ours whole with another seed, in a fresh process, beside a turn of Keras's. The
ratio is the median of the rounds' own ratios. It says what it seems to say only where the mean
test accuracy of ours reaches the article's figure, so that is told beside it.

Keras needs an environment with keras and tensorflow-cpu, as `rungwise bench` makes one.

Command: python benchmarks/time_to_accuracy.py times.json --peers FOLDER --seeds 5
         --articles A C       these alone; by default all
         --recipe C=NAME      another recipe, by name or as a YAML file
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rungwise.bench import peers_environment
from rungwise.bench.contestants import PEERS
from rungwise.bench.process import Resident, thread_settings
from rungwise.bench.rounds import Pace, warm_up
from rungwise.bench.whole import ratios
from rungwise.data import Parts, draw, load
from rungwise.ladder.environment import describe_environment
from rungwise.ladder.final import on_all_images
from rungwise.ladder.job import make_jobs
from rungwise.ladder.recipes import find_recipe
from rungwise.ladder.run import open_run
from rungwise.prediction.metrics import evaluate
from rungwise.prediction.predictor import combine
from rungwise.storage import write_text
from rungwise.training.seed import Seed
from rungwise.training.threads import respect_quota

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Article:
    """What an article reached, and with how much training.

    Args:
        data: The data set.
        accuracy: Its best test accuracy.
        net: The net that reached it, as `keras_fit` calls it.
        images: Images that its program trains on: nets, epochs and mirrored copies counted. None:
            it is trained whole until early stopping ends it.
    """

    data: str
    accuracy: float
    net: str
    images: int | None


ARTICLES = {
    "A": Article("mnist@100", 0.9055, "A-autoencoder", None),
    "C": Article("fashion-mnist", 0.9336, "C-padding", 5 * 120_000),
    "E": Article("mnist", 0.9933, "E-multitask", 20 * 60_000),
    "B": Article("cifar10", 0.9507, "B-deep", 10 * 150 * 50_000),
}
RECIPES = {
    "A": "mnist-1000/best/quick",
    "C": "fashion-mnist/fast/plain",
    "E": "mnist/fast/two-epochs",
    "B": "cifar10/ensemble",
}
"""Ours by default. B's is the article's own, ten nets of 150 epochs: days on two cores."""
HELD_OUT = 0.2
"""Article A's share of validation images."""


def train_whole(letter: str, recipe_name: str, draw_seed: int) -> dict[str, Any]:
    """Train a recipe in this process and return its test accuracy and what it took."""

    dataset = load(ARTICLES[letter].data)
    recipe = on_all_images(find_recipe(recipe_name), dataset)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        runs = []
        for job in make_jobs(recipe, dataset, Seed(draw_seed), Path(folder), CPU):
            for _ in job.train():
                pass
            runs.append(open_run(job.folder))
        trained = time.perf_counter()
        predictor = combine([run.predictor() for run in runs], recipe)
        test = dataset.parts["test"]
        accuracy = evaluate(predictor.probabilities_of(test), test).accuracy
        predicted = time.perf_counter()
    return {
        "seed": draw_seed,
        "test_accuracy": accuracy,
        "epochs": [run.summary["epochs"] for run in runs],
        "training_seconds": trained - started,
        "prediction_seconds": predicted - trained,
        "seconds": predicted - started,
    }


def ours(letter: str, recipe_name: str, seed: int) -> dict[str, Any]:
    """Train a recipe in a process of its own, and tell the process's seconds too."""
    words = [sys.executable, __file__, "-", "--train", letter, recipe_name, str(seed)]
    started = time.perf_counter()
    answer = answer_of(words)
    return {**answer, "process_seconds": time.perf_counter() - started}


def answer_of(command: list[str]) -> dict[str, Any]:
    """Run a program with the threads of all contestants, and return the JSON of its last line."""
    environment = thread_settings(torch.get_num_threads())
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def keras(
    article: Article, seed: int, python: Path, number_format: str, pace: Pace
) -> dict[str, Any]:
    """Measure the article's program in a fresh process."""
    if article.images is None:
        return keras_whole(article, seed, python, number_format)
    command = (str(python), str(PEERS / "keras_fit.py"), article.net, number_format)
    with Resident(command, torch.get_num_threads()) as resident:
        turn = resident.train(warm_up(resident, pace))
    seconds = extrapolated(article.images, turn.images_per_second)
    return {"seconds": seconds, "turn": turn.to_dict()}


def extrapolated(images: int, images_per_second: float) -> float:
    """Return the seconds of a training on so many images."""
    return images / images_per_second


def keras_whole(article: Article, seed: int, python: Path, number_format: str) -> dict[str, Any]:
    """Train the article's program whole on the images that this seed draws."""
    parts = draw(load(article.data), HELD_OUT, seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        np.savez(path, allow_pickle=False, **arrays(parts))
        program = [str(python), str(PEERS / "keras_whole.py"), article.net, number_format]
        return answer_of([*program, str(path), str(seed)])


def arrays(parts: Parts) -> dict[str, np.ndarray]:
    """Return images and labels of each part under their names."""
    images = {name: part.images.numpy() for name, part in parts.by_name.items()}
    labels = {f"{name}_labels": part.labels.numpy() for name, part in parts.by_name.items()}
    return images | labels


def summary(article: Article, recipe: str, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return medians, the mean accuracy and the ratio of an article's rounds."""
    theirs = [each["keras"]["seconds"] for each in rounds]
    our_seconds = [each["ours"]["seconds"] for each in rounds]
    accuracies = [each["ours"]["test_accuracy"] for each in rounds]
    return {
        "article": asdict(article),
        "recipe": recipe,
        "keras_seconds": statistics.median(theirs),
        "our_seconds": statistics.median(our_seconds),
        "our_process_seconds": statistics.median(one["ours"]["process_seconds"] for one in rounds),
        "ratio": statistics.median(ratios(our_seconds, theirs)),
        "test_accuracies": accuracies,
        "mean_test_accuracy": statistics.mean(accuracies),
        "reached": statistics.mean(accuracies) >= article.accuracy,
        "rounds": rounds,
    }


def table(summaries: dict[str, dict[str, Any]]) -> str:
    """Return the summaries as a table in Markdown."""
    titles = (
        "article",
        "its accuracy",
        "Keras, s",
        "our recipe",
        "ours, s",
        "our process, s",
        "Keras / ours",
        "our mean accuracy",
        "of each seed",
    )
    rows = [
        (
            letter,
            f"{one['article']['accuracy']:.4f}",
            f"{one['keras_seconds']:,.1f}",
            f"`{one['recipe']}`",
            f"{one['our_seconds']:,.1f}",
            f"{one['our_process_seconds']:,.1f}",
            f"{one['ratio']:.3g}",
            f"{one['mean_test_accuracy']:.4f}{'' if one['reached'] else ' (not reached)'}",
            ", ".join(f"{accuracy:.4f}" for accuracy in one["test_accuracies"]),
        )
        for letter, one in summaries.items()
    ]
    lines = [titles, ("---",) * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--articles", nargs="+", choices=ARTICLES, default=list(ARTICLES))
    parser.add_argument("--recipe", action="append", default=[], metavar="ARTICLE=NAME")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--turn-seconds", type=float, default=20, help="of Keras, about")
    parser.add_argument("--format", default="float32", help="Keras's; or mixed_bfloat16")
    parser.add_argument("--peers", type=Path, default=peers_environment.default_folder())
    parser.add_argument("--train", nargs=3, help="internal: train ours in this process")
    options = parser.parse_args()
    named = dict(one.split("=", 1) for one in options.recipe)
    if not named.keys() <= ARTICLES.keys():
        parser.error(f"--recipe takes {', '.join(ARTICLES)}, '=' and a recipe's name")
    options.recipes = RECIPES | named
    return options


def main() -> None:
    """Measure each article, and write the figures anew after each round."""
    options = parse()
    respect_quota()
    if options.train:
        letter, name, seed = options.train
        print(json.dumps(train_whole(letter, name, int(seed))))
        return
    python = peers_environment.find_python(options.peers)
    pace = Pace(seconds=options.turn_seconds)
    for letter in options.articles:
        find_recipe(options.recipes[letter])
    record = {"machine": describe_environment(CPU), "keras_format": options.format}
    summaries: dict[str, dict[str, Any]] = {}
    for letter in options.articles:
        article, name = ARTICLES[letter], options.recipes[letter]
        rounds: list[dict[str, Any]] = []
        for seed in range(options.seeds):
            theirs = keras(article, seed, python, options.format, pace)
            rounds.append({"keras": theirs, "ours": ours(letter, name, seed)})
            print(letter, json.dumps(rounds[-1]), flush=True)
            summaries[letter] = summary(article, name, rounds)
            write_text(options.path, json.dumps({**record, "articles": summaries}, indent=1) + "\n")
    print(table(summaries))


if __name__ == "__main__":
    main()
