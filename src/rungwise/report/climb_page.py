"""The page of a climb: everything that it found, in one file that needs nothing else."""

import base64
import contextlib
import shlex
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rungwise.data import Dataset, load_as_recorded
from rungwise.errors import RungwiseError
from rungwise.json_text import read_json
from rungwise.ladder.numbers import counted, duration, spread
from rungwise.ladder.result import REPORT_NAME
from rungwise.ladder.table import PROTOCOLS, READINGS
from rungwise.report.canvas import DPI
from rungwise.report.climb_figures import (
    Picture,
    Section,
    Sources,
    confusion_matrix,
    draw_climb_figures,
)
from rungwise.report.page import render_page
from rungwise.report.records import FILES, Records, read_records
from rungwise.report.summary import summarize_climb, warnings_of
from rungwise.report.tables import (
    Table,
    calibration_table,
    confusion_table,
    mistake_table,
    seed_table,
    verdict_table,
)
from rungwise.report.verdict_table import headings, notes, shown_rows
from rungwise.storage import write_text
from rungwise.training.parsing import recipe_text

CSS_DPI = 96
MOST_CLASS_NAMES = 30
TABLES = {
    "verdicts": "the verdict table, with every digit",
    "seeds": "each rung with each seed",
    "confusion": "the confusion matrix of {rung}",
    "calibration": "the bins of its reliability diagram",
    "mistakes": "all its mistakes, the surest first",
}


def write_climb_report(folder: Path, dataset: Dataset | None = None) -> Path:
    """Draw a climb's pictures, tables and page from its records, and return the page's path.

    Args:
        folder: The climb's folder.
        dataset: Its data set, if it is loaded already. Otherwise it is loaded by its name from
            this machine; what needs it is left as it is where it is gone or has changed.

    Raises:
        RunError: The folder is no climb's, or its records are damaged.
        StorageError: The folder cannot be written.
    """
    records = read_records(folder)
    sources = _sources(records, dataset)
    sections = draw_climb_figures(sources)
    tables = _write_tables(sources)
    path = folder / REPORT_NAME
    write_text(path, _render(records, sources, sections, tables))
    return path


def is_drawn(folder: Path) -> bool:
    """Tell whether a climb's page is there and younger than its records."""
    page, records = folder / REPORT_NAME, [folder / name for name in FILES]
    if not all(path.exists() for path in (page, *records)):
        return False
    return page.stat().st_mtime_ns > max(path.stat().st_mtime_ns for path in records)


def _sources(records: Records, dataset: Dataset | None) -> Sources:
    wanted, name = records.dataset["fingerprint"], records.climb["data"]
    if dataset is None:
        try:
            dataset = load_as_recorded({**records.dataset, "data": name}, offline=True)
        except RungwiseError:
            return Sources(records, None, f"the data set {name} is not on this machine")
    if dataset.fingerprint != wanted:
        return Sources(records, None, f"the data set {name} is not what the climb measured")
    return Sources(records, dataset)


def _write_tables(sources: Sources) -> list[Table]:
    records = sources.records
    tables = [
        verdict_table(records),
        seed_table(records),
        confusion_table(confusion_matrix(records), records.class_names),
    ]
    with contextlib.suppress(RungwiseError):  # As with the pictures: what is on the disk stays.
        tables += [calibration_table(sources.bins), mistake_table(sources.wrong)]
    for table in tables:
        table.write(records.folder / "tables")
    return tables


def _render(
    records: Records, sources: Sources, sections: list[Section], tables: list[Table]
) -> str:
    return render_page(
        "climb.html",
        title=records.circumstances["title"],
        facts=_facts(records),
        warnings=warnings_of(records) + ([_lacking(sources.lacking)] if sources.lacking else []),
        summary=summarize_climb(records),
        left_out=records.climb["left_out"],
        final=_final(records),
        rows=shown_rows(records),
        headings=headings(records),
        about_verdicts=notes(records),
        sections=[_embedded(section) for section in sections],
        data=_data_facts(records),
        splits=_splits(records),
        environment=_environment(records),
        commands=_commands(records),
        recipes=_recipes(records),
        tables=[(table.name, TABLES[table.name].format(rung=records.featured)) for table in tables],
    )


def _lacking(reason: str) -> str:
    told = "what needs its images is left as it was drawn before, or left out."
    return f"{_sentence(reason)}: {told}"


def _facts(records: Records) -> list[tuple[str, str]]:
    climb = records.climb
    fewer = "; some rungs with the first of them only"
    seeds = ", ".join(map(str, records.seeds)) + (fewer if records.seeds_differ else "")
    return [
        ("Data", climb["data"]),
        ("Seeds", seeds),
        *([("Budget", duration(climb["budget"]))] if climb["budget"] is not None else []),
        ("Reading", _sentence(READINGS[climb["reading"]])),
        ("Protocol", _sentence(PROTOCOLS[climb["protocol"]])),
        ("Measured", records.circumstances["time"].replace("T", " ").replace("+00:00", " UTC")),
    ]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _final(records: Records) -> dict[str, str] | None:
    """Return what the page says of the final net; `file` is empty where that is gone."""
    final = records.final
    if final is None:
        return None
    best = ", the best on validation images by its mean accuracy less one standard error"
    accuracy = final["test_accuracy"]
    path = _final_path(records, final)
    return {
        "recipe": f"that of {final['rung']}{best if records.chosen_on == 'validation' else ''}",
        "images": counted(final["train_images"], "training image"),
        "test": spread(accuracy) if accuracy else "",
        "file": path.name if path.is_file() else "",
    }


def _final_path(records: Records, final: dict[str, Any]) -> Path:
    return records.folder / Path(final["model"]).name


@dataclass(frozen=True)
class _Embedded:
    """A picture as the page holds it."""

    picture: Picture
    source: str
    width: int


def _embedded(section: Section) -> dict[str, Any]:
    shown = [
        _Embedded(picture, *_png(picture.path)) for picture in section.pictures if picture.path
    ]
    return {"title": section.title, "note": section.note, "pictures": shown}


def _png(path: Path) -> tuple[str, int]:
    """Return a picture as a data URI, with its width in CSS pixels."""
    content = path.read_bytes()
    (width,) = struct.unpack(">I", content[16:20])
    source = "data:image/png;base64," + base64.b64encode(content).decode()
    return source, round(width * CSS_DPI / DPI)


def _data_facts(records: Records) -> list[tuple[str, str]]:
    data, names = records.dataset, records.class_names
    channels, height, width = data["shape"]
    more = f", … ({len(names)} in all)" if len(names) > MOST_CLASS_NAMES else ""
    drawn = data["per_class"]
    subset = f"; each seed draws {drawn} training images of each class" if drawn else ""
    return [
        ("Name", records.climb["data"]),
        ("Images", f"{data['train_images']} to train on, {data['test_images']} to test on{subset}"),
        ("Of size", f"{width}×{height} pixels, {counted(channels, 'channel')}"),
        ("Classes", ", ".join(names[:MOST_CLASS_NAMES]) + more),
        ("Fingerprint", data["fingerprint"]),
    ]


def _splits(records: Records) -> list[tuple[str, str, str]]:
    """Return what identifies the images that each seed was measured on, each split once."""
    found = {
        (str(line["seed"]), part, line[part]["fingerprint"]): None
        for line in records.lines
        for part in ("validation", "test")
        if line[part]
    }
    return sorted(found, key=lambda one: (one[1] == "test", int(one[0])))


def _environment(records: Records) -> list[tuple[str, str]]:
    """Return what the runs were trained with and on; where they differ, all values."""
    values: dict[str, dict[str, None]] = {}
    folders = (folder for line in records.lines for folder in records.run_folders(line))
    for folder in dict.fromkeys(folders):
        try:
            facts = read_json(dict[str, str | float | bool | None], folder / "environment.json")
        except (OSError, ValueError):
            continue
        for name, value in facts.items():
            if value is not None:
                values.setdefault(name, {})[str(value)] = None
    return [(name, "; ".join(different)) for name, different in values.items()]


def _commands(records: Records) -> list[tuple[str, str]]:
    own = records.circumstances["command"]
    again = shlex.join(["rungwise", "report", str(records.folder)])
    told = [("Draw this page again from the records", again)]
    if own:
        told.insert(0, ("Climb again; what is trained is found", own))
    if records.final:
        predict = shlex.join(["rungwise", "predict", str(_final_path(records, records.final))])
        told.append(("Tell the classes of images with the final net", f"{predict} IMAGE…"))
    return told


def _recipes(records: Records) -> list[tuple[str, str]]:
    return [(rung["name"], recipe_text(records.recipe(rung["name"]))) for rung in records.rungs]
