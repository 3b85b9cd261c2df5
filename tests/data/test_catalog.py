"""Tests of the named sets and of `load`."""

import gzip
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rungwise.data import catalog
from rungwise.data.catalog import CATALOG, get, load, load_as_recorded
from rungwise.data.content import blob_hash
from rungwise.data.images import Dataset
from rungwise.data.sources.idx import IdxFiles
from rungwise.errors import ConfigError, DataError, UnknownNameError

RealData = Callable[[str], Path]


def idx(array: np.ndarray) -> bytes:
    shape = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Put a set `tiny` of 4 + 2 images into the catalog; return its files."""
    files = {
        "train-images-idx3-ubyte": idx(np.arange(4 * 9).reshape(4, 3, 3)),
        "train-labels-idx1-ubyte": idx(np.array([0, 1, 0, 1])),
        "t10k-images-idx3-ubyte": idx(np.arange(2 * 9).reshape(2, 3, 3)),
        "t10k-labels-idx1-ubyte": idx(np.array([1, 0])),
    }
    identities = {name: blob_hash(content) for name, content in files.items()}
    entry = replace(
        CATALOG["mnist"],
        class_names=("no", "yes"),
        origin=IdxFiles(mirrors=("http://127.0.0.1:9/",), identities=identities),
    )
    monkeypatch.setitem(CATALOG, "tiny", entry)
    return files


def put(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_a_named_set_is_what_its_entry_says(name: str, real_data: RealData) -> None:
    if CATALOG[name].origin.downloads():
        real_data(name)
    data, entry = load(name, offline=True), CATALOG[name]
    assert data.test is not None and data.validation is None
    assert {"train": len(data.train), "test": len(data.test)} == entry.counts
    assert data.train.shape == data.test.shape == entry.shape
    assert data.train.class_names == data.test.class_names == entry.class_names
    assert min(data.train.class_counts()) > 0
    assert len(entry.class_names) == 10


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_loading_takes_seconds_at_most(name: str, real_data: RealData) -> None:
    real_data(name)
    start = time.perf_counter()
    load(name, offline=True)
    assert time.perf_counter() - start < 10  # measured: mnist 0.2, cifar10 1.1


def test_first_labels_are_the_official_ones(real_data: RealData) -> None:
    real_data("mnist")
    assert load("mnist", offline=True).train.labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]


def test_colours_of_cifar_are_in_place(real_data: RealData) -> None:
    real_data("cifar10")
    data = load("cifar10", offline=True)
    assert data.train.labels[:5].tolist() == [6, 9, 9, 4, 1]  # frog, truck, truck, deer, automobile
    assert data.train.images[0, 0, 0].tolist() == [59, 62, 63]


def test_no_entry_names_the_host_that_is_gone() -> None:
    for entry in CATALOG.values():
        for download in entry.origin.downloads():
            assert download.mirrors
            assert not any("lecun" in mirror for mirror in download.mirrors)


def test_a_subset_is_noted_and_drawn_later() -> None:
    data = load("digits@20")
    assert (data.name, data.per_class, len(data.train)) == ("digits@20", 20, 1438)
    assert load("digits").per_class is None
    assert load("digits").fingerprint != data.fingerprint


def test_a_subset_larger_than_a_class_is_an_error() -> None:
    with pytest.raises(DataError, match="class '8' has 139 training images, fewer than 140"):
        load("digits@140")


def test_local_copies_go_before_the_cache(
    tiny: dict[str, bytes], isolated_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(isolated_home / "data" / "tiny", tiny)
    assert get("tiny", offline=True) == isolated_home / "data" / "tiny"
    put(tmp_path / "tiny", tiny)
    monkeypatch.setenv("RUNGWISE_DATA", str(tmp_path))
    assert get("tiny", offline=True) == tmp_path / "tiny"
    assert load("tiny", offline=True).train.labels.tolist() == [0, 1, 0, 1]


def test_wrong_local_content_is_an_error_that_names_the_file(
    tiny: dict[str, bytes], isolated_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(isolated_home / "data" / "tiny", tiny)
    put(tmp_path / "tiny", tiny | {"t10k-labels-idx1-ubyte": idx(np.array([0, 0]))})
    monkeypatch.setenv("RUNGWISE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz holds other content"):
        load("tiny")


def test_offline_tells_what_is_missing_where(
    tiny: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "tiny", {k: v for k, v in tiny.items() if k.startswith("train")})
    monkeypatch.setenv("RUNGWISE_DATA", str(tmp_path))
    with pytest.raises(DataError, match="downloads are off") as caught:
        load("tiny", offline=True)
    assert f"{tmp_path / 'tiny'} lacks t10k-images-idx3-ubyte.gz, t10k" in caught.value.problem
    assert "rungwise data get tiny" in str(caught.value.fix)


def test_a_missing_set_is_downloaded_into_the_cache(
    tiny: dict[str, bytes], isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(downloads: object, folder: Path) -> None:
        put(folder, tiny)

    monkeypatch.setattr(catalog, "fetch", fetch)
    assert len(load("tiny").train) == 4
    assert get("tiny", offline=True) == isolated_home / "data" / "tiny"


def test_a_failed_download_is_a_data_error(tiny: dict[str, bytes]) -> None:
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/train-images"):
        load("tiny")


def test_a_path_is_loaded_as_its_text_is(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)

    by_path, by_text = load(Path(photos.name), image_size=8), load(f"./{photos.name}", image_size=8)

    assert by_path.name == by_text.name == f"./{photos.name}"
    assert by_path.fingerprint == by_text.fingerprint
    with pytest.raises(DataError, match="digits does not exist"):
        load(Path("digits"))
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"x\.npy is a single array, without labels"):
        load(tmp_path / "x.npy")


def test_folders_and_archives_are_loaded_by_path(photos: Path, tmp_path: Path) -> None:
    data = load(f"{photos}@2")
    assert (data.name, data.per_class) == (f"{photos}@2", 2)
    assert load(str(photos), image_size=2).train.shape == (1, 2, 2)
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 3, 3), np.uint8), labels=[0, 1])
    loaded = load(str(tmp_path / "x.npz@1"))
    assert isinstance(loaded, Dataset)
    assert loaded.test is None


@pytest.mark.parametrize("name", ["nowhere", "text.md", "nowhere.npz"])
def test_a_path_that_holds_no_data_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.md").touch()
    with pytest.raises(DataError, match=f"{name} (does not exist|is not a data set)") as caught:
        load(str(tmp_path / name))
    assert "digits" in str(caught.value.fix)


def test_the_data_of_a_record_that_are_not_there_are_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "own.npz", images=np.zeros((2, 3, 3), np.uint8), labels=[0, 1])
    record = {"data": "./own.npz", "image_size": None}
    monkeypatch.chdir(tmp_path)
    assert len(load_as_recorded(record).train) == 2

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"elsewhere.own\.npz does not exist") as caught:
        load_as_recorded(record)

    assert "rungwise evaluate RUN DATA" in str(caught.value.fix)


def test_a_test_share_is_set_aside_before_a_subset_is_drawn(tmp_path: Path) -> None:
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1).repeat(4, 1)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(20) % 2)

    data = load(f"{tmp_path}/own.npz@8", test_share=0.2)

    assert data.test is not None
    assert (data.test.class_counts(), data.train.class_counts()) == ([2, 2], [8, 8])
    assert data.test_share == 0.2
    assert data.test.name_of(0) == f"train[{int(data.test.images[0, 0, 0, 0])}]"
    with pytest.raises(DataError, match="fewer than 9"):
        load(f"{tmp_path}/own.npz@9", test_share=0.2)
    with pytest.raises(ConfigError, match="has no effect on digits"):
        load("digits", test_share=0.2)


def test_an_image_size_without_effect_is_an_error() -> None:
    with pytest.raises(ConfigError, match="image size of 16 has no effect on digits"):
        load("digits", image_size=16)


def test_unknown_names_are_told() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'fashion-mnist'"):
        load("fashion_mnist")
    with pytest.raises(UnknownNameError):
        get("digit")


def test_importing_the_layer_is_cheap() -> None:
    code = (
        "import sys, rungwise.data; "
        "print([m for m in ('sklearn', 'scipy', 'PIL', 'pooch', 'platformdirs') "
        "if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
