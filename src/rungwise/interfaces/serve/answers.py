"""From pixels to what a client is told: classes, probabilities, and on request how they came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rungwise.errors import RunError
from rungwise.models.summary import summarize
from rungwise.prediction.predictor import Predictor
from rungwise.report.pictures import png_url
from rungwise.training.parsing import dump_recipe
from rungwise.training.threads import suited_to

Answers = list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Question:
    """The images of one request.

    Args:
        pixels: (N, H, W, C) uint8.
        explain: Whether pictures and the answers of the views are asked for, too.
    """

    pixels: torch.Tensor
    explain: bool = False

    @property
    def images(self) -> int:
        """N."""
        return len(self.pixels)


class Answerer:
    """Answers questions with a predictor; one thread at a time may use it.

    Args:
        predictor: For grey or colour images.

    Raises:
        RunError: The predictor is for images that no image file can hold.
    """

    def __init__(self, predictor: Predictor) -> None:
        channels = predictor.shape[0]
        if channels not in (1, 3):
            raise RunError(
                f"the predictor is for images of {channels} channels",
                expected="1 or 3: an image file holds grey or colour alone",
                fix="predict such images from Python",
            )
        self._predictor = predictor
        views = predictor.recipe.views
        self._alone = views is not None and views.drawn
        summary = summarize(predictor.members[0].model, predictor.shape, len(predictor.class_names))
        self._flops = summary.flops

    def __call__(self, questions: Sequence[Question]) -> list[Answers]:
        """Return, for each question, an answer for each of its images."""
        pixels = torch.cat([question.pixels for question in questions])
        with suited_to(self._flops * len(pixels)):
            sizes = [question.images for question in questions]
            rows = torch.split(self._probabilities(pixels), sizes)
            return [
                [
                    {**self._named(row), **(self._explained(image) if question.explain else {})}
                    for row, image in zip(found, question.pixels, strict=True)
                ]
                for question, found in zip(questions, rows, strict=True)
            ]

    def check(self) -> None:
        """Predict once, so that the first client need not wait, and a damaged net is found.

        Raises:
            RunError: The net's answers are no numbers.
        """
        channels, height, width = self._predictor.shape
        black = torch.zeros((1, height, width, channels), dtype=torch.uint8)
        if not self._predictor.probabilities(black).isfinite().all():
            raise RunError(
                "the net answers a black image with what is no number",
                expected="probabilities",
                fix="serve another run",
            )

    def _probabilities(self, pixels: torch.Tensor) -> torch.Tensor:
        # What is drawn for an image hangs on its place in the batch, an answer must not.
        parts = torch.split(pixels, 1 if self._alone else len(pixels))
        return torch.cat([self._predictor.probabilities(part) for part in parts])

    def _named(self, row: torch.Tensor) -> dict[str, Any]:
        names = self._predictor.class_names
        return {
            "class": names[int(row.argmax())],
            "probability": row.max().item(),
            "probabilities": dict(zip(names, row.tolist(), strict=True)),
        }

    def _explained(self, image: torch.Tensor) -> dict[str, Any]:
        """Return the picture that the net sees, each view's answer, and the reconstruction."""
        pixels = image[None]
        reconstructions = self._predictor.reconstructions(pixels)
        return {
            "picture": data_url(image.permute(2, 0, 1) / 255),
            "views": [
                {
                    "net": answers.net,
                    "weight": answers.weight,
                    "picture": data_url(answers.images[0]),
                    **self._named(answers.probabilities[0]),
                }
                for answers in self._predictor.view_answers(pixels)
            ],
            "reconstruction": None if reconstructions is None else data_url(reconstructions[0]),
        }


def data_url(image: torch.Tensor) -> str:
    """Return an image (C, H, W) in 0..1, grey or colour, as the URL of a PNG."""
    values = (image * 255).round().clamp(0, 255).to(torch.uint8)
    return png_url(values.permute(1, 2, 0))


def describe(predictor: Predictor) -> dict[str, Any]:
    """Return what a client may want to know of a predictor."""
    channels, height, width = predictor.shape
    views = predictor.recipe.views
    return {
        "name": predictor.recipe.name,
        "classes": list(predictor.class_names),
        "channels": channels,
        "height": height,
        "width": width,
        "resizes": predictor.resizes,
        "nets": len(predictor.nets),
        "views": 1 if views is None else views.count,
        "reconstructs": predictor.members[0].model.reconstructs,
        "recipe": dump_recipe(predictor.recipe),
    }
