"""`rungwise predict`: classes of one's own images."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rungwise.errors import DataError
from rungwise.interfaces.cli.options import Output
from rungwise.interfaces.cli.printing import print_json, print_table
from rungwise.ladder.numbers import percent

if TYPE_CHECKING:
    import torch

    from rungwise.prediction.predictor import Predictor


def predict(
    run: Path,
    images: list[str],
    /,
    *,
    device: str = "auto",
    output: Output = Output(),
) -> None:
    """Tell the class of each image.

    Files that cannot be read are named on stderr; the others are predicted all the same, and the
    exit code is 3.

    Args:
        run: A run's folder, or a predictor's .safetensors file.
        images: Files, folders (all images in them) and patterns such as 'photos/*.png'.
        device: auto, cpu, cuda or cuda:N.
    """
    import torch

    from rungwise.interfaces.cli.predictors import open_predictor
    from rungwise.prediction.pictures import pixels_for
    from rungwise.training.device import choose_device

    predictor = open_predictor(run, choose_device(device))
    files, pixels = [], []
    found, problems = _files(images)
    for path in found:
        try:
            pixels.append(pixels_for(predictor, path))
            files.append(path)
        except DataError as error:
            problems.append(error)
    if files:
        results = _results(files, predictor.probabilities(torch.stack(pixels)), predictor)
        if output.json:
            print_json(results)
        else:
            print_table(
                ["file", "class", "probability"],
                [[r["file"], r["class"], percent(r["probability"])] for r in results],
                left=2,
            )
    if problems:
        for problem in problems[:-1]:
            print(f"error: {problem}", file=sys.stderr)
        raise problems[-1]


def _results(
    files: list[Path], probabilities: "torch.Tensor", predictor: "Predictor"
) -> list[dict[str, Any]]:
    return [
        {
            "file": str(path),
            "class": predictor.class_names[int(row.argmax())],
            "probability": row.max().item(),
            "probabilities": dict(zip(predictor.class_names, row.tolist(), strict=True)),
        }
        for path, row in zip(files, probabilities, strict=True)
    ]


def _files(images: list[str]) -> tuple[list[Path], list[DataError]]:
    """Return the files that the arguments name, and an error for each that names none."""
    files: list[Path] = []
    problems: list[DataError] = []
    for text in images:
        try:
            files += _named_files(text)
        except DataError as error:
            problems.append(error)
    return files, problems


def _named_files(text: str) -> list[Path]:
    import glob

    from rungwise.data.content import explaining_reads
    from rungwise.data.sources.picture import SUFFIXES

    path = Path(text)
    with explaining_reads(path):
        if path.is_dir():
            found = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in SUFFIXES]
        elif path.exists():
            found = [path]
        else:
            found = [Path(name) for name in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207
    if not found:
        raise DataError(
            f"{text} names no image",
            expected="a file, a pattern, or a folder with image files such as .png",
            fix="check the path",
        )
    return found
