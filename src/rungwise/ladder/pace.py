"""How long work takes: what was seen of it, and what follows for the rest.

A training's time is known where its like was trained, here or in a run on file; else from a probe
of a few steps; else from its operations, at the speed of the others. Predicting costs a third of a
training step for each image and view: a step is one forward pass and two backwards.
"""

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

    def learn(self, job: Job, seconds: float) -> None:
        """Take note of how long the job's training takes; the last word counts."""
        self._seconds[job.key] = seconds
        self._flops[job.key] = job.flops

    def knows(self, job: Job) -> bool:
        """Whether a training like this was seen."""
        return job.key in self._seconds

    def reaches(self, job: Job) -> bool:
        """Whether a training like this was seen, or one that is not much smaller."""
        return self.knows(job) or job.flops <= REACH * max(self._flops.values(), default=0.0)

    def training(self, job: Job) -> float | None:
        """Return the seconds that the job's training takes; None while nothing was seen."""
        if job.key in self._seconds:
            return self._seconds[job.key]
        if not self._seconds:
            return None
        return job.flops * sum(self._seconds.values()) / sum(self._flops.values())

    def predicting(self, recipe: Recipe, jobs: list[Job], images: int) -> float:
        """Return the seconds that a rung's nets take to predict so many images, all views.

        0 while no training was seen.
        """
        views = recipe.views.count if recipe.views else 1
        shares = ((self.training(job) or 0.0) / job.images_seen for job in jobs)
        return FORWARD_SHARE * views * recipe.nets * images * sum(shares)
