"""The verdict table as the page shows it: cells as text, each control below what it checks."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from rungwise.ladder.numbers import operations, percent, points, seconds, spread
from rungwise.ladder.table import BALANCED, LOOKS
from rungwise.report.records import Records
from rungwise.report.tables import verdict_rows


def headings(records: Records) -> dict[str, str]:
    """Return the names of the columns that depend on the climb; empty for one that is not there."""
    left_out = records.climb["reading"] == "leave-one-out"
    return {
        "base": "left out of" if left_out else "over",
        "test": "test" if records.measured_on == "test" else "",
        "balanced": "balanced" if records.unequal_classes else "",
        "reference": "article" if any(_references(records)) else "",
        "seeds": "seeds" if records.seeds_differ else "",
        "gain": "gain with it" if left_out else "gain",
    }


def _references(records: Records) -> list[bool]:
    return [rung["reference"] is not None for rung in records.rungs]


def notes(records: Records) -> str:
    """Return what a reader of the table has to know."""
    pairing = (
        " A gain is counted over the rung's own seeds alone, so it need not be the difference of "
        "the mean accuracies."
    )
    return (
        "Accuracies: mean over the seeds ± standard deviation. Gains: percentage points on "
        f"{records.chosen_on} images, paired seed by seed; the interval covers the noise of seeds "
        "and of images, whose parts (standard deviations of the gain) stand beside it."
        f"{pairing if records.seeds_differ else ''}"
        f"{' ' + BALANCED if records.unequal_classes else ''}"
        f"{' ' + LOOKS if records.climb['budget'] is not None else ''}"
        " Verdicts are corrected for the number of rungs (Holm), so a gain whose own interval "
        "leaves out 0 can still be unclear. Seeds needed: how many more would tell a gain of this "
        "size from none. Seconds and floating-point operations are those of training, for one "
        "seed; predicting with more views or nets costs more as well. What a point costs is as "
        "uncertain as the gain."
    )


def shown_rows(records: Records) -> list[dict[str, Any]]:
    """Return the cells of each row as the page writes them.

    A row that `checks` is a control's, below a rung that it is the control of; one that is
    `joined` belongs together with the row below it.
    """
    rows = {row["rung"]: row for row in verdict_rows(records)}
    names = list(_in_groups(records))
    checks = {name: _checked_by(name, records) for name in names}
    below = {name: bool(checks[following]) for name, following in pairwise(names)}
    return [
        {
            **_shown(rows[name], records),
            "checks": " and ".join(checks[name]),
            "joined": below.get(name, False),
        }
        for name in names
    ]


def _in_groups(records: Records) -> Iterator[str]:
    """Yield the rungs in the ladder's order, but each control after the first that it checks."""
    told: set[str] = set()
    for rung in records.rungs:
        if _checked_by(rung["name"], records):
            continue
        yield rung["name"]
        while rung["base"] and rung["base"] not in told:
            rung = records.rung(rung["base"])
            if not rung["control"]:
                break
            told.add(rung["name"])
            yield rung["name"]


def _checked_by(control: str, records: Records) -> list[str]:
    """Return the rungs that are measured against a control; none for another rung."""
    if not records.rung(control)["control"]:
        return []
    return [rung["name"] for rung in records.rungs if rung["base"] == control]


def _shown(row: dict[str, Any], records: Records) -> dict[str, Any]:
    rung = records.rung(row["rung"])
    chosen_on_test = records.circumstances["recipes"][row["rung"]]["validation"] == "test"
    return {
        "rung": row["rung"],
        "change": row["change"],
        "control": row["control"],
        "base": row["base"] or "",
        "on_control": bool(row["base"]) and records.rung(row["base"])["control"],
        "validation": "= test" if chosen_on_test else spread(rung["val_accuracy"]),
        "test": spread(rung["test_accuracy"]),
        "balanced": spread(records.balanced_accuracy(rung)) if records.unequal_classes else "",
        "reference": percent(row["reference"]) if row["reference"] is not None else "",
        "seeds": str(row["seeds"]),
        "verdict": row["verdict"] or "",
        "seconds": seconds(row["seconds"]),
        "flops": operations(row["flops"]),
        **_shown_gain(row),
    }


def _shown_gain(row: dict[str, Any]) -> dict[str, str]:
    if row["gain"] is None:
        empty = ("gain", "interval", "seed_part", "image_part", "further", "extra_s", "extra_flops")
        return dict.fromkeys(empty, "")
    low, high = row["gain_low"], row["gain_high"]
    return {
        "gain": points(row["gain"]),
        "interval": f"{points(low)} to {points(high)}" if low is not None else "",
        "seed_part": _deviation(row["seed_deviation"]),
        "image_part": _deviation(row["image_deviation"]),
        "further": _further(row),
        "extra_s": _extra(row["seconds_per_point"], seconds),
        "extra_flops": _extra(row["flops_per_point"], operations),
    }


def _further(row: dict[str, Any]) -> str:
    if row["verdict"] != "unclear":
        return ""
    if row["seeds"] == 1:
        return "one seed"
    return f"{row['further_seeds']} more" if row["further_seeds"] else "no number would do"


def _deviation(value: float | None) -> str:
    return f"± {100 * value:.2f}" if value is not None else "–"


def _extra(value: float | None, written: Callable[[float], str]) -> str:
    if value is None:
        return ""
    return written(value) if value > 0 else "none"
