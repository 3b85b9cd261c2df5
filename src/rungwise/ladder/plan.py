"""What a climb would do: trainings, time, memory and disk, told before it starts."""

import resource
import sys
from dataclasses import asdict, dataclass
from typing import Any

import torch

from rungwise.ladder.climb import Climb
from rungwise.ladder.job import Job
from rungwise.ladder.rung import Rung
from rungwise.ladder.verdict import SEEDS_AT_LOOKS
from rungwise.models.input import network_shape
from rungwise.models.summary import summarize
from rungwise.training.seed import Seed

BYTES = 4
"""Of a weight or a probability, float32."""


@dataclass(frozen=True)
class PlannedRung:
    """What one rung asks for; nets that a rung below it trains are counted there.

    Args:
        name: The rung's.
        trainings: Nets that are still to be trained, all seeds together.
        found: Nets that runs on file hold already.
        seconds_each: About how long one training takes.
        seconds: About how long all of them take.
        disk: Bytes of the runs and predictions, about.
    """

    name: str
    trainings: int
    found: int
    seconds_each: float
    seconds: float
    disk: int


@dataclass(frozen=True)
class Plan:
    """What a climb asks for.

    Args:
        rungs: In the ladder's order.
        memory: Most bytes that this process, or the GPU, has used while timing the rungs.
        notes: What else is to be said.
    """

    rungs: tuple[PlannedRung, ...]
    memory: int
    notes: tuple[str, ...]

    @property
    def trainings(self) -> int:
        """Nets to be trained."""
        return sum(rung.trainings for rung in self.rungs)

    @property
    def seconds(self) -> float:
        """About how long the trainings take."""
        return sum(rung.seconds for rung in self.rungs)

    @property
    def disk(self) -> int:
        """About how many bytes are written."""
        return sum(rung.disk for rung in self.rungs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "rungs": [asdict(rung) for rung in self.rungs],
            "trainings": self.trainings,
            "seconds": self.seconds,
            "memory": self.memory,
            "disk": self.disk,
            "notes": list(self.notes),
        }


def plan_of(work: Climb) -> Plan:
    """Return what the climb would do; a few steps of each unknown training are taken to time it."""
    for _ in work.time():
        pass
    notes = list(work.unread)
    seeds = work.seeds
    if work.budget:
        seeds = seeds[: SEEDS_AT_LOOKS[0]]
        allotment = work.allotment(work.budget)
        allotment.require_enough()
        notes.append(allotment.forecast())
    if work.fits:
        many = f" with {work.fits} seeds" if work.fits > 1 else ""
        notes.append(
            f"not counted: the best rung's net is fitted once more{many}, to all training images"
        )
    known: set[tuple[str, Seed]] = set()
    rungs = []
    for rung in work.ladder.rungs:
        jobs = [job for seed in seeds for job in work.jobs(rung, seed)]
        own = [job for job in jobs if (job.key, job.seed) not in known]
        known |= {(job.key, job.seed) for job in own}
        rungs.append(_planned(work, rung, own, len(seeds)))
    return Plan(tuple(rungs), _memory(work.device), tuple(notes))


def _planned(work: Climb, rung: Rung, jobs: list[Job], seeds: int) -> PlannedRung:
    missing = [job for job in jobs if not job.is_finished()]
    seconds = sum(work.pace.training(job) or 0.0 for job in missing)
    train = work.dataset.train
    model = summarize(rung.recipe.model, network_shape(train), train.classes)
    parts = work.jobs(rung, work.seeds[0])[0].parts()
    images = len(parts.validation or ()) + len(parts.test or ())
    nets = len(missing) * rung.recipe.nets
    return PlannedRung(
        name=rung.name,
        trainings=len(missing),
        found=len(jobs) - len(missing),
        seconds_each=seconds / len(missing) if missing else 0.0,
        seconds=seconds,
        disk=BYTES * (nets * model.parameters + seeds * images * train.classes),
    )


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
