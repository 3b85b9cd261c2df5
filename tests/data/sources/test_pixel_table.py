"""Tests of tables of pixels."""

from pathlib import Path

import numpy as np
import pytest

from rungwise.data import check, load
from rungwise.data.catalog import resizes
from rungwise.data.sources.pixel_table import holds_pixels, read_pixel_table
from rungwise.errors import ConfigError, DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 2, 3), np.uint8)
PIXELS[0, 0] = 0, 1, 255
SQUARES = PIXELS[:, :, [0, 2]]
LABELS = list("abcabc")


def write(path: Path, header: list[str], rows: list[list[object]], delimiter: str = ",") -> Path:
    lines = [delimiter.join(map(str, row)) for row in [header, *rows]]
    (path / "x.csv").write_text("\n".join(lines) + "\n\n", encoding="utf-8-sig")
    return path / "x.csv"


def plain(path: Path, header: str = "label", pixel: str = "pixel{}") -> Path:
    names = [header, *(pixel.format(i) for i in range(4))]
    return write(path, names, [[a, *b.flatten()] for a, b in zip(LABELS, SQUARES, strict=True)])


def test_kaggles_table_is_a_data_set(tmp_path: Path) -> None:
    data = load(plain(tmp_path))

    assert data.train.class_names == ("a", "b", "c")
    assert data.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert data.train.images.flatten().tolist() == SQUARES.flatten().tolist()
    assert data.train.shape == (1, 2, 2)
    assert "rows of 4 values, taken for images of 2×2 pixels" in data.notes[0]
    assert not resizes(str(tmp_path / "x.csv"))
    assert [p.problem for p in check(tmp_path / "x.csv").problems if p.kind == "converted"]
    with pytest.raises(ConfigError, match="an image size of 8 has no effect"):
        load(tmp_path / "x.csv", image_size=8)


def test_places_in_the_names_give_the_shape_and_the_order(tmp_path: Path) -> None:
    places = [(1, 3), (1, 1), (2, 2), (1, 2), (2, 1), (2, 3)]
    header = ["Id", *(f"{row}x{column}" for row, column in places), "Class"]
    rows = [
        [7, *(image[row - 1, column - 1] for row, column in places), label]
        for image, label in zip(PIXELS, LABELS, strict=True)
    ]

    data = read_pixel_table(write(tmp_path, header, rows, ";"))

    assert np.array_equal(data.train.images.numpy()[..., 0], PIXELS)
    assert data.notes[-1] == f"{tmp_path / 'x.csv'}: not used are the columns id"


def test_fractions_and_parts_are_taken(tmp_path: Path) -> None:
    header = ["target", "split", "0", "1", "3", "2"]
    rows: list[list[object]] = [
        [1, "train", 0, 0.2, 0, 1],
        [3, "training", 0, 0, 0.6, 0],
        [3, "Test", 1, 1, 1, 1],
    ]

    data = read_pixel_table(write(tmp_path, header, rows))

    assert data.train.images.flatten().tolist() == [0, 51, 255, 0, 0, 0, 0, 153]
    assert data.train.class_names == ("1", "3")
    assert data.test is not None
    assert data.test.labels.tolist() == [1]


@pytest.mark.parametrize("header", ["path,label", "image,label,0,1,2,3,4", "label,pixel0", ""])
def test_other_tables_are_none_of_pixels(tmp_path: Path, header: str) -> None:
    (tmp_path / "x.csv").write_text(header)
    assert not holds_pixels(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("pixel0,pixel1,pixel2,pixel3", "0,0,0,0", "with 0 columns of labels"),
        ("5,0,0,0,0", "4,0,0,0,0", "no line of column names: its first line holds numbers alone"),
        ("label,pixel0,pixel1,pixel2,pixel3", "0,0,0,0,0,red", "6 cells, and the table 5 columns"),
        ("label,pixel0,pixel1,pixel3,pixel4", "0,0,0,0,0", "columns of 1 of its pixels: 2"),
        ("label,pixel2,pixel3,pixel4,pixel5", "0,0,0,0,0", "columns of 1 of its pixels: 1"),
        ("label,pixel0,pixel1,pixel2,pixel9", "0,0,0,0,0", "of 6 of its pixels: 3, 4, 5, 6, 7 and"),
        ("label,1x1,1x2,2x1,3x1", "0,0,0,0,0", "columns of 2 of its pixels: 2x2, 3x2"),
        ("label,1,2,3,4,5", "0,0,0,0,0,0", "5 columns of pixels, which are no square"),
        ("label,class,pixel0,pixel1,pixel2,pixel3", "0,0,0,0,0,0", "with 2 columns of labels"),
        ("label,pixel0,pixel1,pixel2,pixel2", "0,0,0,0,0", "3 different ones of 4 pixels"),
        ("label,pixel0,pixel1,pixel2,pixel3", "0,0,0,0", "among lines 2 to 3"),
        ("label,pixel0,pixel1,pixel2,pixel3", "0,0,0,x,0", "among lines 2 to 3: .*'x'"),
        ("label,pixel0,pixel1,pixel2,pixel3", "0,0,0,,0", "among lines 2 to 3"),
        ("label,pixel0,pixel1,pixel2,pixel3", "0,0,0,nan,0", "1 images contain NaN"),
        ("label,pixel0,pixel1,pixel2,pixel3", ",0,0,0,0", "1 labels of 2 are missing"),
        ("label,split,pixel0,pixel1,pixel2,pixel3", "0,all,0,0,0,0", "'all' is no part"),
        ("label,split,pixel0,pixel1,pixel2,pixel3", "0,test,0,0,0,0", "no row to train on"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, header: str, row: str, message: str) -> None:
    other = "0,0,0,1,2" if "split" not in header and "class" not in header else row
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n{other}\n{row}\n")

    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert caught.value.expected and caught.value.fix


@pytest.mark.parametrize(("encoding", "first"), [("utf-16", ""), ("utf-8", "sep=;\n")])
def test_what_spreadsheets_write_is_read(tmp_path: Path, encoding: str, first: str) -> None:
    text = plain(tmp_path).read_text(encoding="utf-8-sig")
    text = first + (text.replace(",", ";") if first else text)
    (tmp_path / "x.csv").write_text(text, encoding=encoding)

    data = load(tmp_path / "x.csv")

    assert data.train.images.flatten().tolist() == SQUARES.flatten().tolist()


def test_a_table_without_rows_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("label,pixel0,pixel1,pixel2,pixel3\n")
    with pytest.raises(DataError, match="no row to train on"):
        load(tmp_path / "x.csv")
