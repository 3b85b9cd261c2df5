"""How many suspected label errors are planted ones, for nets of several accuracies?

    python benchmarks/label_errors.py docs/results/label-errors.json

A dense net learns from few or many images of MNIST and Fashion-MNIST and judges 3,000 others. In
half of the cases one label in twenty, of those learnt and of those judged, is changed to another
class; in the other half none is. Every seed draws images, changes and weights. A suspicion of a
label that was not changed counts as wrong, although the sets hold a few real errors.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from rungwise.data import LabelledImages, load
from rungwise.models import MLP
from rungwise.prediction.label_errors import suspected
from rungwise.training.loop import Training
from rungwise.training.optimizer import Adam
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

JUDGED = 3000
PLANTED = 0.05
STEPS = 500


class Case(NamedTuple):
    """A data set, and how many of its images are learnt."""

    data: str
    learnt: int


CASES = (
    Case("mnist", 60),
    Case("fashion-mnist", 60),
    Case("mnist", 150),
    Case("fashion-mnist", 800),
    Case("mnist", 800),
    Case("mnist", 6000),
    Case("mnist", 20_000),
)


def spoiled(
    images: LabelledImages, share: float, rng: torch.Generator
) -> tuple[LabelledImages, torch.Tensor]:
    """Change a share of the labels; return the images, and which labels are changed."""
    changed = torch.zeros(len(images), dtype=torch.bool)
    changed[torch.randperm(len(images), generator=rng)[: round(share * len(images))]] = True
    steps = torch.randint(1, images.classes, (len(images),), generator=rng)
    labels = torch.where(changed, (images.labels + steps) % images.classes, images.labels)
    return replace(images, labels=labels), changed


def measure(case: Case, images: LabelledImages, share: float, seed: int) -> dict[str, Any]:
    """Train a net with a seed, and count what it suspects."""
    rng = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=rng)[: case.learnt + JUDGED]
    learnt, _ = spoiled(images.take(order[: case.learnt]), share, rng)
    judged, changed = spoiled(images.take(order[case.learnt :]), share, rng)
    batch = 32
    recipe = Recipe(
        model=MLP(hidden_widths=(128,)),
        optimizer=Adam(lr=1e-3),
        validation=0.0,
        epochs=max(4, STEPS * batch // case.learnt),
        batch_size=batch,
        precision="float32",
    )
    training = Training(recipe, learnt, None, Seed(seed), torch.device("cpu"))
    for _ in training.steps():
        pass
    net = training.trained_network()
    with torch.no_grad():
        pixels = judged.gather(torch.arange(len(judged)))
        logits = net(training.supply.unchanged(pixels, judged.labels).images).logits
    probabilities = logits.softmax(1)
    found = suspected(probabilities, judged.labels)
    wrong = probabilities.argmax(1) != judged.labels
    true_labels = images.labels[order[case.learnt :]]
    right = (probabilities.argmax(1) == true_labels).double().mean()
    return {
        "data": case.data,
        "learnt": case.learnt,
        "planted_share": share,
        "seed": seed,
        "accuracy_on_true_labels": right.item(),
        "planted": int(changed.sum()),
        "wrong_answers": int(wrong.sum()),
        "suspected": int(found.sum()),
        "suspected_and_planted": int((found & changed).sum()),
    }


def main() -> None:
    """Measure all cases and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    sets = {name: load(name).train for name in {case.data for case in CASES}}
    results = []
    for case in CASES:
        for share in (PLANTED, 0.0):
            for seed in range(arguments.seeds):
                results.append(measure(case, sets[case.data], share, seed))
                print(json.dumps(results[-1]), flush=True)
    arguments.results.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
