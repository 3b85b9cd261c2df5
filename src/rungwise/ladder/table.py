"""A climb's result as a table of text, and what has to be said beneath it."""

from collections.abc import Sequence
from html import escape

from rungwise.ladder.comparison import Gain
from rungwise.ladder.numbers import counted, duration, percent, points, spread, times
from rungwise.ladder.result import (
    ClimbResult,
    Measured,
    RungResult,
    accuracies,
    balanced_accuracies,
)
from rungwise.ladder.rung import Ladder

PROTOCOLS = {
    "sealed": "sealed. Gains are measured on validation images held out of the training "
    "set; test images are looked at once, at the end.",
    "article": "the article's own. Where validation reads '= test', the test set was "
    "used for choosing.",
}
READINGS = {
    "cumulative": "cumulative. Each rung is compared with the one that stands under 'over'.",
    "add-one": "add-one. Each technique is measured alone, on the first rung.",
    "leave-one-out": "leave-one-out. Each rung lacks one technique of the top rung; its "
    "gain is what the top rung has over it, so 'keep' speaks for the technique.",
}
LOOKS = "Looking at verdicts to decide about further seeds is paid for by wider intervals."
BALANCED = (
    "Balanced: the mean over the classes of the share of right answers, on the images that "
    "choices are made on, as the classes have unequally many."
)
ONE_SEED = "One seed tells nothing about the spread: it takes three or more."


def header(result: ClimbResult) -> list[str]:
    """Return the names of the columns."""
    names = [
        "validation",
        "test",
        *(["balanced"] if result.unequal_classes else []),
        *(["article"] if _has_references(result) else []),
    ]
    return ["rung", "change", *names, "over", "gain", "verdict", "seeds", "seconds", "operations"]


def rows(result: ClimbResult) -> list[list[str]]:
    """Return the cells, a row for each rung in the ladder's order."""
    article, balanced = _has_references(result), result.unequal_classes
    return [_row(rung, article=article, balanced=balanced) for rung in result.rungs]


def title(result: ClimbResult) -> str:
    """Return the line above the table."""
    most = len(result.seeds)
    up_to = "" if all(len(rung.seeds) == most for rung in result.rungs) else "up to "
    return f"{result.ladder.title} [{result.data}, {up_to}{counted(most, 'seed')}]"


def _has_references(result: ClimbResult) -> bool:
    return any(rung.rung.reference is not None for rung in result.rungs)


def _row(result: RungResult, *, article: bool, balanced: bool) -> list[str]:
    rung = result.rung
    chosen_on_test = rung.recipe.validation == "test"
    return [
        f"{rung.name} (control)" if rung.control else rung.name,
        rung.change,
        "= test" if chosen_on_test else _accuracy(result.validation),
        _accuracy(result.test),
        *([spread(balanced_accuracies(result.chosen_on).to_dict())] if balanced else []),
        *([percent(rung.reference) if rung.reference is not None else ""] if article else []),
        rung.base or "",
        _gain(result.gain) if result.gain else "",
        _verdict(result),
        str(len(result.seeds)),
        f"{result.seconds:.1f}",
        f"{result.flops:.2g}",
    ]


def _accuracy(measured: Sequence[Measured]) -> str:
    return spread(accuracies(measured).to_dict()) if measured else "-"


def _gain(gain: Gain) -> str:
    if gain.interval is None:
        return points(gain.mean)
    low, high = gain.interval
    return f"{points(gain.mean)} ({points(low)} to {points(high)})"


def _verdict(result: RungResult) -> str:
    gain = result.gain
    if gain is None or result.verdict != "unclear" or len(gain.values) < 2:
        return result.verdict or ""
    more = gain.further_seeds
    return f"unclear: {counted(more, 'more seed')}" if more else "unclear"


def notes(result: ClimbResult) -> list[str]:
    """Return what a reader has to know before believing the figures."""
    return [
        "Accuracies: mean over the seeds ± standard deviation. Gains: paired seed by seed, in "
        "percentage points, with a 95% interval for the noise of seeds and of images; verdicts are "
        "corrected for the number of rungs (Holm)." + (f" {LOOKS}" if result.budget else ""),
        f"Protocol: {PROTOCOLS[result.protocol]}",
        *_reading(result.ladder),
        *([BALANCED] if result.unequal_classes else []),
        *_sealed(result),
        *_openings(result),
        *(f"Collapsed: {told}." for told in result.collapsed),
        *_left_out(result),
        *(_one_seed(result)),
        *_final(result),
    ]


def _reading(ladder: Ladder) -> list[str]:
    if ladder.reading == "cumulative":
        return []
    return [f"Reading: {READINGS[ladder.reading]}"]


def _sealed(result: ClimbResult) -> list[str]:
    if any(rung.test for rung in result.rungs):
        return []
    return ["No test images were looked at."]


def _openings(result: ClimbResult) -> list[str]:
    count = result.earlier_openings
    if not count:
        return []
    ledger = result.folder.parent.parent / "ledger.jsonl"
    return [f"The test set had been opened {times(count)} before ({ledger})."]


def _left_out(result: ClimbResult) -> list[str]:
    lines = [f"Left out: {reason}." for reason in result.left_out]
    if result.budget is not None:
        lines.insert(0, f"Budget: {duration(result.budget)}.")
    return lines


def _one_seed(result: ClimbResult) -> list[str]:
    if len(result.seeds) > 1:
        return []
    return [ONE_SEED]


def _final(result: ClimbResult) -> list[str]:
    final = result.final
    if final is None:
        return []
    tested = f", test {spread(accuracies(final.test).to_dict())}" if final.test else ""
    many = f" with {len(final.runs)} seeds" if len(final.runs) > 1 else ""
    return [
        f"Final net: {final.recipe.name}, fitted to {final.train_images} images{many}{tested}: "
        f"{final.model.resolve()}"
    ]


def to_text(result: ClimbResult) -> str:
    """Return the table and its notes as lines of text."""
    lines = [header(result), *rows(result)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([title(result), *padded, *notes(result), f"Report: {result.report.resolve()}"])


def to_html(result: ClimbResult) -> str:
    """Return the table and its notes as HTML, for a notebook."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header(result))
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows(result)
    )
    lines = "".join(f"<p>{escape(note)}</p>" for note in notes(result))
    return (
        f"<h4>{escape(title(result))}</h4><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{lines}"
    )
