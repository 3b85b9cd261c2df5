"""Options that several verbs share, and what they stand for."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rungwise.errors import UsageError

if TYPE_CHECKING:
    import torch

Switch = Annotated[bool, Parameter(negative="")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Output:
    """How much a verb prints, and where."""

    json: Switch = False
    """Print the result as one JSON value on stdout."""
    quiet: Switch = False
    """Print no progress."""


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


def choose_device(name: str) -> "torch.device":
    """Return the torch device for `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        UsageError: The name is none of these, or there is no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, colon, index = name.partition(":")
    if (name != "cpu" and kind != "cuda") or (colon and not index.isdecimal()):
        raise UsageError(
            f"the device is {name!r}", expected="auto, cpu, cuda or cuda:N", fix="use --device auto"
        )
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"there is no device {name!r}",
            expected=f"one of the {torch.cuda.device_count()} GPUs that torch sees, or cpu",
            fix="use --device auto",
        )
    return torch.device(name)
