"""Wrong names, broken files, closed doors: a message of three parts, and nothing half-written."""

import gzip
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TINY = ("train", "digits", "--recipe", "tiny.yaml")
IDX_FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


@pytest.fixture(autouse=True)
def folder(here: Path) -> Path:
    return here


def test_wrong_names_are_told_with_the_nearest_right_one(rungwise: Any) -> None:
    rungwise("train", "digist").fails(2, "data set 'digist'", "did you mean 'digits'")
    rungwise("train", "--recipe", "compct").fails(2, "recipe 'compct'", "did you mean 'compact'")
    rungwise("train", "--recipe", "digits/dens").fails(2, "did you mean 'digits/dense'")
    rungwise("climb", "digts").fails(2, "'digts'", "did you mean 'digits'")
    rungwise("climb", "digits", "--rungs", "cnnn").fails(2, "did you mean 'cnn'")
    rungwise("show", "model", "mlpp").fails(2, "did you mean 'mlp'")
    rungwise("show", "technique", "cutmx").fails(2, "did you mean 'cutmix'")
    rungwise("data", "get", "minst").fails(2, "did you mean 'mnist'")
    rungwise(*TINY, "--set", "techniques=[cutmx]").fails(2, "did you mean 'cutmix'")
    rungwise(*TINY, "--set", "optimizer=adm").fails(2, "did you mean 'adam'")
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train digits --epoch 3", "--epochs"),
        ("train digits --jsn", "--json"),
        ("train digits more", "more"),
        ("trian digits", "trian"),
        ("train digits --epochs two", "two"),
        ("list ladder", "ladders"),
        ("evaluate", "RUN"),
        ("predict", "RUN"),
        ("predict run a.png --quiet", "--quiet"),  # options that would do nothing there
        ("predict run a.png --out runs", "--out"),
        ("doctor --offline", "--offline"),
    ],
)
def test_wrong_calls_end_with_code_two(rungwise: Any, words: str, told: str) -> None:
    verb = words.split()[0]
    known = f"`rungwise {verb} --help`" if verb != "trian" else "`rungwise --help`"

    rungwise(*words.split()).fails(2, told, known)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--set epochs", "has no value"),
        ("--set =3", "has no value"),
        ("--set epoch=3", "epoch"),
        ("--set optimizer.lrr=1", "lrr"),
        ("--set augment.7.size=1", "'7' is not there"),
        ("--set epochs.x=1", "epochs.x"),
        ("--set epochs=[1", "not valid YAML"),
        ("--set epochs=two", "expected a whole number"),
        ("--set epochs=0", "1 or more"),
        ("--set batch_size=-3", "1 or more"),
        ("--set validation=10", "a share from 0"),
        ("--set optimizer.lr='0.1'", "expected a number"),
        ("--set name=../evil", "the recipe's name is '../evil'"),
        ("--set name=a/b", "the recipe's name is 'a/b'"),
        ("--seed -1", "the seed is '-1'"),
        ("--seed 1.2.3", "the seed is '1.2.3'"),
        ("--image-size 8", "has no effect on digits"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_written(
    rungwise: Any, words: str, told: str
) -> None:
    rungwise(*TINY, *words.split()).fails(2, told)

    assert not Path("runs").exists()


def test_all_mistakes_of_a_recipe_file_are_told_at_once(rungwise: Any) -> None:
    Path("wrong.yaml").write_text(
        "model: {name: mlp, hidden_width: 3}\nepochs: 'ten'\noptimizer: adm\nbatch_size: 1.5\n"
    )

    rungwise("train", "digits", "--recipe", "wrong.yaml").fails(
        *(2, "4 mistakes in wrong.yaml", "did you mean 'hidden_widths'", "did you mean 'adam'"),
        *("epochs: expected a whole number, got 'ten'", "batch_size: expected a whole number"),
    )


@pytest.mark.parametrize("text", ["", "[]", "3", "model", "a: b: c", "model: mlp\nmodel: cnn\n"])
def test_a_file_that_is_no_recipe_is_refused(rungwise: Any, text: str) -> None:
    Path("wrong.yaml").write_text(text)

    rungwise("train", "digits", "--recipe", "wrong.yaml").fails(2, "wrong.yaml")


@pytest.mark.parametrize("name", ["gone.yaml", "."])
def test_a_recipe_that_cannot_be_read_is_told(rungwise: Any, name: str) -> None:
    rungwise("train", "digits", "--recipe", name).fails(2, f"cannot read the recipe {name}")


def test_an_ensemble_is_not_trained_as_one_of_its_nets(rungwise: Any) -> None:
    words = ("train", "digits", "--recipe", "digits/ensemble", "--seed", "3.1")
    rungwise(*words).fails(2, "the seed 3.1 names one net", "--seed 3\n")


def test_impossible_climbs_are_refused(rungwise: Any) -> None:
    rungwise("climb", "digits", "--seeds", "0").fails(2, "seeds is 0")
    rungwise("climb", "digits", "--epochs", "0").fails(2, "epochs is 0")
    rungwise("climb", "digits", "--protocol", "article").fails(2, "follows no article")
    rungwise("climb", "./gone").fails(3, "gone does not exist")
    assert not Path("runs").exists()


# --- data


def huge_png() -> bytes:
    """Return a PNG of a few bytes that claims 20,000 × 20,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(10)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def cut(photos: Path) -> None:
    path = photos / "cat" / "0.png"
    path.write_bytes(path.read_bytes()[:60])


def empty_class(photos: Path) -> None:
    (photos / "bird").mkdir()


def empty(photos: Path) -> None:
    shutil.rmtree(photos)
    photos.mkdir()


def huge(photos: Path) -> None:
    (photos / "cat" / "big.png").write_bytes(huge_png())


def text(photos: Path) -> None:
    (photos / "cat" / "note.png").write_text("not an image")


def nothing(photos: Path) -> None:
    (photos / "cat" / "none.png").touch()


def gone(photos: Path) -> None:
    shutil.rmtree(photos)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (empty, "empty of images"),
        (empty_class, "1 classes without an image: bird"),
        (cut, "cat/0.png (image file is truncated)"),
        (text, "cat/note.png (it is not an image)"),
        (nothing, "cat/none.png (it is empty)"),
        (huge, "more than 64 megapixels"),
        (gone, "does not exist"),
    ],
)
def test_broken_folders_are_refused_before_anything_is_written(
    rungwise: Any, photos: Path, spoil: Callable[[Path], None], told: str
) -> None:
    spoil(photos)

    rungwise("train", "./photos", "--recipe", "tiny.yaml").fails(3, told)
    rungwise("climb", "./photos").fails(3, told)

    assert not Path("runs").exists()


def test_mixed_sizes_want_an_image_size_and_mixed_colours_become_colour(
    rungwise: Any, photos: Path, picture: Any
) -> None:
    picture(photos / "cat" / "colour.png", (9, 7), channels=3)
    words = ("train", "photos", "--recipe", "tiny.yaml")

    rungwise(*words).fails(3, "2 different sizes", "pass an image size")

    assert rungwise(*words, "--image-size", "8").code == 0
    rungwise(*words, "--image-size", "0").fails(2, "the image size is 0")


def test_images_of_one_pixel_are_trained_on_or_refused_by_the_net(
    rungwise: Any, picture: Any
) -> None:
    for index in range(8):
        picture(Path("dots") / "ab"[index % 2] / f"{index}.png", (1, 1), seed=index)

    assert rungwise("train", "dots", "--recipe", "tiny.yaml").code == 0
    rungwise("train", "dots").fails(2, "images of 1×1 pixels")


def test_archives_of_objects_are_not_unpickled(rungwise: Any) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, ("unpickled",)

    array = np.zeros((2, 8, 8), np.uint8)
    objects = np.array([Evil(), Evil()], dtype=object)
    np.savez("bad.npz", x_train=array, y_train=objects, x_test=array, y_test=np.arange(2))

    rungwise("train", "bad.npz").fails(3, "no Python objects")

    assert not Path("unpickled").exists()


def idx(name: str, magic: bytes = b"") -> bytes:
    axes = int(name[-1])
    content = (magic or bytes((0, 0, 8, axes))) + struct.pack(f">{axes}I", *[1] * axes) + bytes(1)
    return gzip.compress(content)


def test_local_copies_that_are_cut_off_or_of_another_kind_are_refused(
    rungwise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNGWISE_DATA", "local")
    Path("local/mnist").mkdir(parents=True)
    for name in IDX_FILES:
        (Path("local/mnist") / f"{name}-ubyte.gz").write_bytes(idx(name))
    first = Path("local/mnist/train-images-idx3-ubyte.gz")

    first.write_bytes(idx("train-images-idx3")[:-9])
    rungwise("train", "mnist", "--offline").fails(3, str(first), "cut off")
    first.write_bytes(idx("train-images-idx3", b"\x00\x00\x0b\x03"))
    rungwise("train", "mnist", "--offline").fails(3, str(first), "is not an IDX file")
    rungwise("train", "fashion-mnist", "--offline").fails(3, "not on this machine")

    assert not Path("runs").exists()


def test_an_archive_that_reaches_outside_is_refused(
    rungwise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNGWISE_DATA", "local")
    Path("local/cifar10").mkdir(parents=True)
    with tarfile.open("local/cifar10/cifar-10-binary.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("../evil")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))

    rungwise("train", "cifar10", "--offline").fails(3, "'../evil' leaves its folder")

    assert not list(Path().rglob("evil"))


# --- runs


def test_what_is_no_run_is_told(rungwise: Any, photos: Path) -> None:
    image = photos / "cat" / "0.png"
    Path("half/seed-0").mkdir(parents=True)
    Path("half/seed-0/recipe.yaml").write_text("model: mlp")

    rungwise("evaluate", "photos").fails(1, "photos is no run")
    for words in (("evaluate",), ("predict", image), ("export", "--to", "torch-export")):
        for gone in ("gone", "gone.safetensors"):
            rungwise(words[0], gone, *words[1:]).fails(
                1, f"{gone} does not exist", "check the path"
            )
    rungwise("evaluate", "half/seed-0").fails(1, "unfinished run", "--resume")
    rungwise("predict", "tiny.yaml", image).fails(1, "tiny.yaml")


@pytest.mark.parametrize(
    "name", ["recipe.yaml", "environment.json", "metrics.csv", "model.safetensors"]
)
def test_a_run_that_lacks_a_file_or_was_altered_is_refused_everywhere(
    rungwise: Any, run: Path, photos: Path, name: str
) -> None:
    calls = [("evaluate", run), ("predict", run, photos / "cat" / "0.png"), TINY]
    with (run / name).open("ab") as file:
        file.write(b" ")
    for words in calls:
        rungwise(*words).fails(1, f"{name} is damaged", "altered")

    (run / name).unlink()
    for words in calls:
        rungwise(*words).fails(1, f"{name} is damaged", "missing")
    assert not Path("runs/ledger.jsonl").exists()


def test_a_climb_names_an_altered_run_and_trains_it_again(rungwise: Any) -> None:
    words = ("climb", "digits", "--rungs", "dense", "--seeds", "1", "--epochs", "1", "--json")
    first = rungwise(*words)
    with next(Path("runs").glob("digits/dense-*/seed-0/metrics.csv")).open("a") as file:
        file.write(" ")

    again = rungwise(*words)

    assert again.code == 0
    assert "metrics.csv is damaged" in again.err
    accuracies = [result.json["rungs"][0]["test_accuracy"] for result in (first, again)]
    assert accuracies[0] == accuracies[1]


def test_a_damaged_summary_or_ledger_gives_no_traceback(rungwise: Any, run: Path) -> None:
    Path("runs/ledger.jsonl").write_text('{"time": "20')
    assert rungwise("evaluate", run).code == 0
    summary = json.loads((run / "summary.json").read_text())
    for damaged in ([], {}, {**summary, "files": []}, {"files": summary["files"]}):
        (run / "summary.json").write_text(json.dumps(damaged))
        rungwise("evaluate", run).fails(1, "summary.json is damaged")
        rungwise(*TINY).fails(1, "summary.json is damaged")


def test_a_run_on_data_that_have_changed_is_not_measured_on_them(
    rungwise: Any, photos: Path, picture: Any
) -> None:
    run = rungwise("train", "photos", "--recipe", "tiny.yaml", "--json").json["run"]
    picture(photos / "cat" / "6.png", seed=99)

    rungwise("evaluate", run, "--part", "validation").fails(3, "not what the run was trained on")


# --- places


def test_a_file_where_the_runs_should_lie_is_told(rungwise: Any) -> None:
    Path("taken").write_text("a file")

    result = rungwise(*TINY, "--out", "taken", "--quiet")

    result.fails(1, "taken", "another place with --out")
    assert Path("taken").read_text() == "a file"


def test_closed_and_read_only_places_are_told(run: Path, photos: Path) -> None:
    """In one process without root's privilege to ignore permissions."""
    prefix = []
    if os.geteuid() == 0:
        if not (setpriv := shutil.which("setpriv")):
            pytest.skip("root may write everywhere, and setpriv is not here")
        prefix = [setpriv, "--bounding-set=-dac_override,-dac_read_search", "--"]
    for name, mode in (("closed", 0o000), ("read-only", 0o555)):
        Path(name).mkdir()
        Path(name).chmod(mode)
    image = str(photos / "cat" / "0.png")
    calls = {
        "train --out read-only/runs": [*TINY, "--out", "read-only/runs", "--quiet"],
        "train --out closed/runs": [*TINY, "--out", "closed/runs", "--quiet"],
        "climb --out closed/runs": ["climb", "digits", "--out", "closed/runs", "--quiet"],
        "evaluate, no ledger": [
            *("evaluate", str(run / "model.safetensors"), "digits"),
            *("--out", "read-only/runs"),
        ],
        "evaluate closed": ["evaluate", "closed/run"],
        "predict closed run": ["predict", "closed/run", image],
        "predict closed image": ["predict", str(run), "closed/0.png", image],
        "doctor": ["doctor", "--out", "closed/runs", "--json"],
    }
    code = f"""
import contextlib, io, json, sys
from rungwise.interfaces.cli.app import main
results = {{}}
for name, words in json.loads({json.dumps(calls)!r}).items():
    sys.argv = ["rungwise", *words]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code
    results[name] = [code, out.getvalue(), err.getvalue()]
print(json.dumps(results))
"""
    process = subprocess.run(
        [*prefix, sys.executable, "-c", code], capture_output=True, text=True, timeout=600
    )
    assert process.returncode == 0, process.stderr
    results = json.loads(process.stdout)

    assert {name: result[0] for name, result in results.items()} == {
        "train --out read-only/runs": 1,
        "train --out closed/runs": 1,
        "climb --out closed/runs": 1,
        "evaluate, no ledger": 1,
        "evaluate closed": 1,
        "predict closed run": 1,
        "predict closed image": 3,
        "doctor": 0,
    }
    for name, (code, _, err) in results.items():
        if code:
            assert "\n  expected: " in err, name
            assert "\n  fix: " in err, name
    assert "no permission to write" in results["train --out read-only/runs"][2]
    assert "cannot be read: Permission denied" in results["train --out closed/runs"][2]
    assert image in results["predict closed image"][1]
    assert json.loads(results["doctor"][1])["runs_writable"] is False
