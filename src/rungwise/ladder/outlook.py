"""How far a climb is: the nets it has trained, those still to train, and how long they take."""

from collections.abc import Iterable

from rungwise.ladder.job import Job
from rungwise.ladder.pace import Pace
from rungwise.training.loop import Progress
from rungwise.training.seed import Seed

Net = tuple[str, Seed]


class Outlook:
    """Counts trainings as they are expected, go on and end; looks at the disk once for each."""

    def __init__(self) -> None:
        self.trained = 0
        self._left: dict[Net, Job] = {}
        self._shares: dict[Net, float] = {}
        self._first_of_key: dict[str, Job] = {}

    @property
    def left(self) -> int:
        """Number of trainings that are expected and have not ended."""
        return len(self._left)

    def expect(self, jobs: Iterable[Job]) -> None:
        """Take note of trainings to come; those whose run is there already do not count."""
        for job in jobs:
            if not job.is_finished():
                # Seeds take equally long: one job stands for all, as its draw costs a moment.
                self._left[_net(job)] = self._first_of_key.setdefault(job.key, job)

    def goes_on(self, job: Job, progress: Progress) -> float:
        """Take note of where a training is; return about which share of it is done, 0..1."""
        share = min(1.0, progress.steps_done / job.likely_steps)
        self._shares[_net(job)] = share
        return share

    def has_trained(self, job: Job) -> None:
        """Take note that this climb has trained a net to the end."""
        self.trained += 1
        self.is_there(job)

    def is_there(self, job: Job) -> None:
        """Take note that a net need not be trained any more, whoever did it."""
        self._left.pop(_net(job), None)

    def seconds(self, pace: Pace) -> float | None:
        """Return about how long the trainings that are left take; None while that is open."""
        total = 0.0
        for net, job in self._left.items():
            seconds = pace.training(job) if pace.reaches(job) else None
            if seconds is None:
                return None
            total += seconds * (1 - self._shares.get(net, 0.0))
        return total


def _net(job: Job) -> Net:
    return job.key, job.seed
