"""The contest: all contestants of a net alive, one at work, round after round.

    for each contestant: start it, and let it find how many images fill a turn (the warm-up)
    for each round:
        for each contestant: take a turn
    end the contestants

What slows the machine down for a while slows down neighbours in a round, so a ratio within a round
hardly feels it.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rungwise.bench.contestants import Contestant
from rungwise.bench.process import ContestantLost, Resident, Turn
from rungwise.bench.result import Entry, NetResult

Tell = Callable[[str], None]

GROWTH = 10
"""A warm-up turn is at most so many times as large as the one before it: the first is no measure
of speed."""
LARGEST_TURN = 60_000
"""Images: as many as MNIST has. Peers hold those of a turn in memory, as a user of theirs would."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long a turn shall be.

    Args:
        seconds: About how long.
        least_batches: Batches that a turn has at least, however long they take.
    """

    seconds: float = 1.5
    least_batches: int = 2

    def images(self, turn: Turn, batch_size: int) -> int:
        """Return how many images, in whole batches, fill a turn at the speed of `turn`."""
        wanted = min(self.seconds * turn.images_per_second, LARGEST_TURN)
        return max(self.least_batches, round(wanted / batch_size)) * batch_size


def warm_up(resident: Resident, pace: Pace) -> int:
    """Train a while and return how many images fill a turn.

    Raises:
        ContestantLost: The process ends.
    """
    size = resident.batch_size
    turn = resident.train(pace.least_batches * size)
    while turn.seconds < pace.seconds / 2 and pace.images(turn, size) > turn.images:
        turn = resident.train(min(pace.images(turn, size), GROWTH * turn.images))
    return pace.images(turn, size)


class Racer:
    """A contestant in a contest and what it has done; a lost one takes no more turns."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._resident: Resident | None = None
        self._images = 0
        self._about: dict[str, Any] = {}
        self._turns: list[Turn] = []
        self._problem: str | None = None

    def start(
        self, command: Sequence[str], threads: int, pace: Pace, stack: contextlib.ExitStack
    ) -> None:
        """Start the process, which `stack` ends, and warm it up."""
        with self._noting_loss():
            resident = stack.enter_context(Resident(command, threads))
            self._about = resident.about
            self._images = warm_up(resident, pace)
            self._resident = resident

    def take_turn(self) -> None:
        """Train for a turn, unless it is lost."""
        if self._resident is None:
            return
        with self._noting_loss():
            self._turns.append(self._resident.train(self._images))

    def entry(self) -> Entry:
        """Return its part of the result."""
        return Entry(self.name, self._about, tuple(self._turns), self._problem)

    @contextlib.contextmanager
    def _noting_loss(self) -> Iterator[None]:
        try:
            yield
        except ContestantLost as error:
            self._resident, self._problem = None, error.problem


def hold_contest(
    net: str, contestants: Sequence[Contestant], repeats: int, threads: int, pace: Pace, tell: Tell
) -> NetResult:
    """Let the contestants train a net in turn.

    Args:
        net: The net's name.
        contestants: Who takes part, in the order of a round.
        repeats: Rounds that count; the warm-up comes before them.
        threads: Threads of each contestant.
        pace: How long a turn is.
        tell: Called with lines about the progress.
    """
    racers = [Racer(contestant.name) for contestant in contestants]
    with contextlib.ExitStack() as stack:
        for racer, contestant in zip(racers, contestants, strict=True):
            tell(f"{net}: {racer.name} starts and warms up")
            racer.start(contestant.command(net), threads, pace, stack)
        for index in range(repeats):
            tell(f"{net}: round {index + 1} of {repeats}")
            for racer in racers:
                racer.take_turn()
    return NetResult(net, tuple(racer.entry() for racer in racers))
