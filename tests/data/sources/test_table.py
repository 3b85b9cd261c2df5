"""Tables of images: CSV and Parquet."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rungwise.data import check, load
from rungwise.data.sources.table import read_table
from rungwise.errors import DataError, UsageError

WritePng = Callable[..., Path]

ROWS = [
    ("photos/train/cat/a.png", "cat", "train"),
    ("photos/train/dog/a.png", "dog", "Train"),
    ("photos/test/cat/x.png", "cat", "test"),
    ("photos/train/cat/b.png", "cat", "train"),
    ("photos/train/dog/b.png", "dog", "val"),
]


def write_csv(path: Path, header: str, *lines: str) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def write_parquet(place: Path, metadata: Any = None, **columns: Any) -> Path:
    pa = pytest.importorskip("pyarrow", reason="needs the extra table")
    import pyarrow.parquet as parquet

    table = pa.table(columns)
    if metadata:
        table = table.replace_schema_metadata({b"huggingface": json.dumps(metadata).encode()})
    parquet.write_table(table, place, row_group_size=2)
    return place


def png(value: int, size: tuple[int, int] = (4, 4)) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.full(size, value, np.uint8)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def table(photos: Path) -> Path:
    """A CSV beside the photos, with parts."""
    return write_csv(photos.parent / "t.csv", "path,label,split", *map(",".join, ROWS))


def test_a_csv_is_sorted_into_parts_in_its_own_order(table: Path) -> None:
    data = load(str(table))
    assert data.train.class_names == ("cat", "dog")
    assert data.train.labels.tolist() == [0, 1, 0]
    assert data.train.images[:, 0, 0, 0].tolist() == [0, 30, 10]
    assert [data.train.name_of(i) for i in range(3)] == [ROWS[0][0], ROWS[1][0], ROWS[3][0]]
    assert data.validation is not None and data.validation.name_of(0) == ROWS[4][0]
    assert data.test is not None and data.test.labels.tolist() == [0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("image", ["path", "file", "filename", "File_Name", "image"])
@pytest.mark.parametrize("label", ["label", "Class", "target"])
def test_columns_go_by_several_names(photos: Path, image: str, label: str, delimiter: str) -> None:
    lines = [delimiter.join((str(i), row[1], row[0])) for i, row in enumerate(ROWS)]
    path = write_csv(photos.parent / "t.csv", delimiter.join(("id", label, image)), *lines)
    data = load(f"{path}@2")
    assert len(data.train) == 5 and data.test is None
    assert data.per_class == 2


def test_whole_numbers_are_labels_in_natural_order(photos: Path) -> None:
    files = ["cat/a", "cat/b", "cat/c", "dog/a"]
    rows = [f"photos/train/{name}.png, {n}" for name, n in zip(files, (10, 9, 10, 1), strict=True)]
    data = load(str(write_csv(photos.parent / "t.csv", "path, label", *rows)))
    assert data.train.class_names == ("1", "9", "10")
    assert data.train.labels.tolist() == [2, 1, 2, 0]


def test_a_byte_order_mark_quotes_and_absolute_paths_are_fine(photos: Path) -> None:
    odd = photos / 'od,d "猫".png'
    (photos / "train" / "cat" / "a.png").rename(odd)
    quoted = str(odd).replace('"', '""')
    text = f'\ufefflabel,path\r\n"c,at","{quoted}"\r\n\r\ndog,photos/train/dog/a.png\r\n'
    (photos.parent / "t.csv").write_text(text)
    data = load(str(photos.parent / "t.csv"))
    assert data.train.class_names == ("c,at", "dog")
    assert data.train.name_of(0) == str(odd)


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        ("a,label", ["x,cat"], "no column of images; its columns are a, label"),
        ("path,b", ["x,cat"], "no column of labels; its columns are path, b"),
        ("path,file,label", ["x,y,cat"], "several columns that could be the images: path, file"),
        ("path,label,label", ["x,y,cat"], "several columns that could be the labels"),
        ("path,label,split,part", ["x,y,,"], "several columns that could be the parts"),
        ("path,label", [], "no row to train on"),
        ("path,label,split", ["x,cat,test"], "no row to train on"),
        ("", [], "no column of images; its columns are none"),
        ("path,label", ["x,dress, red"], "line 2 of .* has 3 cells, and the table 2 columns"),
        ('path,label\n"x', [], "cannot be read as CSV: unexpected end"),
    ],
)
def test_tables_that_cannot_be_read_say_why(
    tmp_path: Path, header: str, lines: list[str], message: str
) -> None:
    path = write_csv(tmp_path / "t.csv", header, *lines)
    with pytest.raises(DataError, match=message) as caught:
        load(str(path))
    assert caught.value.expected and caught.value.fix
    assert check(str(path)).problems[0].kind == "unusable"


def test_a_table_that_is_absent_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load("gone.csv")
    (tmp_path / "t.csv").write_bytes(b"path,label\n\xff,\xfe\n")
    with pytest.raises(DataError, match=r"cannot be read as CSV: .*utf-8"):
        load(str(tmp_path / "t.csv"))


def test_all_problems_of_a_table_are_in_one_report(table: Path) -> None:
    with table.open("a") as file:
        file.write("photos/gone.png,cat,train\n,cat,train\nphotos/train/cat/c.png,,train\n")
        file.write("photos/test/dog/y.png,eel,test\nphotos/train/cat/c.png,cat,extra\n")
        file.write("photos/train/dog/a.png,cat,test\nphotos/train/cat/c.png\n")
    report = check(str(table))
    told = {problem.kind: (problem.severity, problem.examples) for problem in report.problems}
    assert told["unreadable"] == ("error", ("photos/gone.png (No such file or directory)",))
    assert told["incomplete_row"] == ("error", ("line 8", "line 9", "line 13"))
    assert told["unknown_part"] == ("error", ("line 11: 'extra'",))
    assert told["unknown_class"] == ("error", ("eel",))
    assert told["duplicates_conflicting"][1] == ("photos/train/dog/a.png = photos/train/dog/a.png",)
    assert report.counts["test"] == {"cat": 2, "dog": 0}
    with pytest.raises(DataError, match=r"no image or no label.*unknown part.*not in train"):
        load(str(table), bad_files="skip")


def test_a_table_takes_the_options_of_a_folder(table: Path) -> None:
    with table.open("a") as file:
        file.write("photos/gone.png,cat,train\n")
    data = load(str(table), bad_files="skip", image_size=2)
    assert data.train.shape == (1, 2, 2)
    assert len(data.notes) == 1 and "photos/gone.png" in data.notes[0]


def test_a_changed_file_of_a_table_is_seen(table: Path, write_png: WritePng) -> None:
    before = load(str(table)).fingerprint
    write_png(table.parent / "photos" / "train" / "cat" / "a.png", 99)
    assert load(str(table)).fingerprint != before


def test_one_class_alone_is_an_error(photos: Path) -> None:
    path = write_csv(photos.parent / "t.csv", "path,label", "photos/train/cat/a.png,cat")
    with pytest.raises(DataError, match="only one class: cat"):
        load(str(path))


def test_a_parquet_of_paths_is_as_a_csv(table: Path) -> None:
    columns = dict(zip(("path", "label", "split"), zip(*ROWS, strict=True), strict=True))
    path = write_parquet(table.with_suffix(".parquet"), **columns)
    assert load(str(path)).fingerprint == load(str(table)).fingerprint


def test_a_parquet_holds_contents(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "t.parquet",
        image=[png(i) for i in range(5)],
        label=[10, 9, 10, 9, 9],
        split=["train", "test", "train", "train", "test"],
    )
    data = load(str(path))
    assert data.train.class_names == ("9", "10")
    assert data.train.images[:, 0, 0, 0].tolist() == [0, 2, 3]
    assert data.train.labels.tolist() == [1, 1, 0]
    assert data.train.name_of(2) == "t.parquet[3]"
    assert data.test is not None and data.test.images[:, 0, 0, 0].tolist() == [1, 4]


def test_hugging_faces_form_is_read_with_its_class_names(photos: Path) -> None:
    images = [
        {"bytes": png(7), "path": "seven.png"},
        {"bytes": None, "path": "photos/train/cat/b.png"},
        {"bytes": png(8), "path": None},
        {"bytes": b"text", "path": "bad.png"},
        None,
    ]
    features = {"label": {"names": ["zebra", "ant"], "_type": "ClassLabel"}}
    path = write_parquet(
        photos.parent / "t.parquet",
        {"info": {"features": features}},
        image=images,
        label=[0, 1, 0, 1, 0],
    )
    data = load(str(path), bad_files="skip")
    assert data.train.class_names == ("zebra", "ant")
    assert data.train.labels.tolist() == [0, 1, 0]
    assert data.train.images[:, 0, 0, 0].tolist() == [7, 10, 8]
    names = [data.train.name_of(i) for i in range(3)]
    assert names == ["seven.png", "photos/train/cat/b.png", "t.parquet[2]"]
    assert "bad.png (it is not an image), t.parquet[4] (it is empty)" in data.notes[0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": [1, 2], "label": [0, 1]}, "the column image holds int64"),
        ({"image": ["a", "b"], "label": [0.5, 1.0]}, "the column label holds double"),
        ({"image": ["a", "b"], "label": [0, 1], "split": [0, 1]}, "the column split holds int64"),
        ({"x": ["a"], "label": [0]}, "no column of images; its columns are x, label"),
    ],
)
def test_columns_of_wrong_types_are_told(
    tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load(str(write_parquet(tmp_path / "t.parquet", **columns)))


def test_a_damaged_parquet_is_told(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "t.parquet", image=[png(1), png(2)], label=[0, 1])
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:-20]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read as Parquet"):
            load(str(path))
    damaged = bytearray(whole)
    damaged[20:60] = bytes(40)
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"cannot be read"):
        load(str(path))


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"needs pyarrow") as caught:
        read_table(tmp_path / "t.parquet")
    assert "rungwise[table]" in str(caught.value.fix)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".CSV"])
def test_a_table_of_text_goes_by_several_suffixes(
    photos: Path, suffix: str, delimiter: str
) -> None:
    lines = (delimiter.join(row[:2]) for row in ROWS)
    path = write_csv(photos.parent / f"t{suffix}", f"path{delimiter}label", *lines)
    assert len(load(str(path)).train) == 5


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\npath;label\nphotos/train/cat/a.png;cat",
        "sep=\t\r\npath\tlabel\r\nphotos/train/cat/a.png\tcat",
        "path,label,box (x;y;w;h)\nphotos/train/cat/a.png,cat,1;2;3;4",
        '"path","label","a;b;c"\n"photos/train/cat/a.png","cat","1;2;3"',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_write_is_read(photos: Path, content: str, encoding: str) -> None:
    path = photos.parent / "t.csv"
    path.write_bytes(content.encode(encoding))
    listing = read_table(path)
    assert listing.class_names == ("cat",)
    assert list(listing.parts["train"].names.all_raw()) == ["photos/train/cat/a.png"]


@pytest.mark.parametrize(
    "name",
    [
        "photos\\train\\cat\\a.png",
        " photos/train/cat/a.png ",
        "photos/train/cat/a",
        "Photos/Train/CAT/A.PNG",
        "photos\\train/cat\\a",
    ],
)
def test_a_file_is_found_however_a_table_spells_it(photos: Path, name: str) -> None:
    lines = (f"{name},cat", "photos/train/dog/a.png,dog")
    data = load(str(write_csv(photos.parent / "t.csv", "path,label", *lines)))
    assert data.train.name_of(0) == "photos/train/cat/a.png"
    assert len(data.notes) == 1 and "is photos/train/cat/a.png" in data.notes[0]


def test_a_name_in_another_unicode_form_is_found(photos: Path, write_png: WritePng) -> None:
    write_png(photos / "cafe\u0301.png", 77)
    lines = ("photos/caf\u00e9.png,cat", "photos/train/dog/a.png,dog")
    data = load(str(write_csv(photos.parent / "t.csv", "path,label", *lines)))
    assert data.train.images[0, 0, 0, 0] == 77


def test_a_name_that_fits_two_files_is_not_guessed(photos: Path, write_png: WritePng) -> None:
    write_png(photos / "train" / "cat" / "a.jpg", 7)
    path = write_csv(photos.parent / "t.csv", "path,label", "photos/train/cat/a,cat")
    (unreadable, *_) = (p for p in check(str(path)).problems if p.kind == "unreadable")
    assert unreadable.examples == ("photos/train/cat/a (No such file or directory)",)


def test_a_file_that_is_there_as_written_is_no_other(photos: Path, write_png: WritePng) -> None:
    odd = "photos\\train.png"
    write_png(photos.parent / odd, 77)
    lines = (f"{odd},cat", "photos/train/dog/a.png,dog")
    data = load(str(write_csv(photos.parent / "t.csv", "path,label", *lines)))
    assert data.train.images[0, 0, 0, 0] == 77
    assert data.notes == ()


def test_labels_in_two_unicode_forms_are_one_class_and_look_alikes_are_an_error(
    photos: Path,
) -> None:
    names = ("caf\u00e9", "cafe\u0301", "tea", "tea", "tea")
    rows = [f"{row[0]},{name}" for row, name in zip(ROWS, names, strict=True)]
    path = write_csv(photos.parent / "t.csv", "path,label", *rows)
    assert load(str(path)).train.class_names == ("caf\u00e9", "tea")
    path = write_csv(path, "path,label", *rows, f"{ROWS[0][0]},Tea")
    with pytest.raises(DataError, match="look alike: 'Tea' and 'tea'"):
        load(str(path))


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path) -> None:
    names = ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001")
    for number, name in enumerate(names):
        values = range(10 * number, 10 * number + 3)
        place = tmp_path / "hub" / "data" / f"{name}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(place, image=[png(value) for value in values], label=[0, 1, 0])
    for folder in (tmp_path / "hub", tmp_path / "hub" / "data"):
        data = load(str(folder))
        assert data.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
        assert data.test is not None and data.test.images[:, 0, 0, 0].tolist() == [20, 21, 22]
        assert data.train.labels.tolist() == [0, 1, 0, 0, 1, 0]
    before = data.fingerprint
    write_parquet(place, image=[png(90), png(91)], label=[0, 1])
    assert load(str(folder)).fingerprint != before


def test_parquet_files_of_which_some_are_missing_are_told(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-00001-of-00003.parquet", image=[png(1)] * 2, label=[0, 1])
    with pytest.raises(DataError, match="lacks 2 of 3 files: train-00000-of-00003") as caught:
        load(str(tmp_path))
    assert "train-00002-of-00003.parquet" in caught.value.problem


def test_parquet_files_name_files_from_their_own_folder(photos: Path) -> None:
    shards = photos.parent / "tables"
    (shards / "train").mkdir(parents=True)
    write_parquet(
        shards / "train" / "0.parquet",
        path=["../../photos/train/cat/a.png", "../../photos/train/dog/a.png"],
        label=["cat", "dog"],
    )
    assert load(str(shards)).train.images[:, 0, 0, 0].tolist() == [0, 30]


def test_parquet_files_that_are_no_one_table_are_told(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", image=[png(1), png(2)], label=[0, 1])
    write_parquet(tmp_path / "b.parquet", image=["x.png", "y.png"], label=[0, 1])
    with pytest.raises(DataError, match=r"b.parquet has other classes, or stores"):
        load(str(tmp_path))


@pytest.mark.parametrize(("name", "module"), [("my set.zip", "zipfile"), ("s.tar.gz", "tarfile")])
def test_an_archive_is_refused_with_the_command_that_unpacks_it(
    tmp_path: Path, name: str, module: str
) -> None:
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(DataError, match="is an archive") as caught:
        load(str(tmp_path / name))
    assert f"python -m {module} -e" in str(caught.value.fix)


def test_the_folder_that_paths_start_from_is_told(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", "path,label", "gone/a.png,cat", "gone/b.png,dog")

    with pytest.raises(DataError, match="2 of 2 image files") as caught:
        load(str(path))

    assert f"a table's paths start from its folder, {tmp_path}" in str(caught.value.expected)
