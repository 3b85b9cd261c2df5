"""Decoded sets are kept, and never believed more than their source."""

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rungwise.data import decoded, load
from rungwise.data.decoded import as_tensor, mapped, remembered
from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.places import decoded_folder
from rungwise.data.sources import npz

Change = Callable[[Path], Any]


def dataset(first: int = 0) -> Dataset:
    pixels = torch.arange(first, first + 24, dtype=torch.uint8).view(6, 2, 2, 1)
    whole = LabelledImages(pixels, torch.arange(6) % 2, ("cat", "dog"))
    even, odd = whole.take(torch.arange(0, 6, 2)), whole.take(torch.arange(1, 6, 2))
    return Dataset("tiny", whole, test=odd, validation=even)


class Source:
    """A file and its reader, which counts how often it reads."""

    def __init__(self, path: Path) -> None:
        self.path, self.reads = path, 0
        path.write_bytes(bytes([0]))

    def load(self) -> Dataset:
        return remembered("tiny", str(self.path), (self.path,), self._read)

    def _read(self) -> Dataset:
        self.reads += 1
        return dataset(self.path.read_bytes()[0])


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source")


def entry() -> Path:
    (only,) = decoded_folder().iterdir()
    return only


def assert_same(found: Dataset, expected: Dataset) -> None:
    assert found.name == expected.name
    assert found.parts.keys() == expected.parts.keys()
    for part, images in found.parts.items():
        assert torch.equal(images.images, expected.parts[part].images)
        assert torch.equal(images.labels, expected.parts[part].labels)
        assert images.class_names == expected.parts[part].class_names
        assert images.fingerprint == expected.parts[part].fingerprint
    assert found.fingerprint == expected.fingerprint


def test_a_set_is_read_once_and_mapped_from_then_on(source: Source) -> None:
    for _ in range(3):
        assert_same(source.load(), dataset())
    assert source.reads == 1
    assert sorted(path.suffix for path in entry().iterdir()) == [".json", *[".npy"] * 6]


def test_a_kept_fingerprint_is_not_computed_again(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.load()
    monkeypatch.setattr(LabelledImages, "chunks", None)
    assert len(source.load().fingerprint) == 64


def test_changed_sources_are_read_anew_and_replace_their_entry(source: Source) -> None:
    source.load()
    facts = source.path.stat()
    source.path.write_bytes(bytes([100]))
    os.utime(source.path, ns=(facts.st_atime_ns, facts.st_mtime_ns))  # as `cp -p` would
    assert_same(source.load(), dataset(100))
    assert_same(source.load(), dataset(100))
    assert (source.reads, entry().name.startswith("tiny-")) == (2, True)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def rewrite_index(change: Change) -> Change:
    def rewrite(folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text())
        (folder / "index.json").write_text(json.dumps(change(index)))

    return rewrite


def replace_by_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("not an entry")


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "index.json").unlink(),
        lambda folder: (folder / "index.json").write_text("{"),
        rewrite_index(lambda index: []),
        rewrite_index(lambda index: {**index, "parts": {}}),
        rewrite_index(lambda index: {**index, "class_names": ["cat"]}),
        rewrite_index(lambda index: {**index, "state": "another"}),
        lambda folder: (folder / "train-pixels.npy").unlink(),
        lambda folder: (folder / "train-pixels.npy").write_bytes(b""),
        lambda folder: cut(folder / "train-pixels.npy"),
        lambda folder: alter(folder / "train-pixels.npy"),
        lambda folder: alter(folder / "test-labels.npy"),
        lambda folder: shutil.copy(folder / "test-labels.npy", folder / "validation-labels.npy"),
        shutil.rmtree,
        replace_by_file,
    ],
)
def test_a_damaged_entry_is_made_anew(source: Source, damage: Change) -> None:
    source.load()
    damage(entry())
    assert_same(source.load(), dataset())
    assert source.reads == 2
    assert_same(source.load(), dataset())
    assert source.reads == 2


def test_entries_of_another_decoder_are_made_anew(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.load()
    monkeypatch.setattr(decoded, "DECODERS", decoded.DECODERS + 1)
    source.load()
    assert source.reads == 2


def test_without_a_cache_each_load_decodes(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RUNGWISE_HOME", str(tmp_path / "file"))
    assert_same(source.load(), dataset())
    assert_same(source.load(), dataset())
    assert source.reads == 2


def test_a_full_disk_leaves_nothing_behind(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    assert_same(source.load(), dataset())
    assert list(decoded_folder().iterdir()) == []


def test_what_a_killed_process_left_is_removed_a_day_later(source: Source) -> None:
    old, new = decoded_folder() / ".partial-old", decoded_folder() / ".partial-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, time.time() - 2 * 24 * 3600))
    source.load()
    assert (old.exists(), new.exists()) == (False, True)


def test_writing_to_the_images_leaves_the_entry_as_it_is(source: Source) -> None:
    source.load()
    source.load().train.pixels.zero_()
    assert_same(source.load(), dataset())


def test_a_set_in_use_survives_the_replacement_of_its_entry(source: Source) -> None:
    source.load()
    used = source.load()
    source.path.write_bytes(bytes([100]))
    source.load()
    assert_same(used, dataset())


def test_a_mapping_is_read_only_where_the_system_promises_no_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", np.arange(6, dtype=np.uint8))
    real = np.load

    def refusing(path: Path, mmap_mode: str) -> Any:
        if mmap_mode == "c":
            raise OSError(12, "Cannot allocate memory")
        return real(path, mmap_mode=mmap_mode)

    monkeypatch.setattr(np, "load", refusing)
    assert as_tensor(mapped(tmp_path / "x.npy")).tolist() == [0, 1, 2, 3, 4, 5]


def load_often(path: str, home: str) -> set[str]:
    os.environ["RUNGWISE_HOME"] = home
    found = set()
    for _ in range(20):
        found.add(load(path).fingerprint)
        for kept in decoded_folder().glob("x.npz-*"):
            shutil.rmtree(kept, ignore_errors=True)
    return found


def test_two_processes_at_once_find_the_same(tmp_path: Path, isolated_home: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(50) % 2)
    expected = npz.read_npz(tmp_path / "x.npz").fingerprint
    paths, homes = [str(tmp_path / "x.npz")] * 2, [str(isolated_home)] * 2
    # A pool of this kind ends with an error where a process cannot start; others wait for ever.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(load_often, paths, homes)) == [{expected}, {expected}]


def test_every_kind_of_source_is_kept(photos: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 3, 3), np.uint8), labels=[0, 1])
    for spec in ("digits", str(photos), str(tmp_path / "x.npz")):
        assert load(spec).fingerprint == load(spec).fingerprint
    names = sorted(path.name.rpartition("-")[0] for path in decoded_folder().iterdir())
    assert names == ["digits", "photos", "x.npz"]


def test_a_file_that_is_added_to_a_folder_is_seen(
    photos: Path, write_png: Callable[..., Path]
) -> None:
    assert len(load(str(photos)).train) == 5
    write_png(photos / "train" / "cat" / "d.png", 77)
    assert len(load(str(photos)).train) == 6
    assert load(str(photos), image_size=2).train.shape == (1, 2, 2)
    assert load(str(photos)).train.shape == (1, 4, 4)


def test_large_arrays_of_an_archive_are_unpacked_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    np.savez_compressed(tmp_path / "x.npz", images=images, labels=[0, 1])
    expected = npz.read_npz(tmp_path / "x.npz")
    seen: list[Path] = []
    monkeypatch.setattr(npz, "mapped", lambda path: seen.append(path) or mapped(path))
    monkeypatch.setattr(npz, "LARGE_BYTES", 1)
    found = npz.read_npz(tmp_path / "x.npz")
    assert len(seen) == 2 and not any(path.exists() for path in seen)
    assert found.fingerprint == expected.fingerprint
