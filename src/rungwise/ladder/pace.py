"""How long work takes: what was seen of it, and what follows for the rest.

A training's time is known where its like was trained, here or in a run on file; else from a probe
of a few steps; else from its operations, at the speed of the others. Predicting costs a third of a
training step for each image and view: a step is one forward pass and two backwards.

Beside other programs all work takes longer. Each time that was seen is divided by how much longer
(the wall's clock over the processor's), and what is still to come is multiplied by what was seen
last: a busy moment at the start does not stay in the estimates (decision 36).
"""

import copy
import time

from rungwise.ladder.job import Job
from rungwise.training.recipe import Recipe

FORWARD_SHARE = 1 / 3
REACH = 10.0
"""Small nets take longer than their operations: from them nothing follows for much larger ones."""


class Pace:
    """Learns how long trainings take, and tells what others will."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._flops: dict[str, float] = {}
        self._slowness = 1.0

    def learn(self, job: Job, seconds: float, slowness: float | None = None) -> None:
        """Take note of how long the job's training takes; the last word counts.

        Args:
            job: The training.
            seconds: How long it takes.
            slowness: How many times as long as on a machine without other work; None where that
                was not seen.
        """
        if slowness is not None:
            self._slowness = slowness
        self._seconds[job.key] = seconds / (slowness or 1.0)
        self._flops[job.key] = job.flops

    def at_rest(self) -> "Pace":
        """Return what was learnt, for a machine without other work."""
        rested = copy.copy(self)
        rested._slowness = 1.0
        return rested

    def knows(self, job: Job) -> bool:
        """Whether a training like this was seen."""
        return job.key in self._seconds

    def reaches(self, job: Job) -> bool:
        """Whether a training like this was seen, or one that is not much smaller."""
        return self.knows(job) or job.flops <= REACH * max(self._flops.values(), default=0.0)

    def training(self, job: Job) -> float | None:
        """Return the seconds that the job's training takes; None while nothing was seen."""
        if job.key in self._seconds:
            return self._slowness * self._seconds[job.key]
        if not self._seconds:
            return None
        return self._slowness * job.flops * sum(self._seconds.values()) / sum(self._flops.values())

    def predicting(self, recipe: Recipe, jobs: list[Job], images: int) -> float:
        """Return the seconds that a rung's nets take to predict so many images, all views.

        0 while no training was seen.
        """
        views = recipe.views.count if recipe.views else 1
        shares = ((self.training(job) or 0.0) / job.images_seen for job in jobs)
        return FORWARD_SHARE * views * recipe.nets * images * sum(shares)


class Stopwatch:
    """Measures by the wall's clock and by the processor's, from when it is made.

    Args:
        on_processor: Whether the work is done by the processor. Only then does the second clock
            tell how busy the machine is.
    """

    def __init__(self, on_processor: bool) -> None:
        self._on_processor = on_processor
        self._wall, self._processor = time.monotonic(), time.thread_time()

    @property
    def slowness(self) -> float | None:
        """How many times as long this thread has taken as it has worked; None where not known."""
        worked = time.thread_time() - self._processor
        if not self._on_processor or worked <= 0:
            return None
        return max(1.0, (time.monotonic() - self._wall) / worked)
