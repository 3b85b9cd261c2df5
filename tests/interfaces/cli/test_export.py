"""`rungwise export`: what it prints, writes and refuses."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.interfaces.export.formats import FORMATS
from rungwise.ladder.run import open_run
from rungwise.prediction.predictor import Predictor

PT2 = ("--to", "torch-export")


@pytest.fixture
def onnx_there() -> None:
    for package in FORMATS["onnx"].packages:
        pytest.importorskip(package, reason="needs the extra onnx")


def test_a_run_is_exported_beside_its_own_files(rungwise: Any, run: Path) -> None:
    result = rungwise("export", run, *PT2)

    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[0] == f"exported    {(run / 'model.pt2').resolve()}"
    assert "compared    on 144 validation images of digits:" in result.out
    assert "0 other answers, largest difference of a probability" in result.out
    assert "rungwise, float32" in result.out
    assert (run / "model-card.md").is_file()
    open_run(run)  # it is still as it was written
    assert not Path("runs/ledger.jsonl").exists()


def test_json_tells_all_of_it(rungwise: Any, run: Path) -> None:
    result = rungwise("export", run, *PT2, "--out", "there/best.pt2", "--json")

    file = Path("there/best.pt2")
    assert result.json.keys() == {
        *("file", "format", "bytes", "sha256", "parity", "latency", "machine", "card"),
    }
    assert result.json["bytes"] == file.stat().st_size
    assert result.json["parity"]["exported"]["other_answers"] == 0
    assert [row["name"] for row in result.json["latency"]] == ["rungwise, float32", "best.pt2"]
    assert Path(result.json["card"]) == Path("there/best-card.md")


def test_images_to_compare_on_can_be_chosen(rungwise: Any, run: Path) -> None:
    test = rungwise("export", run, *PT2, "--parity-data", "digits", "--json")
    few = rungwise("export", run, *PT2, "--parity-images", "7", "--json")

    assert test.json["parity"]["of"] == "test images of digits"
    assert test.json["parity"]["images"] == 359
    assert few.json["parity"]["images"] == 7
    assert not Path("runs/ledger.jsonl").exists()  # no label was looked at


def test_without_the_runs_own_data_other_images_will_do(rungwise: Any, photos: Path) -> None:
    trained = rungwise("train", "photos", "--recipe", "tiny.yaml", "--json").json["run"]
    photos.rename("pictures")

    rungwise("export", trained, *PT2).fails(2, "photos")
    result = rungwise("export", trained, *PT2, "--parity-data", "./pictures", "--json")

    assert result.json["parity"]["of"] == "images of ./pictures"
    card = (Path(trained) / "model-card.md").read_text()
    assert "- images: 11 train, 1 validation; 5 to 6 training images of a class" in card


def test_a_predictors_file_is_compared_on_what_its_nets_held_out(rungwise: Any, run: Path) -> None:
    by_run = rungwise("export", run, *PT2, "--json").json["parity"]

    by_file = rungwise("export", run / "model.safetensors", *PT2, "--json")

    assert Path(by_file.json["file"]) == run / "model.pt2"
    assert by_file.json["parity"] == by_run
    assert "- `digits`, fingerprint" in (run / "model-card.md").read_text()


def test_a_file_that_does_not_tell_its_data_needs_images_to_be_named(
    rungwise: Any, run: Path, photos: Path
) -> None:
    old = replace(open_run(run).predictor(), origins=(), figures=())
    old.save(Path("old.safetensors"))
    gone = Path(rungwise("train", "photos", "--recipe", "tiny.yaml", "--json").json["run"])
    photos.rename("pictures")

    file = ("export", "old.safetensors", *PT2)
    rungwise(*file).fails(2, "does not say what it was trained on", "--parity-data")
    rungwise("export", gone / "model.safetensors", *PT2).fails(2, "was trained on photos")
    assert rungwise(*file, "--parity-data", "digits", "--json").code == 0
    assert "Not on file" in Path("old-card.md").read_text()


def test_what_cannot_be_exported_is_refused(rungwise: Any, run: Path, photos: Path) -> None:
    rungwise("export", "nowhere", *PT2).fails(1, "nowhere does not exist")
    rungwise("export", run, "--to", "pickle").fails(2, "pickle")
    rungwise("export", run, *PT2, "--parity-images", "0").fails(2, "--parity-images is 0")
    odd = ("--parity-data", "./odd.npz")
    rungwise("export", run, *PT2, *odd).fails(3, "odd.npz does not exist")


def test_images_of_another_shape_are_refused(rungwise: Any, run: Path, picture: Any) -> None:
    for label in ("cat", "dog"):
        picture(Path("large") / label / "0.png", size=(9, 9))

    rungwise("export", run, *PT2, "--parity-data", "./large").fails(3, "1x9x9", "1x8x8")


def test_random_copies_are_refused_before_any_image_is_read(
    rungwise: Any, run: Path, here: Path
) -> None:
    recipe = (here / "tiny.yaml").read_text() + "augment: [shift]\n"
    (here / "moved.yaml").write_text(recipe.replace("name: tiny", "name: moved"))
    moved = rungwise("train", "digits", "--recipe", "moved.yaml", "--json").json["run"]
    words = ("--part", "validation", "--views", "random-copies", "--save", "copies.safetensors")
    rungwise("evaluate", moved, *words)

    result = rungwise("export", "copies.safetensors", *PT2, "--parity-data", "./nowhere")

    result.fails(2, "random-copies cannot be exported", "--views none")


def test_a_missing_extra_is_named(
    rungwise: Any, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    result = rungwise("export", run, "--to", "onnx")

    result.fails(2, "onnxruntime", "not installed", "pip install 'rungwise[onnx]'")


@pytest.mark.usefixtures("onnx_there")
def test_an_ensemble_with_views_runs_from_plain_numpy_as_the_card_says(
    rungwise: Any, run: Path
) -> None:
    second = rungwise("train", "digits", "--recipe", "tiny.yaml", "--seed", "0.1", "--json")
    words = ("--part", "validation", "--views", "{name: mirror, below: 0.5}")
    rungwise("evaluate", run, "--with", second.json["run"], *words, "--save", "both.safetensors")

    data = ("--parity-data", "digits")
    file = rungwise("export", "both.safetensors", "--to", "onnx", *data, "--json").json

    assert file["parity"]["images"] == 359
    assert file["parity"]["exported"]["other_answers"] == 0
    program = Path("both-card.md").read_text().split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    predictor = Predictor.load(Path("both.safetensors"))
    answers = predictor.probabilities(torch.zeros(2, 8, 8, 1, dtype=torch.uint8)).argmax(1)
    assert (done.stdout, done.stderr) == (f"{[str(int(one)) for one in answers]}\n", "")
    assert json.loads(Path("both-card.json").read_text())["model"]["nets"] == ["mlp", "mlp"]
