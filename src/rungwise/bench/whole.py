"""How long a whole training takes, from steps timed at several places of it.

A training's steps need not all cost the same: images may grow on the way, layers may freeze. So
steps are timed in the middle of equal parts of the training, and their mean speed is the whole's.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rungwise.bench.ours import time_steps
from rungwise.errors import UsageError
from rungwise.training.loop import Training


def middles(parts: int) -> list[float]:
    """Return the middles of equal parts of a training, as shares of it.

    >>> middles(2)
    [0.25, 0.75]
    """
    return [(index + 0.5) / parts for index in range(parts)]


def first_step(share: float, steps: int, steps_per_epoch: int, whole: int) -> int:
    """Return the step at a share of a training, or one before it, from which `steps` follow.

    They and one more fit in its epoch, so that neither an epoch's end nor its beginning is timed.

    Args:
        share: 0 to below 1.
        steps: Steps that follow.
        steps_per_epoch: Steps of an epoch.
        whole: Steps of the training; the last epoch may be a part of one.

    Raises:
        UsageError: So many steps do not fit in an epoch.
    """
    if steps + 1 >= steps_per_epoch:
        raise UsageError(
            f"{steps} steps were asked for at each place",
            expected=f"fewer than {steps_per_epoch - 1}: an epoch has {steps_per_epoch}",
            fix="ask for fewer",
        )
    epoch, step = divmod(int(share * whole), steps_per_epoch)
    return epoch * steps_per_epoch + min(step, steps_per_epoch - steps - 2)


def training_seconds(training: Training, parts: int, steps: int) -> float:
    """Take steps in the middle of each part and return the seconds that they took together.

    At each place one step more comes first, which is not timed: it sets up what the others find.
    The weights that come out of it are of no use.
    """
    course = training.course
    seconds = 0.0
    for share in middles(parts):
        training.epoch = 1 + int(share * course.epochs)
        per_epoch = course.steps_of(training.epoch)
        training.step = first_step(share * course.epochs % 1, steps, per_epoch, per_epoch)
        taken = training.steps()
        next(taken)
        seconds += time_steps(taken, steps)
    return seconds


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def whole_seconds(
    about: Mapping[str, Any], trained_per_second: float, predicted_per_second: float
) -> float:
    """Return the seconds of set-up, training and prediction.

    Args:
        about: `setup_seconds`; `training_images`, epochs and members counted; and
            `predicted_images`.
        trained_per_second: Images a second of the training.
        predicted_per_second: Images a second of the prediction, each with all its views.

    >>> about = {"setup_seconds": 1.5, "training_images": 1000, "predicted_images": 60}
    >>> whole_seconds(about, 100.0, 20.0)
    14.5
    """
    training = about["training_images"] / trained_per_second
    prediction = about["predicted_images"] / predicted_per_second
    return float(about["setup_seconds"] + training + prediction)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return for each round how many times as long as ours theirs took.

    >>> ratios([1.0, 2.0], [3.0, 5.0])
    [3.0, 2.5]
    """
    return [their / our for our, their in zip(ours, theirs, strict=True)]
