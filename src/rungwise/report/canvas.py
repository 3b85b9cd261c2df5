"""An empty figure, and a figure written whole to one .png or .svg file.

The figures are matplotlib objects of their own: no pyplot, no global state, no display.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rungwise.errors import UsageError
from rungwise.storage import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150


def new_figure(
    width_inches: float,
    height_inches: float,
    layout: Literal["constrained", "compressed"] = "constrained",
) -> "Figure":
    """Return an empty figure whose parts make room for each other."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_inches, height_inches), dpi=DPI, layout=layout)


def save(figure: "Figure", path: Path) -> Path:
    """Write a figure; the same figure gives the same bytes.

    Raises:
        UsageError: The file is neither .png nor .svg.
        StorageError: It cannot be written.
    """
    from matplotlib import rc_context

    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg"):
        raise UsageError(
            f"a picture cannot be written as {path.name!r}",
            expected="a name that ends in .png or .svg",
            fix="change the end of the name",
        )
    undated = {"Date": None} if kind == "svg" else {}
    with warnings.catch_warnings(), rc_context({"svg.hashsalt": "rungwise"}):
        # A class name in a script that the font lacks shows as boxes; that is no news.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        with replacing(path) as temporary:
            # tight: labels that stick out of the figure widen the picture instead of being cut.
            figure.savefig(
                temporary, format=kind, bbox_inches="tight", pad_inches=0.1, metadata=undated
            )
    return path
