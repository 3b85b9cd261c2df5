"""Where a predictor comes from: what its nets were trained on, and what was measured of it.

Kept in the artefact, so that a file that was copied out of its run still tells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypedDict

from rungwise.json_text import Count, Share
from rungwise.prediction.metrics import Evaluation


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What one net was trained on, and how.

    Args:
        data: The data set, as the user wrote it.
        fingerprint: Of the data set.
        images: How many images the run trained on, held out and left for testing, by part.
        images_of_class: How many training images each class has.
        recipe: Name of the recipe.
        seed: Of the run.
        epochs: That were trained.
        validation: The share that was held out, or `test` where choices were made by test images.
        rungwise: The version that trained it.
        test_share: Of the images, which was set aside as the test part; None where that was not
            done.
    """

    data: str
    fingerprint: str
    images: Mapping[str, int]
    images_of_class: tuple[int, ...]
    recipe: str
    seed: str
    epochs: int
    validation: float | Literal["test"]
    rungwise: str
    test_share: float | None = None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the whole predictor was found to do on one set of images.

    Args:
        part: What the images are: held out from the training, or test images.
        images: How many.
        accuracy: 0..1.
        loss: Mean cross-entropy in nats.
        calibration_error: 0..1; None where it was not measured.
    """

    part: Literal["validation", "test"]
    images: int
    accuracy: float
    loss: float
    calibration_error: float | None = None

    @classmethod
    def of(
        cls, part: Literal["validation", "test"], evaluation: Evaluation, images: int
    ) -> "Figures":
        """Return the figures of an evaluation on so many images."""
        return cls(
            part=part,
            images=images,
            accuracy=evaluation.accuracy,
            loss=evaluation.loss,
            calibration_error=evaluation.calibration_error,
        )


class OriginRecord(TypedDict):
    """An `Origin` as an artefact keeps it."""

    data: str
    fingerprint: str
    images: dict[str, Count]
    images_of_class: list[Count]
    recipe: str
    seed: str
    epochs: Count
    validation: Share | Literal["test"]
    rungwise: str


class FiguresRecord(TypedDict):
    """`Figures` as an artefact keeps them."""

    part: Literal["validation", "test"]
    images: Count
    accuracy: Share
    loss: float
    calibration_error: Share | None


def written(origins: Sequence[Origin | None], figures: Sequence[Figures]) -> dict[str, Any]:
    """Return what an artefact keeps: JSON values; nothing where nothing is known."""
    kept: dict[str, Any] = {}
    if any(origins):
        kept["origins"] = [asdict(one) if one else None for one in origins]
    if figures:
        kept["figures"] = [asdict(one) for one in figures]
    return kept


def read(
    kept_origins: Sequence[OriginRecord | None], figures: Sequence[FiguresRecord], nets: int
) -> tuple[tuple[Origin | None, ...], tuple[Figures, ...]]:
    """Return what `written` has written; older artefacts keep nothing.

    Raises:
        ValueError: The origins are those of another number of nets.
        TypeError: A later version has kept more.
    """
    origins = tuple(_origin(one) for one in kept_origins)
    if len(origins) not in (0, nets):
        raise ValueError(f"it tells of {len(origins)} nets, and holds {nets}")
    return origins, tuple(Figures(**one) for one in figures)


def _origin(kept: OriginRecord | None) -> Origin | None:
    if kept is None:
        return None
    facts: dict[str, Any] = {**kept, "images_of_class": tuple(kept["images_of_class"])}
    return Origin(**facts)
