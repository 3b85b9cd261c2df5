"""The tables of a climb: plain rows, written as CSV with every digit of the records.

Text that a spreadsheet would take for a formula gets an apostrophe in front.
Source: OWASP, "CSV Injection".
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rungwise.report.mistakes import Mistake, ranked
from rungwise.report.records import Records
from rungwise.report.reliability import Bin
from rungwise.storage import write_text

MISTAKE_HEADER = (
    "position",
    "image",
    "true_class",
    "answer",
    "probability",
    "true_class_probability",
    "suspected_label_error",
)


_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True)
class Table:
    """Rows under a header; None is an empty cell."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def write(self, folder: Path) -> Path:
        """Write `NAME.csv` into the folder.

        Raises:
            StorageError: The folder cannot be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(map(_cell, row) for row in (self.header, *self.rows))
        path = folder / f"{self.name}.csv"
        write_text(path, text.getvalue())
        return path


def _cell(value: Any) -> Any:
    """Return a cell that no spreadsheet computes; numbers are left as they are, also as text.

    >>> _cell("=1+1"), _cell("-1"), _cell(-0.5)
    ("'=1+1", '-1', -0.5)
    """
    if not isinstance(value, str):
        return value
    is_formula = _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    text = value.replace("\r", r"\r")  # Python's writer does not quote it: it would end the row.
    return f"'{text}" if is_formula else text


def verdict_rows(records: Records) -> list[dict[str, Any]]:
    """Return a row for each rung: accuracies and gains as shares of 1, with what they cost.

    The gain of a rung that is `left_out` is what its base has over it. The last two say what a
    percentage point costs in training, where the gain is positive; they are below 0 where the
    technique makes training cheaper.
    """
    return [_verdict_row(records, rung) for rung in records.rungs]


def _verdict_row(records: Records, rung: dict[str, Any]) -> dict[str, Any]:
    details = rung["gain_details"] or {}
    low, high = rung["interval"] or (None, None)
    return {
        "rung": rung["name"],
        "change": rung["change"],
        "control": rung["control"],
        "left_out": rung["left_out"],
        "base": rung["base"],
        "seeds": len(rung["seeds"]),
        "val_accuracy": _of(rung["val_accuracy"], "mean"),
        "val_std": _of(rung["val_accuracy"], "std"),
        "test_accuracy": _of(rung["test_accuracy"], "mean"),
        "test_std": _of(rung["test_accuracy"], "std"),
        "reference": rung["reference"],
        "gain": rung["gain"],
        "gain_low": low,
        "gain_high": high,
        "seed_deviation": details.get("seed_deviation"),
        "image_deviation": details.get("image_deviation"),
        "p_value": details.get("p_value"),
        "verdict": rung["verdict"],
        "further_seeds": details.get("further_seeds"),
        "seconds": rung["seconds"],
        "flops": rung["flops"],
        "seconds_per_point": _per_point(records, rung, "seconds"),
        "flops_per_point": _per_point(records, rung, "flops"),
    }


def _of(accuracy: dict[str, Any] | None, figure: str) -> Any:
    return accuracy[figure] if accuracy else None


def _per_point(records: Records, rung: dict[str, Any], cost: str) -> float | None:
    if rung["gain"] is None or rung["gain"] <= 0:
        return None
    extra = rung[cost] - records.rung(rung["base"])[cost]
    return float((-extra if rung["left_out"] else extra) / (100 * rung["gain"]))


def verdict_table(records: Records) -> Table:
    """Return the rungs' figures as a table."""
    rows = verdict_rows(records)
    return Table("verdicts", tuple(rows[0]), tuple(tuple(row.values()) for row in rows))


def seed_table(records: Records) -> Table:
    """Return what each rung reached with each seed, and what its gain was."""
    header = ("rung", "seed", "val_accuracy", "test_accuracy", "gain", "split", "runs")
    rows = [
        (
            rung["name"],
            seed,
            _value(rung["val_accuracy"], place),
            _value(rung["test_accuracy"], place),
            _gains(rung).get(seed),
            (line["validation"] or {}).get("fingerprint"),
            " ".join("/".join(Path(run).parts[-3:]) for run in line["runs"]),
        )
        for rung in records.rungs
        for place, (seed, line) in enumerate(
            zip(rung["seeds"], records.of(rung["name"]), strict=True)
        )
    ]
    return Table("seeds", header, tuple(rows))


def _gains(rung: dict[str, Any]) -> dict[int, float]:
    details = rung["gain_details"]
    return dict(zip(details["seeds"], details["values"], strict=True)) if details else {}


def _value(figures: dict[str, Any] | None, place: int) -> Any:
    return figures["values"][place] if figures else None


def confusion_table(matrix: Sequence[Sequence[int]], class_names: Sequence[str]) -> Table:
    """Return a confusion matrix: true classes downwards, answers to the right."""
    rows = ((name, *row) for name, row in zip(class_names, matrix, strict=True))
    return Table("confusion", ("true class", *class_names), tuple(rows))


def calibration_table(bins: Sequence[Bin]) -> Table:
    """Return the bins of the reliability diagram."""
    header = ("low", "high", "images", "confidence", "accuracy")
    return Table("calibration", header, tuple(tuple(asdict(one).values()) for one in bins))


def mistake_table(wrong: Sequence[Mistake]) -> Table:
    """Return every wrong answer of a climb's rung, the surest first."""
    rows = (
        (one.seed, *_mistake_row(one)) for one in sorted(wrong, key=lambda one: -one.probability)
    )
    return Table("mistakes", ("seed", *MISTAKE_HEADER), tuple(rows))


def error_table(wrong: Sequence[Mistake], part: str) -> Table:
    """Return every wrong answer of an evaluation, suspected label errors first."""
    rows = ((part, *_mistake_row(one)) for one in ranked(wrong))
    return Table("errors", ("part", *MISTAKE_HEADER), tuple(rows))


def _mistake_row(mistake: Mistake) -> tuple[Any, ...]:
    return (
        mistake.position,
        mistake.name,
        mistake.truth,
        mistake.answer,
        mistake.probability,
        mistake.truth_probability,
        "yes" if mistake.suspected else "no",
    )
