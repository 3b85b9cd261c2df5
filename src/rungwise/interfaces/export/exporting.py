"""An export as a whole: write the file, read it again, compare, measure, describe."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from rungwise.data.images import LabelledImages
from rungwise.errors import RunError
from rungwise.extras import require_extra
from rungwise.interfaces.export.card import write_card
from rungwise.interfaces.export.formats import FORMATS
from rungwise.interfaces.export.graph import Graph
from rungwise.interfaces.export.parity import compare, house_precision, require_parity
from rungwise.interfaces.export.speed import latencies
from rungwise.interfaces.export.subject import Subject
from rungwise.json_text import MOST_BYTES, parse_json
from rungwise.ladder.environment import processor_name
from rungwise.storage import replacing, sha256, write_text

CARD_FORMAT = 1
"""Number of the card's JSON form; raised when its keys change."""


def require_exportable(subject: Subject, kind: str) -> None:
    """Check what can be checked before any image is read.

    Raises:
        UsageError: The format's packages are absent, or the predictor's views are random.
    """
    require_extra("onnx", FORMATS[kind].packages, f"an export to {kind}")
    Graph(subject.predictor)


def export(
    subject: Subject, kind: str, path: Path, images: LabelledImages, of: str
) -> dict[str, Any]:
    """Write the predictor to `path`, prove it, and write the model card beside it.

    A file that does not give the predictor's answers is not kept; one that was there stays.

    Args:
        subject: What to export.
        kind: A name in `FORMATS`.
        path: Where to.
        images: What the file is compared on.
        of: What they are, in words.

    Returns:
        The facts about the file: `file`, `format`, `bytes`, `sha256`, `parity`, `latency`,
        `machine`, and `card`, where the card lies.

    Raises:
        RunError: PyTorch cannot export the net, or the file gives other answers.
        StorageError: The place cannot be written.
    """
    with replacing(path) as temporary:
        answer = _written(subject, kind, temporary)
        parity = compare(subject.predictor, answer, images, of)
        require_parity(parity, kind)
        rows = _latency(subject, answer, path.name, images)
    file = {
        "file": path.name,
        "format": kind,
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "parity": asdict(parity),
        "latency": rows,
        "machine": f"{processor_name()}, torch {torch.__version__}",
    }
    card = write_cards(subject, path, file)
    return {**file, "file": str(path), "card": str(card)}


def _written(subject: Subject, kind: str, path: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """Write the graph, and return the file as a function."""
    try:
        FORMATS[kind].write(Graph(subject.predictor), _description(subject), path)
        return FORMATS[kind].read(path)
    except OSError:  # about the disk, not the graph
        raise
    except Exception as error:  # exporters and engines raise every kind of error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(
            f"PyTorch or the file's engine cannot export this predictor to {kind}: {reason}",
            expected="a net whose every operation the format knows",
            fix=f"try another format: {', '.join(name for name in FORMATS if name != kind)}",
        ) from error


def _description(subject: Subject) -> dict[str, str]:
    """Return what the file itself says; text, as both formats hold no more, lists as JSON."""
    facts = subject.facts()
    return {
        "class_names": json.dumps(facts["classes"]),
        "image": json.dumps(facts["image"]),
        "recipe": facts["model"]["recipe"]["name"],
        "rungwise": facts["rungwise"],
    }


def _latency(
    subject: Subject,
    answer: Callable[[torch.Tensor], torch.Tensor],
    name: str,
    images: LabelledImages,
) -> list[dict[str, Any]]:
    house = f"rungwise, {house_precision(subject.predictor)}"
    contestants = {house: subject.predictor.probabilities, name: answer}
    measured = latencies(contestants, images.first(100))
    return [{"name": name, "seconds": medians} for name, medians in measured.items()]


def write_cards(subject: Subject, path: Path, file: dict[str, Any] | None = None) -> Path:
    """Write the card as Markdown and JSON; other files of the same predictor stay on it.

    Args:
        subject: What it describes.
        path: The file beside which it lies, and after which it is called.
        file: The facts about an exported file.
    """
    card = path.with_name(f"{path.stem}-card.md")
    facts = {"format": CARD_FORMAT, **subject.facts()}
    facts["files"] = [*_others(card.with_suffix(".json"), facts, path), *([file] if file else [])]
    write_text(card.with_suffix(".json"), json.dumps(facts, ensure_ascii=False, indent=1) + "\n")
    write_text(card, write_card(facts))
    return card


def _others(earlier: Path, ours: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """Return what an earlier card says of files that still lie there as they were written."""
    try:
        with earlier.open("rb") as file:
            facts = parse_json(file.read(MOST_BYTES + 1))
        alike = all(facts[key] == ours[key] for key in ("format", "rungwise", "predictor"))
        return [
            file
            for file in (facts["files"] if alike else [])
            if file["file"] != path.name and sha256(path.with_name(file["file"])) == file["sha256"]
        ]
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or not ours
        return []
