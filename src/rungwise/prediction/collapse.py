"""Whether a training has collapsed: its net answers no better than one class for all images.

Said of what was measured, whatever the cause: a rate too high, a channel without variance, labels
without meaning.
"""

import math
from collections.abc import Sequence

from rungwise.data.parts import Parts
from rungwise.prediction.metrics import Evaluation
from rungwise.prediction.uncertainty import wilson_interval
from rungwise.techniques import EpochRecord

NEARLY = 0.1
"""Share of the way from always answering one class to no mistake that is no success yet."""
FAR = 0.25
"""A net that may be so far on that way, for all that so few images tell, is called no collapse."""
STANDARD_ERRORS = 2.0
FEWEST_STEPS = 30
GUESSES = 30.0
"""A mean loss of so many times that of guessing is no overfitting: the net's numbers ran away."""


def collapse_of(
    record: EpochRecord, held_out: Evaluation | None, parts: Parts, steps: int
) -> str | None:
    """Say in a sentence how a training has collapsed; None where it has not.

    Args:
        record: The epoch whose weights were kept.
        held_out: What the predictor does on the validation images; None where there are none.
        parts: The images that the training had.
        steps: How many steps it took; after a few a net has not begun to learn.
    """
    train = parts.train.class_counts()
    if steps < FEWEST_STEPS:
        return None
    if held_out is None or parts.validation is None:
        if not _is_one_answer(record.train_acc, train):
            return None
        return (
            f"the net answers {record.train_acc:.1%} of its training images right, no better than "
            f"always answering one class ({_largest_share(train):.1%})"
        )
    counts = parts.validation.class_counts()
    trained = f"training accuracy {record.train_acc:.1%}"
    if _is_one_answer(held_out.accuracy, counts) and _is_one_answer(
        held_out.balanced_accuracy, [1] * sum(map(bool, counts)), images=sum(counts)
    ):
        return (
            f"the net answers {held_out.accuracy:.1%} of the validation images right, no better "
            f"than always answering one class ({_largest_share(counts):.1%}); {trained}"
        )
    if _has_run_away(record, len(counts)) and not _is_one_answer(record.train_acc, train):
        return (
            f"the validation loss is {record.val_loss:.3g}, where guessing gives "
            f"{math.log(len(counts)):.2f}; {trained}"
        )
    return None


def _is_one_answer(accuracy: float, counts: Sequence[int], images: int | None = None) -> bool:
    """Tell whether an accuracy is that of one answer for all images, or better by chance alone.

    Args:
        accuracy: 0..1.
        counts: Images of each class.
        images: How many were answered; by default the sum of the counts.
    """
    share, images = _largest_share(counts), images or sum(counts)
    chance = STANDARD_ERRORS * math.sqrt(share * (1 - share) / images)
    _, most = wilson_interval(accuracy, images)
    is_no_better = accuracy <= share + min(chance, NEARLY * (1 - share))
    return share < 1 and is_no_better and most <= share + FAR * (1 - share)


def _largest_share(counts: Sequence[int]) -> float:
    return max(counts) / sum(counts)


def _has_run_away(record: EpochRecord, classes: int) -> bool:
    loss = record.val_loss
    if loss is None or classes < 2:
        return False
    return not loss <= GUESSES * math.log(classes)  # What is no number has run away, too.
