"""`rungwise predict`: classes of one's own images."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from rungwise.errors import DataError
from rungwise.interfaces.cli.options import BadFiles, Output, Prediction
from rungwise.interfaces.cli.pictures import STANDARD_INPUT, Named, named_pictures, require_pictures
from rungwise.interfaces.cli.printing import print_json_list, print_table
from rungwise.ladder.numbers import percent

if TYPE_CHECKING:
    import torch

    from rungwise.prediction.predictor import Predictor


def predict(
    run: Path,
    images: Annotated[list[str] | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    files_from: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    bad_files: BadFiles | None = None,
    device: str = "auto",
    prediction: Prediction = Prediction(),
    output: Output = Output(),
) -> None:
    """Tell the class of each image.

    Files that cannot be read are named on stderr; the others are predicted all the same, and the
    exit code is 3, unless --bad-files says otherwise.

    Args:
        run: A run's folder, or a predictor's .safetensors file.
        images: Files, folders (all images in them), patterns such as 'photos/*.png', and - for
            one image on standard input.
        files_from: A file that names further files or folders, one a line, or - for such a list on
            standard input; also with zero bytes between them, as `find -print0` writes.
        bad_files: `stop`: the first file that cannot be read ends the work, and nothing is
            printed. `skip`: such files are left out with a note, and the exit code is 0.
        device: auto, cpu, cuda or cuda:N.
    """
    from rungwise.interfaces.cli.predictors import note_way, open_predictor
    from rungwise.training.device import choose_device

    require_pictures(images or [], files_from)
    predictor = open_predictor([run], choose_device(device), prediction)
    note_way(predictor)
    read = _Reading(predictor, bad_files)
    pictures = read.pixels(named_pictures(images or [], files_from))
    probabilities = predictor.probabilities_in(_batches(pictures))
    if read.names:
        results = _results(read.names, probabilities, predictor)
        if output.json:
            print_json_list(results)
        else:
            _print(results)
    read.tell_problems()


class _Reading:
    """Reads pictures one by one, and remembers which could be read and what was wrong.

    Args:
        predictor: Says what pictures have to be like.
        bad_files: What is done about those that are not.
    """

    def __init__(self, predictor: "Predictor", bad_files: BadFiles | None) -> None:
        self._predictor = predictor
        self._bad_files = bad_files
        self._problems: list[DataError] = []
        self.names: list[str] = []

    def pixels(self, pictures: Iterable[Named | DataError]) -> "Iterator[torch.Tensor]":
        """Yield the pixels of each picture that can be read.

        Raises:
            DataError: One cannot, and bad files are to stop the work.
        """
        for picture in pictures:
            try:
                if isinstance(picture, DataError):
                    raise picture
                pixels = self._pixels(picture)
            except DataError as problem:
                if self._bad_files == "stop":
                    raise
                self._problems.append(problem)
                continue
            self.names.append(picture.name)
            yield pixels

    def _pixels(self, picture: Named) -> "torch.Tensor":
        from rungwise.data.names import printable
        from rungwise.prediction.pictures import pixels_for

        name = "standard input" if picture.name == STANDARD_INPUT else printable(picture.name)
        return pixels_for(self._predictor, picture.content, name=name)

    def tell_problems(self) -> None:
        """Name the pictures that could not be read.

        Raises:
            DataError: There were any, and they were not to be skipped, or there were no others.
        """
        if self._bad_files == "skip" and self.names:
            for problem in self._problems:
                print(f"note: left out: {problem.problem}", file=sys.stderr)
        elif self._problems:
            for problem in self._problems[:-1]:
                print(f"error: {problem}", file=sys.stderr)
            raise self._problems[-1]


def _batches(pixels: "Iterator[torch.Tensor]") -> "Iterator[torch.Tensor]":
    """Put images together, as many as are predicted at once: no more are in memory."""
    import torch

    from rungwise.training.loop import EVALUATION_BATCH

    while images := list(islice(pixels, EVALUATION_BATCH)):
        yield torch.stack(images)


def _results(
    names: list[str], probabilities: "torch.Tensor", predictor: "Predictor"
) -> Iterator[dict[str, Any]]:
    for name, row in zip(names, probabilities, strict=True):
        yield {
            "file": name,
            "class": predictor.class_names[int(row.argmax())],
            "probability": row.max().item(),
            "probabilities": dict(zip(predictor.class_names, row.tolist(), strict=True)),
        }


def _print(results: Iterator[dict[str, Any]]) -> None:
    from rungwise.data.names import printable, shortened

    rows = [
        [printable(result["file"]), shortened(result["class"]), percent(result["probability"])]
        for result in results
    ]
    print_table(["file", "class", "probability"], rows, left=2)
