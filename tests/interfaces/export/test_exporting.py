import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from markdown_it import MarkdownIt

from rungwise.data import Dataset, load
from rungwise.errors import RunError, StorageError
from rungwise.interfaces.export import exporting
from rungwise.interfaces.export.card import write_card
from rungwise.interfaces.export.exporting import export
from rungwise.interfaces.export.formats import FORMATS, Format
from rungwise.interfaces.export.subject import Subject
from rungwise.ladder.ledger import record_opening
from rungwise.ladder.predictions import probabilities_of
from rungwise.ladder.run import open_run
from rungwise.prediction.metrics import evaluate
from rungwise.prediction.predictor import Predictor


@pytest.fixture
def digits() -> Dataset:
    return load("digits")


@pytest.fixture
def subject(run: Path, digits: Dataset) -> Subject:
    finished = open_run(run)
    return Subject(finished.predictor(), run / "model.safetensors", finished, digits)


def exported(subject: Subject, path: Path) -> dict[str, Any]:
    own = subject.own_images()
    assert own is not None
    return export(subject, "torch-export", path, *own)


def test_a_card_tells_what_the_runs_files_say(subject: Subject) -> None:
    facts = subject.facts()

    assert facts["name"] == "tiny on digits, seed 0"
    assert facts["classes"] == list("0123456789")
    assert facts["image"] == {"height": 8, "width": 8, "channels": 1, "resized": False}
    assert facts["model"]["nets"] == ["mlp"]
    assert facts["model"]["parameters"] == 64 * 16 + 16 + 16 * 10 + 10
    assert facts["data"]["images"] == {"train": 1294, "validation": 144, "test": 359}
    assert sum(facts["data"]["training_images_of_class"].values()) == 1294
    assert facts["data"]["source"].endswith("CC BY 4.0")
    assert facts["training"]["epochs"] == 2
    assert facts["figures"]["validation"]["accuracy"] == subject.run.summary["val_accuracy"]  # type: ignore[union-attr]


def test_the_test_figure_is_told_only_where_a_climb_has_stored_predictions(
    subject: Subject, digits: Dataset
) -> None:
    assert subject.run is not None
    assert digits.test is not None
    assert subject.facts()["figures"]["test"] is None
    assert not Path("runs/ledger.jsonl").exists()

    record_opening(Path("runs"), digits, "climb of somebody")
    recipe, cpu = subject.predictor.recipe, torch.device("cpu")
    stored = probabilities_of(recipe, [subject.run], digits.test, "test", Path("runs"), cpu)
    figures = subject.facts()["figures"]

    assert figures["test"]["accuracy"] == evaluate(stored, digits.test).accuracy
    assert figures["test_openings"] == 1


def test_an_export_opens_no_test_set(subject: Subject, here: Path) -> None:
    file = exported(subject, here / "model.pt2")

    assert file["parity"]["of"] == "validation images"
    assert not Path("runs/ledger.jsonl").exists()


def test_the_card_is_written_beside_the_file_in_both_forms(subject: Subject, here: Path) -> None:
    file = exported(subject, here / "best.pt2")

    card = (here / "best-card.md").read_text()
    facts = json.loads((here / "best-card.json").read_text())
    assert file["card"] == str(here / "best-card.md")
    assert facts["files"][0]["parity"] == file["parity"]
    assert card.startswith("# tiny on digits, seed 0\n")
    assert "a grey image of 8×8 pixels" in card
    assert "1,294 train, 144 validation, 359 test" in card
    assert 'torch.export.load("best.pt2"' in card
    assert "onnxruntime" not in card
    assert "None" not in card


def test_the_cards_program_runs_without_rungwise(
    subject: Subject, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    exported(subject, here / "model.pt2")
    program = (here / "model-card.md").read_text().split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(here)

    assert "rungwise" not in program
    exec(program, {})

    black = torch.zeros(2, 8, 8, 1, dtype=torch.uint8)
    answers = subject.predictor.probabilities(black).argmax(1).tolist()
    assert capsys.readouterr().out == f"{[str(answer) for answer in answers]}\n"


def test_files_of_one_predictor_share_a_card_until_they_change(
    subject: Subject, here: Path
) -> None:
    card = here / "model-card.json"
    exported(subject, here / "model.pt2")

    def listed() -> list[str]:
        return [file["file"] for file in json.loads(card.read_text())["files"]]

    facts = json.loads(card.read_text())
    other = {**facts["files"][0], "file": "model.onnx", "format": "onnx"}
    (here / "model.onnx").write_bytes((here / "model.pt2").read_bytes())
    card.write_text(json.dumps({**facts, "files": [other]}))

    exported(subject, here / "model.pt2")
    assert listed() == ["model.onnx", "model.pt2"]

    (here / "model.onnx").write_bytes(b"other")
    exported(subject, here / "model.pt2")
    assert listed() == ["model.pt2"]


def test_a_file_of_an_earlier_version_says_little_and_the_card_admits_it(
    subject: Subject, here: Path
) -> None:
    alone = Subject(replace(subject.predictor, origins=(), figures=()), subject.file)
    images = load("digits").train.take(torch.arange(5))

    export(alone, "torch-export", here / "model.pt2", images, "images of digits")

    card = (here / "model-card.md").read_text()
    assert "does not say what its nets were trained on" in card
    assert "None" not in card


@pytest.mark.parametrize("text", ["{", "[]", '{"files": [{}]}', '{"format": 0, "files": [{}]}'])
def test_a_card_that_is_not_ours_is_replaced(subject: Subject, here: Path, text: str) -> None:
    (here / "model-card.json").write_text(text)

    exported(subject, here / "model.pt2")

    assert len(json.loads((here / "model-card.json").read_text())["files"]) == 1


def spoiling(predictor: Predictor) -> Format:
    """Return a format that changes a weight before it writes."""
    kind = FORMATS["torch-export"]

    def write(graph: Any, description: Any, path: Path) -> None:
        with torch.no_grad():
            list(graph.nets[0].parameters())[-1][0] += 1
        kind.write(graph, description, path)

    return Format(suffix=".pt2", write=write, read=kind.read, usage="", needs="")


def test_a_file_with_other_answers_is_not_kept(
    subject: Subject, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(exporting.FORMATS, "torch-export", spoiling(subject.predictor))
    before = sorted(here.rglob("*"))

    with pytest.raises(RunError, match="does not give the predictor's answers: of 144"):
        exported(subject, here / "model.pt2")

    assert sorted(here.rglob("*")) == before


def test_a_file_that_was_there_survives_a_failure(
    subject: Subject, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(subject, here / "model.pt2")
    content, card = (here / "model.pt2").read_bytes(), (here / "model-card.md").read_text()
    monkeypatch.setitem(exporting.FORMATS, "torch-export", spoiling(subject.predictor))

    with pytest.raises(RunError):
        exported(subject, here / "model.pt2")

    assert (here / "model.pt2").read_bytes() == content
    assert (here / "model-card.md").read_text() == card


def test_an_exporter_that_fails_is_told(
    subject: Subject, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(graph: Any, description: Any, path: Path) -> None:
        raise NotImplementedError("aten::odd\nmore lines")

    kind = FORMATS["torch-export"]
    failing = Format(suffix=".pt2", write=write, read=kind.read, usage="", needs="")
    monkeypatch.setitem(exporting.FORMATS, "torch-export", failing)

    with pytest.raises(RunError, match="aten::odd") as error:
        exported(subject, here / "model.pt2")

    assert "more lines" not in str(error.value)
    assert not (here / "model.pt2").exists()


def test_a_place_that_cannot_be_written_is_told(subject: Subject, here: Path) -> None:
    (here / "file").write_text("")

    with pytest.raises(StorageError):
        exported(subject, here / "file" / "model.pt2")


def rendered(card: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(card))


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>",
        "[a](http://b.example)",
        "<http://c.example>",
        "a|b",
        "`` ` ``",
        "`</code><b>x",
        "line\n# head",
        "*x* _y_ ~z~",
        '"); raise SystemExit("',
        " ",
    ],
)
def test_names_are_text_wherever_a_card_has_them(subject: Subject, here: Path, name: str) -> None:
    exported(subject, here / "model.pt2")
    facts = json.loads((here / "model-card.json").read_text())
    before = rendered(write_card(facts))
    facts["name"] = facts["data"]["name"] = facts["training"]["recipe"] = name
    facts["classes"][3] = name
    facts["files"][0]["file"] = f"{name}.pt2"
    facts["files"][0]["parity"]["of"] = f"test images of {name}"

    card = write_card(facts)

    page = rendered(card)
    tags = ("<img", "<a ", "<b>", "<em>", "<h1>", "<h2>", "<td>", "<li>", "<pre>", "<p>")
    assert {tag: page.count(tag) for tag in tags} == {tag: before.count(tag) for tag in tags}
    program = card.split("```python\n")[1].split("\n```")[0]
    strings = [
        node.value for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Constant)
    ]
    assert f"{name}.pt2" in strings
