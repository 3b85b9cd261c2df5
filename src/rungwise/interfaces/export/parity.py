"""Parity: whether an exported file gives the predictor's answers, on real images.

The file computes in float32, so it is held to the predictor in float32. What lies between that and
a predictor that computes in bfloat16 is told, but it is no fault of the file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from rungwise.augment.views import Mirror
from rungwise.data.images import LabelledImages
from rungwise.errors import RunError
from rungwise.prediction.predictor import Predictor
from rungwise.training.precision import to_predict_in

BOUND = 1e-4
"""Largest difference of a probability that an export may have. The order of sums alone makes some
1e-6; a wrong graph makes 1e-1."""
BATCH = 100
"""Images that the file is asked for at once, after one alone."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two predictors give the same answers.

    Args:
        other_answers: How many images get another likeliest class.
        largest_difference: The largest of all differences of a probability.
    """

    other_answers: int
    largest_difference: float


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What a comparison of an exported file with its predictor found.

    Args:
        images: How many images were compared.
        of: What they are, in words.
        bound: The largest difference that would have passed.
        exported: The file beside the predictor in float32.
        house: The file beside the predictor as it is used.
        house_precision: What the predictor computes in as it is used.
        ties: Images whose two likeliest classes, in the predictor, lie within twice the bound. No
            other image can get another answer from a file that keeps to the bound.
        at_threshold: Images whose first answer lies within the bound of the views' `below`, so
            that either is right: with all views, or as the image is.
    """

    images: int
    of: str
    bound: float
    exported: Agreement
    house: Agreement
    house_precision: str
    ties: int
    at_threshold: int

    @property
    def holds(self) -> bool:
        """Whether every probability is within the bound; false for what is no number."""
        return self.exported.largest_difference <= self.bound


def compare(
    predictor: Predictor,
    exported: Callable[[torch.Tensor], torch.Tensor],
    images: LabelledImages,
    of: str,
) -> Parity:
    """Ask both for all images, and compare; labels are not looked at.

    Args:
        predictor: On the CPU.
        exported: Takes (N, H, W, C) uint8, returns (N, K) float32.
        images: At least one.
        of: What the images are, in words.
    """
    found = torch.cat([exported(pixels) for pixels in _batches(images)])
    exact = predictor.in_float32()
    reference = exact.probabilities_of(images)
    reference, at_threshold = _either_side(exact, images, reference, found)
    likeliest = reference.topk(min(2, reference.shape[1])).values
    return Parity(
        images=len(images),
        of=of,
        bound=BOUND,
        exported=_agreement(found, reference),
        house=_agreement(found, predictor.probabilities_of(images)),
        house_precision=house_precision(predictor),
        ties=int((likeliest[:, 0] - likeliest[:, -1] < 2 * BOUND).sum()),
        at_threshold=at_threshold,
    )


def require_parity(parity: Parity, name: str) -> None:
    """Refuse a file that gives other answers.

    Raises:
        RunError: A probability differs by more than the bound.
    """
    if not parity.holds:
        raise RunError(
            f"the exported {name} does not give the predictor's answers: of {parity.images} "
            f"{parity.of} {parity.exported.other_answers} get another answer, and a probability "
            f"differs by {parity.exported.largest_difference:.3g}",
            expected=f"differences of {parity.bound:g} at most; the file was not kept",
            fix="export to another format, or with other versions of torch, onnxscript and "
            "onnxruntime; this fault is theirs or ours, not your net's",
        )


def spaced(images: LabelledImages, count: int) -> LabelledImages:
    """Return at most `count` images, evenly spaced: files are often sorted by class."""
    chosen = min(count, len(images))
    return images.take(torch.arange(chosen) * len(images) // max(1, chosen))


def house_precision(predictor: Predictor) -> str:
    """Return what a predictor's nets compute in on its device: `float32`, `bfloat16` or both."""
    formats = (to_predict_in(m.precision, predictor.device) for m in predictor.members)
    return " and ".join(sorted({"bfloat16" if f == "bfloat16" else "float32" for f in formats}))


def _batches(images: LabelledImages) -> Iterator[torch.Tensor]:
    """Yield one image alone, then the others: a graph may be right for one batch size only."""
    yield images.first(1)
    rest = images.take(torch.arange(1, len(images)))
    for pixels, _ in rest.batches(BATCH):
        yield pixels


def _agreement(found: torch.Tensor, reference: torch.Tensor) -> Agreement:
    return Agreement(
        other_answers=int((found.argmax(1) != reference.argmax(1)).sum()),
        largest_difference=(found - reference).abs().max().item(),
    )


def _either_side(
    exact: Predictor, images: LabelledImages, reference: torch.Tensor, found: torch.Tensor
) -> tuple[torch.Tensor, int]:
    """Take for images at the views' threshold that side's answer which is nearer to the file's."""
    views = exact.recipe.views
    if not isinstance(views, Mirror) or views.below == 1:
        return reference, 0
    plain = exact.with_views(None).probabilities_of(images)
    near = ((plain.amax(1) - views.below).abs() <= BOUND).nonzero()[:, 0]
    if not len(near):
        return reference, 0
    full = exact.with_views(replace(views, below=1.0)).probabilities_of(images.take(near))
    sides = torch.stack([plain[near], full])
    distances = (sides - found[near]).abs().amax(2)
    nearer = distances.argmin(0)
    reference = reference.clone()
    reference[near] = sides[nearer, torch.arange(len(near))]
    return reference, len(near)
