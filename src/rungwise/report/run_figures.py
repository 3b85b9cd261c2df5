"""The pictures of one run, in its `figures/` folder."""

from pathlib import Path

from rungwise.data import LabelledImages, Parts
from rungwise.ladder.run import Run
from rungwise.models.input import to_unit
from rungwise.prediction.predictor import Predictor
from rungwise.report import pictures

SHOWN_IMAGES = 10


def draw_run_figures(run: Run, parts: Parts) -> list[Path]:
    """Draw the training's curves and, where the net has any, its reconstructions.

    Raises:
        StorageError: The folder cannot be written.
    """
    figures = run.path / "figures"
    drawn = [pictures.curves({run.summary["recipe"]: run.history()}, figures / "curves.png")]
    unseen = parts.validation or parts.train
    return drawn + draw_reconstructions(run.predictor(), unseen, figures / "reconstructions.png")


def draw_reconstructions(predictor: Predictor, data: LabelledImages, path: Path) -> list[Path]:
    """Draw the first images above their reconstructions, if the net makes any."""
    pixels = data.first(SHOWN_IMAGES)
    rebuilt = predictor.reconstructions(pixels)
    return [] if rebuilt is None else [pictures.reconstructions(to_unit(pixels), rebuilt, path)]
