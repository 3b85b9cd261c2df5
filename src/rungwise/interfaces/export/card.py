"""The model card: what a user of an exported file has to know, from the run's own files.

Source: Mitchell et al. 2019, "Model Cards for Model Reporting", arXiv:1810.03993, whose headings it
follows as far as there are facts for them. Names that users gave stand in code spans, in which
Markdown takes no character for a link, for HTML or for the end of a table's cell.
"""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

from rungwise.data.names import printable
from rungwise.interfaces.export.formats import FORMATS
from rungwise.ladder.numbers import counted, operations, percent, seconds


def write_card(facts: dict[str, Any]) -> str:
    """Return the card as Markdown.

    Args:
        facts: As `Subject.facts` gives them, with the exported files, if there are any, under
            `files`.
    """
    exported = bool(facts["files"])
    sections = {
        "What it does": _purpose(facts),
        "Data": _data(facts["data"]),
        "Training": _training(facts),
        "Figures": _figures(facts["figures"]),
        "Limits": _limits(facts),
        "Files": _files(facts["files"], facts["rungwise"]) if exported else [],
        "Use": _usage(facts) if exported else _own_usage(facts),
    }
    text = "".join(
        f"\n## {title}\n" + "\n".join(lines) + "\n" for title, lines in sections.items() if lines
    )
    return f"# {_escaped(facts['name'])}\n{text}"


def _escaped(text: str) -> str:
    """Return text in which no character means anything to Markdown.

    >>> _escaped("<b> of [a](b)")
    '\\\\<b\\\\> of \\\\[a\\\\](b)'
    """
    return re.sub(r"[\\`*_\[\]<>&|~$#!]", r"\\\g<0>", printable(text))


def _code(text: str) -> str:
    """Return text as a code span, which may stand in a table.

    >>> _code("a|b"), _code("`")
    ('`a\\\\|b`', '`` ` ``')
    """
    plain = printable(text).replace("|", r"\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    touches = plain[:1] in ("", " ", "`") or plain[-1:] in (" ", "`")
    return f"{fence} {plain} {fence}" if touches else f"{fence}{plain}{fence}"


def _purpose(facts: dict[str, Any]) -> list[str]:
    image, classes = facts["image"], facts["classes"]
    return [
        f"Tells which of {len(classes)} classes {_kind(image)} shows: {_named(classes)}.",
        "",
        f"Input `pixels`: uint8 (N, {image['height']}, {image['width']}, {image['channels']}), "
        f"values 0 to 255, any N. Output `probabilities`: float32 (N, {len(classes)}), in the "
        "order of the classes; each row sums to 1. "
        "Scaling of the pixels is part of the file" + _also_inside(facts["model"]) + ".",
    ]


def _named(names: list[str]) -> str:
    return ", ".join(map(_code, names))


def _also_inside(model: dict[str, Any]) -> str:
    parts = []
    if len(model["nets"]) > 1:
        parts.append(f"the mean over {len(model['nets'])} nets")
    if model["views"]:
        parts.append(f"test-time views ({_setting(model['views'])})")
    if model["temperatures"]:
        parts.append("temperature scaling")
    return "".join(f", so {'are' if 'views' in part else 'is'} {part}" for part in parts)


def _setting(plain: dict[str, Any] | str) -> str:
    if isinstance(plain, str):
        return plain
    settings = [f"{key} {value}" for key, value in plain.items() if key != "name"]
    return " ".join([plain["name"], *([", ".join(settings)] if settings else [])])


def _data(data: dict[str, Any] | None) -> list[str]:
    if data is None:
        return ["Not on file: the predictor's file does not say what its nets were trained on."]
    lines = [f"- {_code(data['name'])}, fingerprint `{data['fingerprint'][:16]}`"]
    if data["images"] is None:
        lines.append("- counts are not on file, and the data were not on this machine")
    else:
        counts = ", ".join(f"{number:,} {part}" for part, number in data["images"].items())
        of_class = data["training_images_of_class"].values()
        lines.append(
            f"- images: {counts}; {min(of_class):,} to {max(of_class):,} training images of a class"
        )
    source = data["source"] or "not known to rungwise; ask whoever made them"
    return [*lines, f"- source and licence: {source}"]


def _training(facts: dict[str, Any]) -> list[str]:
    model, training = facts["model"], facts["training"]
    kinds = sorted(set(model["nets"]))
    nets = ", ".join(f"{model['nets'].count(kind)} × {kind}" for kind in kinds)
    lines = [f"- nets: {nets}; {model['parameters']:,} parameters in all"]
    if training is None:
        used = f"- recipe {_code(model['recipe']['name'])}, in full in the card's JSON"
        return [*lines, used, *_trained(model["trained"])]
    return [
        *lines,
        f"- recipe {_code(training['recipe'])}, seed {training['seed']}, "
        f"{counted(training['epochs'], 'epoch')} of batches of {training['batch_size']}, weights "
        f"kept: {training['kept']}",
        f"- augmentations: {_listed(training['augmentations'])}; techniques: "
        f"{_listed(training['techniques'])}",
        f"- {seconds(training['seconds'])} and {operations(training['operations'])} "
        f"floating-point operations, in {training['precision']}",
    ]


def _trained(nets: list[dict[str, Any] | None]) -> Iterator[str]:
    """Tell each training once: a snapshot ensemble's nets come from one."""
    told = (
        f"- trained: recipe {_code(one['recipe'])}, seed {one['seed']}, "
        f"{counted(one['epochs'], 'epoch')}"
        for one in nets
        if one
    )
    yield from dict.fromkeys(told)


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _figures(figures: dict[str, Any] | None) -> list[str]:
    if figures is None:
        return ["Not on file: the predictor's own file holds no figures."]
    lines = []
    chosen_on_test = figures["validation_is_test"]
    if figures["validation"]:
        kind = "test (used for choosing: no measure of unseen images)"
        loss = figures["validation"]["loss"]
        lines.append(
            f"- {kind if chosen_on_test else 'validation'}: accuracy "
            f"{percent(figures['validation']['accuracy'])}"
            + (f", loss {loss:.4f}" if loss is not None else "")
            + _calibration(figures["validation"])
        )
    if figures["test"]:
        test = figures["test"]
        lines.append(
            f"- test: accuracy {percent(test['accuracy'])}, loss {test['loss']:.4f}"
            + _calibration(test)
        )
    elif not chosen_on_test:
        lines.append("- test: no figure on file")
    if figures["test_openings"]:
        lines.append(
            f"- these test images were opened {counted(figures['test_openings'], 'time')} in this "
            "folder of runs (`ledger.jsonl`)"
        )
    return lines


def _calibration(figures: dict[str, Any]) -> str:
    error = figures.get("calibration_error")
    return "" if error is None else f", calibration error {percent(error)}"


def _limits(facts: dict[str, Any]) -> list[str]:
    image = facts["image"]
    resized = (
        "for training, image files were resized to that with Pillow's bilinear filter, without "
        "regard to the aspect ratio: do the same"
        if image["resized"]
        else "no training image was resized, so nothing is known of images that are"
    )
    lines = [
        f"- Takes images of {image['height']}×{image['width']} pixels (height×width) alone; "
        f"{resized}.",
        "- Gives one of its classes for any picture, also for one that shows none of them.",
        "- Not measured on other data than those above, on damaged, noisy, moved or turned images, "
        "or on groups of people or things within a class.",
    ]
    if facts["training"]:
        lines.append("- One seed: another seed's net is a little better or worse.")
    return lines


def _kind(image: dict[str, Any]) -> str:
    size = f"{image['height']}×{image['width']} pixels"
    match image["channels"]:
        case 1:
            return f"a grey image of {size}"
        case 3:
            return f"a colour image (RGB) of {size}"
        case channels:
            return f"an image of {size} in {channels} channels"


def _files(files: list[dict[str, Any]], version: str) -> list[str]:
    lines = [
        "| file | format | bytes | compared on | other answers | largest difference | SHA-256 |",
        "|---|---|---|---|---|---|---|",
    ]
    for file in files:
        parity = file["parity"]
        exported = parity["exported"]
        lines.append(
            f"| {_code(file['file'])} | {file['format']} | {file['bytes']:,} | "
            f"{parity['images']:,} {_escaped(parity['of'])} | {exported['other_answers']} | "
            f"{exported['largest_difference']:.2g} | `{file['sha256'][:16]}` |"
        )
    return [
        *lines,
        "",
        f"Exported by rungwise {version} and compared with its predictor in float32; the "
        "difference is of a probability.",
        *_house_lines(files[-1]["parity"]),
        "",
        *_latency_lines(files),
    ]


def _house_lines(parity: dict[str, Any]) -> Iterator[str]:
    if parity["house_precision"] != "float32":
        house = parity["house"]
        yield (
            f"Rungwise itself computes in {parity['house_precision']}: beside that, "
            f"{house['other_answers']} of {parity['images']:,} {_escaped(parity['of'])} get "
            f"another answer, and the largest difference is {house['largest_difference']:.2g}."
        )


def _latency_lines(files: list[dict[str, Any]]) -> list[str]:
    lines = ["| median milliseconds, one thread | 1 image | 100 images |", "|---|---|---|"]
    for file in files:
        for row in file["latency"]:
            times = " | ".join(f"{1000 * value:.2f}" for value in row["seconds"])
            lines.append(f"| {row['name']} | {times} |")
    return [*lines, "", f"Measured on {files[-1]['machine']}."]


def _own_usage(facts: dict[str, Any]) -> list[str]:
    return [
        "With rungwise; the file is safetensors, with its description as JSON in the header:",
        f"```\nrungwise predict {shlex.quote(printable(facts['predictor']['file']))} IMAGE…\n```",
    ]


def _usage(facts: dict[str, Any]) -> list[str]:
    lines = []
    for file in facts["files"]:
        kind = FORMATS[file["format"]]
        in_quotes = json.dumps(file["file"])[1:-1]
        code = kind.usage.format(file=in_quotes, **facts["image"])
        lines += [f"With {kind.needs} alone:", "```python", code + "```"]
    return lines
