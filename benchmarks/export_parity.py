"""Do exported files give their predictors' answers on all 10,000 test images?

    python benchmarks/export_parity.py RUNS docs/results/export-parity.json

Five predictors of different kinds, of nets that were trained for an epoch (found in the folder RUNS
if they are there, else trained: some minutes), are exported to ONNX through the gate that
`rungwise export` has, and compared on every test image: accuracy, answers, probabilities, size, and
the time that a prediction takes. The looks at the test labels are written to the ledger in RUNS.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rungwise.augment.views import Mirror, Views
from rungwise.data import LabelledImages, load
from rungwise.interfaces.export.exporting import export
from rungwise.interfaces.export.formats import FORMATS
from rungwise.interfaces.export.subject import Subject
from rungwise.ladder.job import make_job
from rungwise.ladder.ledger import record_opening
from rungwise.ladder.recipes import find_recipe
from rungwise.prediction.metrics import evaluate
from rungwise.prediction.predictor import Predictor, combine
from rungwise.training.seed import Seed

BATCH = 500


@dataclass(frozen=True)
class Kind:
    """A kind of predictor: nets of one recipe, and how they are used."""

    name: str
    data: str
    recipe: str
    epochs: int
    seeds: tuple[str, ...] = ("0",)
    views: Views | None = None
    scaled: bool = False


KINDS = (
    Kind("plain", "mnist", "mnist/fast/plain", 1),
    Kind("two heads, reconstruction", "mnist", "mnist-multitask/multitask", 1),
    Kind("two branches, reconstruction", "mnist@100", "mnist-1000/autoencoder", 100),
    Kind("views", "fashion-mnist", "fashion-mnist/fast/plain", 1, views=Mirror(pixels=1)),
    Kind("ensemble", "mnist", "mnist/fast/plain", 1, ("0", "0.1", "0.2"), scaled=True),
)


def predictor_of(kind: Kind, runs: Path) -> Predictor:
    """Train what is not there yet, and put the nets together."""
    dataset, cpu = load(kind.data), torch.device("cpu")
    recipe = replace(find_recipe(kind.recipe), epochs=kind.epochs)
    members = []
    for seed in kind.seeds:
        job = make_job(recipe, dataset, Seed.parse(seed), runs, cpu)
        if not job.is_finished():
            for _ in job.train():
                pass
        run = job.finished()
        if run is not None:
            members.append(run.predictor())
    return combine(members).with_views(kind.views).with_temperature_scaling(kind.scaled)


def measured(kind: Kind, runs: Path) -> dict[str, Any]:
    """Export a predictor of a kind, and compare the file with it on all test images."""
    predictor, dataset = predictor_of(kind, runs), load(kind.data)
    test = dataset.test
    if test is None:
        raise ValueError(f"{kind.data} has no test part")
    folder = runs / "exported"
    own = folder / f"{kind.name.replace(', ', '-').replace(' ', '-')}.safetensors"
    predictor.save(own)
    file = export(Subject(predictor, own), "onnx", own.with_suffix(".onnx"), test, "test images")
    record_opening(runs, dataset, f"export parity of {kind.name}")
    answer = FORMATS["onnx"].read(own.with_suffix(".onnx"))
    found = torch.cat([answer(pixels) for pixels, _ in test.batches(BATCH)])
    return {
        "kind": kind.name,
        "data": kind.data,
        "recipe": kind.recipe,
        "nets": len(predictor.nets),
        "images": len(test),
        "accuracy": {
            "model.onnx": accuracy(found, test),
            "rungwise, float32": accuracy(predictor.in_float32().probabilities_of(test), test),
            f"rungwise, {file['parity']['house_precision']}": accuracy(
                predictor.probabilities_of(test), test
            ),
        },
        "parity": file["parity"],
        "bytes": {"safetensors": own.stat().st_size, "onnx": file["bytes"]},
        "latency": file["latency"],
        "machine": file["machine"],
    }


def accuracy(probabilities: torch.Tensor, images: LabelledImages) -> float:
    return evaluate(probabilities, images).accuracy


def main() -> None:
    """Measure all kinds, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    rows = []
    for kind in KINDS:
        rows.append(measured(kind, options.runs))
        parity = rows[-1]["parity"]["exported"]
        print(
            f"{kind.name}: accuracies {rows[-1]['accuracy']}, {parity['other_answers']} other "
            f"answers, largest difference {parity['largest_difference']:.2g}",
            flush=True,
        )
        options.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
