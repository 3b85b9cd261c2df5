"""Options that several verbs share, and what they stand for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Switch = Annotated[bool, Parameter(negative="")]
BadFiles = Literal["stop", "skip"]
"""As `rungwise.data.BadFiles`, which is not imported for the sake of `--help`."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Output:
    """How a verb prints its result."""

    json: Switch = False
    """Print the result as one JSON value on stdout."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WatchedOutput(Output):
    """How a verb that may take long prints its result and its progress."""

    quiet: Switch = False
    """Print no progress."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Prediction:
    """How trained nets are used, where that is not to be as the recipe says."""

    views: str | None = None
    """Test-time augmentation instead of the recipe's: none, mirror, random-copies, or with
    settings such as '{name: random-copies, copies: 50}'."""
    temperature_scaling: bool | None = None
    """Whether to divide each net's logits by the temperature that was fitted on the images it held
    out; by default as the recipe says."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Place:
    """Where runs lie and where the work is done."""

    out: Path = Path("runs")
    """Folder of all runs."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    offline: Switch = False
    """Never download a data set."""
