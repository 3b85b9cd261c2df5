"""Who takes part: our engine and what else the same net can be trained with."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rungwise.errors import UnknownNameError

PEERS = Path(__file__).parent / "peers"
NAMES = (
    "rungwise",
    "rungwise-float32",
    "keras",
    "keras-bfloat16",
    "torch-eager",
    "torch-eager-bfloat16",
)


@dataclass(frozen=True)
class Contestant:
    """A program that trains a net in a number format, in a process of its own.

    Args:
        name: As in `NAMES`.
        program: The command that takes a net and a format.
        format: The format's name, as the program calls it.
    """

    name: str
    program: tuple[str, ...]
    format: str

    def command(self, net: str) -> tuple[str, ...]:
        """Return the command that trains `net`."""
        return (*self.program, net, self.format)


OURS = (sys.executable, "-m", "rungwise.bench.ours")


def needs_keras(names: Sequence[str]) -> bool:
    """Tell whether one of these contestants runs in the peers' environment."""
    return any(name.startswith("keras") for name in names)


def choose_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of contestants, or all where none is named.

    Raises:
        UnknownNameError: There is no such contestant.
    """
    for name in names:
        if name not in NAMES:
            raise UnknownNameError("contestant", name, NAMES)
    return tuple(names) or NAMES


def make_contestants(names: Sequence[str], keras_python: Path | None) -> list[Contestant]:
    """Return the contestants of these names.

    Args:
        names: Some of `NAMES`.
        keras_python: The interpreter that has Keras and TensorFlow, where one of them needs it.
    """
    eager = (sys.executable, str(PEERS / "torch_eager.py"))
    keras = (str(keras_python), str(PEERS / "keras_fit.py"))
    programs = {
        "rungwise": (OURS, "auto"),
        "rungwise-float32": (OURS, "float32"),
        "keras": (keras, "float32"),
        "keras-bfloat16": (keras, "mixed_bfloat16"),
        "torch-eager": (eager, "float32"),
        "torch-eager-bfloat16": (eager, "bfloat16"),
    }
    return [Contestant(name, *programs[name]) for name in names]
