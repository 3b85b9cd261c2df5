"""What images are called, from the disk to any subset of a part."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from rungwise.augment.mirrored_copies import with_mirrored
from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.names import FileNames, Names, Numbered, natural_key, printable
from rungwise.data.parts import draw

NAMES = ["cat/a.png", "", "cat/ä 猫.png", "dog/caf\udce9\n.png"]


def labelled(count: int, names: Names | None = None) -> LabelledImages:
    pixels = torch.zeros(count, 1, 1, 1, dtype=torch.uint8)
    return LabelledImages(pixels, torch.arange(count) % 2, ("a", "b"), names=names)


def test_names_come_back_as_they_were_and_print_on_one_line() -> None:
    files = FileNames.of(NAMES)
    assert len(files) == 4
    assert list(files.all_raw()) == NAMES
    assert [files[row] for row in range(4)] == [*NAMES[:3], "dog/caf\\xe9\\n.png"]


def test_no_names_are_fine() -> None:
    assert list(FileNames.of([]).all_raw()) == []


def test_some_names_are_kept() -> None:
    kept = FileNames.of(NAMES).kept(np.array([False, True, False, True]))
    assert list(kept.all_raw()) == [NAMES[1], NAMES[3]]
    assert len(FileNames.of(NAMES).kept(np.zeros(4, np.bool_))) == 0


def test_a_printable_name_can_be_encoded() -> None:
    assert printable("\x1b[2J\u2028\u202e") == "\\x1b[2J\\u2028\\u202e"
    assert printable("ä👩‍🚀\u3000") == "ä👩‍🚀\u3000"
    assert printable("\udcff").encode() == b"\\xff"


def test_a_name_opens_its_file_whatever_its_bytes(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    with open(raw, "wb"):  # noqa: PTH123
        pass
    (name,) = os.listdir(tmp_path)  # noqa: PTH208
    assert (tmp_path / FileNames.of([name]).raw(0)).exists()


def test_views_know_their_names() -> None:
    data = labelled(4, Names(FileNames.of(["a", "b", "c", "d"])))
    twice = data.take(torch.tensor([3, 1, 0])).take(torch.tensor([2, 0]))
    assert [twice.name_of(i) for i in range(2)] == ["a", "d"]
    assert [with_mirrored(twice).name_of(i) for i in range(4)] == ["a", "d", "a", "d"]
    assert twice.names is not None and twice.names.files() is not None
    assert list(twice.names.files().all_raw()) == ["a", "d"]  # type: ignore[union-attr]


def test_images_of_no_file_are_places_in_the_whole_part() -> None:
    assert labelled(3).name_of(2) == "[2]"
    dataset = Dataset("some", labelled(20), test=labelled(4)).named()
    assert dataset.test is not None and dataset.test.name_of(3) == "test[3]"
    validation = draw(dataset, 0.2, 0).validation
    assert validation is not None
    for i in range(len(validation)):
        part, place = validation.name_of(i).rstrip("]").split("[")
        assert (part, int(place) % 2) == ("train", int(validation.labels[i]))


def test_names_do_not_count_for_the_fingerprint() -> None:
    data = labelled(2)
    fingerprint = data.fingerprint
    named = data.called(Names(Numbered("train")))
    assert named.name_of(1) == "train[1]"
    assert data.names is None
    assert named.fingerprint == fingerprint


def test_numbers_in_names_are_sorted_by_their_values_whatever_their_length_or_script() -> None:
    names = ["a10", "a9", "a" + "1" * 5000, "a\u0663", "a0007", "b", "a"]

    assert sorted(names, key=natural_key) == [
        *("a", "a\u0663", "a0007", "a9", "a10"),
        *("a" + "1" * 5000, "b"),
    ]


@pytest.mark.parametrize("name", ["\u3164", "\u2800", "\u115f"])
def test_a_name_without_ink_is_shown_by_its_number(name: str) -> None:
    assert printable(name) == f"\\u{ord(name):04x}"
