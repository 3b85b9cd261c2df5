"""The waterfall: what each rung adds to the one that it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rungwise.ladder.numbers import percent, points
from rungwise.report.canvas import new_figure, save
from rungwise.report.records import Records

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"keep": "#3a9d5d", "drop": "#cf5148", "unclear": "#a9b1ba", "": "#7aa6d6"}


@dataclass(frozen=True)
class Step:
    """One bar; accuracies in 0..1.

    Args:
        name: The rung.
        end: Its mean accuracy.
        start: Where the gain is counted from; None for a rung that is compared with none.
        base: Index of the base's step.
        interval: Where `end` would be at either end of the gain's 95% interval.
        control: Whether the rung is a control.
        left_out: Whether the rung lacks the change, so that the gain goes from `end` to `start`.
        verdict: What the gain says; empty without a base.
    """

    name: str
    end: float
    start: float | None = None
    base: int | None = None
    interval: tuple[float, float] | None = None
    control: bool = False
    left_out: bool = False
    verdict: str = ""


def steps(records: Records) -> list[Step]:
    """Return the bars, on the images that gains are measured on.

    A bar is as long as the rung's gain, which counts the seeds that rung and base have in common.
    """
    names = [rung["name"] for rung in records.rungs]
    return [_step(rung, records, names) for rung in records.rungs]


def _step(rung: dict[str, Any], records: Records, names: Sequence[str]) -> Step:
    end, control = records.accuracy(rung)["mean"], rung["control"]
    if rung["base"] is None:
        return Step(rung["name"], end, control=control)
    # Where the base was measured with other seeds as well, its own mean is another than this.
    start = end + rung["gain"] if rung["left_out"] else end - rung["gain"]
    return Step(
        name=rung["name"],
        end=end,
        start=start,
        base=names.index(rung["base"]),
        interval=_around_end(start, rung["interval"], left_out=rung["left_out"]),
        control=control,
        left_out=rung["left_out"],
        verdict=rung["verdict"] or "",
    )


def _around_end(
    start: float, interval: Sequence[float] | None, *, left_out: bool
) -> tuple[float, float] | None:
    if interval is None:
        return None
    low, high = interval
    return (start - high, start - low) if left_out else (start + low, start + high)


def waterfall(bars: Sequence[Step], xlabel: str, path: Path) -> Path:
    """Draw the bars from top to bottom, each between its base's accuracy and its own.

    A line leads from each base's own end to the bars that are counted from it. It slants where
    the two were measured with different seeds.

    Args:
        bars: At least one.
        xlabel: What the accuracies are of.
        path: Ends in .png or .svg.
    """
    figure = new_figure(7.2, 1.5 + 0.42 * len(bars))
    axes = figure.subplots()
    left, right = _limits(bars)
    for row, bar in enumerate(bars):
        stand = left if bar.base is None else 100 * bars[bar.base].end
        _draw_bar(axes, bar, row, stand)
    axes.set_yticks(range(len(bars)), [bar.name for bar in bars], parse_math=False)
    axes.set(xlim=(left, right), ylim=(len(bars) - 0.4, -0.6), xlabel=f"{xlabel}, %")
    axes.set_xticks([tick for tick in axes.get_xticks() if left <= tick <= min(right, 100)])
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        handles=_legend(bars), loc="outside lower center", ncols=5, frameon=False, fontsize=9
    )
    return save(figure, path)


def _limits(bars: Sequence[Step]) -> tuple[float, float]:
    ends = [100 * value for bar in bars for value in (bar.end, *(bar.interval or ()))]
    starts = [100 * bar.start for bar in bars if bar.start is not None]
    low, high = min(ends + starts), max(ends + starts)
    margin = 0.08 * (high - low) or 1.0
    return low - 2 * margin, high + margin


def _draw_bar(axes: "Axes", bar: Step, row: int, stand: float) -> None:
    start = stand if bar.start is None else 100 * bar.start
    end = 100 * bar.end
    style: dict[str, Any] = {"hatch": "////"} if bar.control else {}
    axes.barh(
        row,
        end - start,
        left=start,
        height=0.56,
        color=COLOURS[bar.verdict],
        edgecolor="#333333",
        linewidth=0.8,
        **style,
    )
    if bar.base is not None:
        axes.plot([stand, start], [bar.base, row], color="#555555", linewidth=0.8, zorder=0.5)
    if bar.interval:
        low, high = (100 * value for value in bar.interval)
        axes.errorbar(
            end,
            row,
            xerr=[[max(0.0, end - low)], [max(0.0, high - end)]],
            color="black",
            linewidth=1.1,
            capsize=3,
        )
    axes.text(1.02, row, _told(bar), transform=axes.get_yaxis_transform(), va="center", fontsize=9)


def _told(bar: Step) -> str:
    if bar.start is None:
        return percent(bar.end)
    return points(bar.start - bar.end if bar.left_out else bar.end - bar.start)


def _legend(bars: Sequence[Step]) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    edge: dict[str, Any] = {"edgecolor": "#333333", "linewidth": 0.8}
    there = {bar.verdict for bar in bars}
    unjudged = "top rung" if any(bar.left_out for bar in bars) else "start"
    handles: list[Any] = [
        Patch(facecolor=colour, label=verdict or unjudged, **edge)
        for verdict, colour in COLOURS.items()
        if verdict in there
    ]
    if any(bar.control for bar in bars):
        handles.append(Patch(facecolor="white", hatch="////", label="control", **edge))
    if any(bar.interval for bar in bars):
        handles.append(Line2D([], [], color="black", label="95% interval of the gain"))
    return handles
