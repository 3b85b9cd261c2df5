"""The ledger: every opening of a test set is written down, one JSON object on a line.

An opening is work that lets new predictions of the test images be seen. Reading again what was
predicted before opens nothing.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rungwise.data import Dataset
from rungwise.json_text import parse_json
from rungwise.storage import explaining_storage


def record_opening(root: Path, dataset: Dataset, what: str) -> int:
    """Write down that the test set was opened, and return how often it was by other work before.

    Args:
        root: The folder of all runs; the ledger is its `ledger.jsonl`.
        dataset: Whose test set.
        what: What was evaluated; the same words for the same work.

    Raises:
        StorageError: The ledger cannot be written.
    """
    path = root / "ledger.jsonl"
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": dataset.name,
        "test": test_fingerprint(dataset),
        "what": what,
    }
    with explaining_storage(path):
        root.mkdir(parents=True, exist_ok=True)
        # One write of one line: writers at the same time do not mix.
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(handle, (_line_end(path) + json.dumps(entry) + "\n").encode())
        finally:
            os.close(handle)
    return earlier_openings(root, dataset, what)


def earlier_openings(root: Path, dataset: Dataset, what: str) -> int:
    """Count the openings by other work before the last one by this work.

    Where this work opened nothing, as when it reads what others predicted, all of them count.
    """
    entries = openings(root, dataset)
    own = [place for place, entry in enumerate(entries) if entry.get("what") == what]
    before = entries[: own[-1]] if own else entries
    return sum(entry.get("what") != what for entry in before)


def openings(root: Path, dataset: Dataset) -> list[dict[str, Any]]:
    """Return the ledger's entries for the data set's test images.

    A line that cannot be read is an opening of nobody knows what: an empty entry for every set.
    """
    path, ours = root / "ledger.jsonl", test_fingerprint(dataset)
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [entry for entry in map(_entry, lines) if entry.get("test", ours) == ours]


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = parse_json(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _line_end(path: Path) -> str:
    """Return what ends a last line that was cut off, as on a full disk."""
    return "" if path.read_bytes()[-1:] in (b"", b"\n") else "\n"


def test_fingerprint(dataset: Dataset) -> str | None:
    """Return what identifies the test images, whatever subset is trained on."""
    return dataset.test.fingerprint if dataset.test else None
