"""A network drawn as boxes and arrows, with the shape of what flows along them.

Time runs downwards. Branches stand side by side; where a single line of layers goes on, a tall
drawing continues at the top of a new column.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import ceil
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from rungwise.errors import UsageError
from rungwise.models import MODELS, Model
from rungwise.models.summary import INPUT, Summary, summarize
from rungwise.storage import replacing
from rungwise.training.parsing import name_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS_PER_COLUMN = 16
BOX_WIDTH, BOX_HEIGHT = 2.7, 0.42
"""Inches, as all lengths here."""
LANE_WIDTH, ROW_HEIGHT = 2.95, 0.62
COLUMN_GAP = 0.55
MARGIN = 0.3
TITLE_HEIGHT = 0.8
LEAST_WIDTH = 3.3
DOTS_PER_INCH = 150

COLOURS = {
    "conv": "#cfe2f7",
    "dense": "#d3ecd3",
    "pool": "#fbe0bd",
    "upsample": "#fbe0bd",
    "norm": "#e4d9f3",
    "dropout": "#ececec",
    INPUT: "#fff6c9",
    "output": "#fff6c9",
}
OTHER_COLOUR = "#ffffff"

Point = tuple[float, float]


def draw_network(model: Model, shape: tuple[int, int, int], classes: int, path: Path) -> None:
    """Draw a model's network into a file.

    Args:
        model: The architecture's settings.
        shape: (C, H, W) of one image.
        classes: K.
        path: Where to; `.svg` or `.png`.

    Raises:
        UsageError: The file's suffix is neither of the two.
        ConfigError: The architecture cannot take images of this shape.
        StorageError: The file cannot be written.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in ("svg", "png"):
        raise UsageError(
            f"cannot draw a network into {path.name}",
            expected="a file name that ends in .svg or .png",
            fix=f"write {path.stem}.svg",
        )
    summary = summarize(model, shape, classes)
    size = f"{summary.parameters:,} parameters, {summary.flops / 1e6:,.1f} MFLOP forward"
    _save(_boxes(summary), (name_in(MODELS, model), size), path, suffix)


@dataclass(frozen=True)
class Box:
    """One box: what it says, what it takes, and the shape of what it gives."""

    kind: str
    name: str
    description: str
    inputs: tuple[str, ...]
    output: tuple[int, ...]

    @property
    def colour(self) -> str:
        return COLOURS.get(self.kind, OTHER_COLOUR)

    @property
    def text(self) -> str:
        """The description, introduced by the kind where neither it nor the name tells that."""
        tells = self.kind in self.name.rsplit(".", 1)[-1] or self.kind in self.description
        return self.description if tells else f"{self.kind} {self.description}"


@dataclass(frozen=True)
class Place:
    """Where a box stands: in which column of the drawing, and at which row and lane of that."""

    column: int
    row: int
    lane: float


def _boxes(summary: Summary) -> dict[str, Box]:
    """Return the boxes by name, each after those it takes from; the outputs are boxes too."""
    image = Box(INPUT, INPUT, "image", (), summary.shape)
    layers = {
        layer.name: Box(layer.kind, layer.name, layer.description, layer.inputs, layer.output)
        for layer in summary.layers
    }
    heads = {
        f"output {head}": Box("output", "output", head, (source,), layers[source].output)
        for head, source in summary.heads.items()
    }
    return {INPUT: image} | layers | heads


def _places(boxes: Mapping[str, Box]) -> dict[str, Place]:
    rows = _rows(boxes)
    lanes = _lanes(boxes)
    starts = _column_starts(boxes, rows)
    column_of = {name: sum(row >= start for start in starts) - 1 for name, row in rows.items()}
    leftmost = {
        column: min(lanes[name] for name in boxes if column_of[name] == column)
        for column in range(len(starts))
    }
    return {
        name: Place(
            column_of[name],
            rows[name] - starts[column_of[name]],
            lanes[name] - leftmost[column_of[name]],
        )
        for name in boxes
    }


def _rows(boxes: Mapping[str, Box]) -> dict[str, int]:
    """Put each box below all that it takes from."""
    rows: dict[str, int] = {}
    for name, box in boxes.items():
        rows[name] = max((rows[source] + 1 for source in box.inputs), default=0)
    return rows


def _lanes(boxes: Mapping[str, Box]) -> dict[str, float]:
    """Give each branch a lane; a fork and a join stand in the middle of their branches."""
    branches: dict[str, list[str]] = {name: [] for name in boxes}
    for name, box in boxes.items():
        if len(box.inputs) == 1:
            branches[box.inputs[0]].append(name)
    lanes: dict[str, float] = {}
    _place_tree(INPUT, branches, lanes, count())
    for name, box in boxes.items():  # What comes after a join.
        if name not in lanes:
            beside = branches[box.inputs[0]].index(name) if len(box.inputs) == 1 else 0
            lanes[name] = mean(lanes[source] for source in box.inputs) + beside
    return lanes


def _place_tree(
    name: str, branches: Mapping[str, list[str]], lanes: dict[str, float], free: Iterator[int]
) -> None:
    for branch in branches[name]:
        _place_tree(branch, branches, lanes, free)
    below = [lanes[branch] for branch in branches[name]]
    lanes[name] = mean(below) if below else float(next(free))


def _column_starts(boxes: Mapping[str, Box], rows: Mapping[str, int]) -> list[int]:
    """Return the rows at which columns begin: even parts, cut only where one line goes on."""
    total = max(rows.values()) + 1
    part = ceil(total / ceil(total / ROWS_PER_COLUMN))
    starts = [0]
    for row in range(1, total):
        crossing = sum(
            rows[source] < row <= rows[name] for name, box in boxes.items() for source in box.inputs
        )
        if crossing == 1 and row - starts[-1] >= part:
            starts.append(row)
    return starts


def _save(boxes: Mapping[str, Box], titles: tuple[str, str], path: Path, suffix: str) -> None:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    places = _places(boxes)
    lefts = _column_lefts(places)
    width = max(lefts[-1] - COLUMN_GAP + MARGIN, LEAST_WIDTH)
    height = TITLE_HEIGHT + (max(place.row for place in places.values()) + 1) * ROW_HEIGHT + MARGIN
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    axes.text(MARGIN, 0.25, titles[0], fontsize=11, weight="bold", va="center")
    axes.text(MARGIN, 0.47, titles[1], fontsize=8, va="center")
    tops = {
        name: (
            lefts[place.column] + place.lane * LANE_WIDTH + BOX_WIDTH / 2,
            TITLE_HEIGHT + place.row * ROW_HEIGHT,
        )
        for name, place in places.items()
    }
    for name, box in boxes.items():
        _draw_box(axes, box, *tops[name])
        for source in box.inputs:
            _draw_arrow(axes, _route(tops[source], tops[name], joins=len(box.inputs) > 1))
    # A fixed salt and no date: the same network gives the same bytes.
    with rc_context({"svg.hashsalt": "rungwise"}), replacing(path) as temporary:
        undated = {"Date": None} if suffix == "svg" else {}
        figure.savefig(temporary, format=suffix, dpi=DOTS_PER_INCH, metadata=undated)


def _column_lefts(places: Mapping[str, Place]) -> list[float]:
    """Return the left edge of each column, and last where a further one would begin."""
    lefts = [MARGIN]
    for column in range(max(place.column for place in places.values()) + 1):
        widest = max(place.lane for place in places.values() if place.column == column)
        lefts.append(lefts[-1] + widest * LANE_WIDTH + BOX_WIDTH + COLUMN_GAP)
    return lefts


def _route(source: Point, taker: Point, *, joins: bool) -> list[Point]:
    """Return the corners of a line from the lower edge of one box to the upper edge of another."""
    (x, y), (end_x, end_y) = source, taker
    y += BOX_HEIGHT
    half_gap = (ROW_HEIGHT - BOX_HEIGHT) / 2
    if end_y < y:  # On to the next column.
        side = x + BOX_WIDTH / 2 + COLUMN_GAP / 2
        turn = [(x, y + half_gap), (side, y + half_gap), (side, end_y - half_gap)]
        return [(x, y), *turn, (end_x, end_y - half_gap), taker]
    bend = end_y - half_gap if joins else y + half_gap
    return [(x, y), (x, bend), (end_x, bend), taker]


def _draw_arrow(axes: "Axes", corners: Sequence[Point]) -> None:
    xs, ys = zip(*corners, strict=True)
    axes.plot(xs, ys, color="#555555", linewidth=1, solid_joinstyle="round", zorder=1)
    x, y = corners[-1]
    head = {"arrowstyle": "-|>", "color": "#555555", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=(x, y), xytext=(x, y - 0.02), arrowprops=head)


def _draw_box(axes: "Axes", box: Box, middle: float, top: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    left, right, centre = middle - BOX_WIDTH / 2, middle + BOX_WIDTH / 2, top + BOX_HEIGHT / 2
    axes.add_patch(
        FancyBboxPatch(
            (left, top),
            BOX_WIDTH,
            BOX_HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=box.colour,
            edgecolor="#555555",
            linewidth=0.8,
            zorder=2,
        )
    )
    lift = 0.085 if box.text else 0.0
    text: dict[str, Any] = {"va": "center", "zorder": 3}
    axes.text(left + 0.09, centre - lift, box.name, fontsize=8, weight="bold", **text)
    axes.text(left + 0.09, centre + lift, box.text, fontsize=8, **text)
    shape = "×".join(map(str, box.output))
    axes.text(right - 0.09, centre, shape, fontsize=8, ha="right", color="#333333", **text)
