"""Tests of what users write to name data."""

from pathlib import Path

import pytest

from rungwise.data.spec import Spec, as_spec, parse_spec
from rungwise.errors import ConfigError, UnknownNameError, UsageError

NAMES = ["mnist", "cifar10"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("mnist", Spec("mnist", None, None)),
        ("mnist@100", Spec("mnist", None, 100)),
        ("./x", Spec("./x", Path("x"), None)),
        ("./mnist", Spec("./mnist", Path("mnist"), None)),
        ("/a/b@7", Spec("/a/b", Path("/a/b"), 7)),
        ("a@home/b", Spec("a@home/b", Path("a@home/b"), None)),
        ("a@home/b@3", Spec("a@home/b", Path("a@home/b"), 3)),
        ("x.npz@2", Spec("x.npz", Path("x.npz"), 2)),
        ("..", Spec("..", Path(".."), None)),
    ],
)
def test_specs_are_taken_apart(spec: str, expected: Spec) -> None:
    assert parse_spec(spec, NAMES) == expected


def test_a_name_goes_before_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mnist", "photos", "odd@3"):
        (tmp_path / name).mkdir()
    assert parse_spec("mnist", NAMES).path is None
    assert parse_spec("mnist@2", NAMES).path is None
    assert parse_spec("photos@4", NAMES) == Spec("photos", Path("photos"), 4)
    assert parse_spec("odd@3", NAMES) == Spec("odd@3", Path("odd@3"), None)


def test_the_home_folder_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_spec("~/x@5", NAMES) == Spec("~/x", tmp_path / "x", 5)


@pytest.mark.parametrize(
    "spec", ["mnist@", "mnist@0", "mnist@-1", "mnist@1.5", "mnist@x", "@", "@0"]
)
def test_a_subset_is_a_whole_number_from_one(spec: str) -> None:
    with pytest.raises(ConfigError, match="images of each class") as caught:
        parse_spec(spec, NAMES)
    assert caught.value.fix


@pytest.mark.parametrize("spec", ["minst", "minst@10", "", "@5", "imagenet"])
def test_an_unknown_name_lists_the_known(spec: str) -> None:
    with pytest.raises(UnknownNameError, match="cifar10, mnist") as caught:
        parse_spec(spec, NAMES)
    if spec.startswith("minst"):
        assert caught.value.fix == "did you mean 'mnist'?"


def test_a_path_is_never_a_name() -> None:
    assert as_spec(Path("mnist")) == "./mnist"
    assert as_spec(Path("mnist@3")) == "./mnist@3"
    assert as_spec(Path("a/mnist")) == "a/mnist"
    assert as_spec(Path("..")) == ".."
    assert as_spec("mnist") == "mnist"


@pytest.mark.parametrize("source", [b"./mnist", None, 3, ["mnist"]])
def test_what_is_neither_text_nor_path_is_refused(source: object) -> None:
    with pytest.raises(UsageError, match=f"the data set is a {type(source).__name__}"):
        as_spec(source)
