"""Many files, decoded in order by whoever is there."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rungwise.data.sources import decoding
from rungwise.data.sources.decoding import Decoded, decode_chunk, decoded
from rungwise.data.sources.picture import Picture
from rungwise.data.sources.workers import Worker

WritePng = Callable[..., Path]


def told(found: list[Decoded]) -> list[object]:
    return [p.pixels.tolist() if isinstance(p, Picture) else p for p in found]


@pytest.fixture
def sources(tmp_path: Path, write_png: WritePng) -> list[Path | bytes]:
    """Fifty good files and contents, and some bad ones between them."""
    good = [write_png(tmp_path / f"{i}.png", i, (2, 3)) for i in range(50)]
    mixed: list[Path | bytes] = [
        path.read_bytes() if i % 3 else path for i, path in enumerate(good)
    ]
    mixed[7:7] = [b"", tmp_path / "gone.png"]
    return [*mixed, b"text"]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("files", [1, 4, 128])
def test_processes_find_what_one_finds(
    sources: list[Path | bytes], workers: int, files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = list(decoded(sources, 2))
    monkeypatch.setattr(decoding, "SECONDS_ALONE", 0.0)
    monkeypatch.setattr(decoding, "CHUNK_FILES", files)
    monkeypatch.setattr(decoding, "_processors", lambda: workers)

    together = list(decoded(sources, 2))

    assert told(together) == told(alone)
    assert told(alone)[7:9] == ["it is empty", "No such file or directory"]
    assert told(alone)[-1] == "it is not an image"
    assert sum(isinstance(picture, Picture) for picture in alone) == 50


def test_large_pictures_come_a_few_at_a_time(
    sources: list[Path | bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = told(list(decoded(sources, None)))
    monkeypatch.setattr(decoding, "CHUNK_BYTES", 11)
    assert len(decode_chunk(sources, None)) == 2  # six bytes each
    monkeypatch.setattr(decoding, "_processors", lambda: 2)
    monkeypatch.setattr(decoding, "SECONDS_ALONE", 0.0)
    monkeypatch.setattr(Worker, "call", lambda worker, function, *arguments: None)
    monkeypatch.setattr(Worker, "answer", lambda worker: decode_chunk(sources[1:], None)[:2])
    assert told(list(decoded(sources, None))) == alone


def test_what_a_dead_worker_leaves_is_done_here(
    sources: list[Path | bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = told(list(decoded(sources, None)))
    monkeypatch.setattr(decoding, "SECONDS_ALONE", 0.0)
    monkeypatch.setattr(decoding, "CHUNK_FILES", 4)
    monkeypatch.setattr(decoding, "_processors", lambda: 2)
    started: list[Worker] = []
    real = Worker.__enter__

    def enter(worker: Worker) -> Worker:
        started.append(worker)
        return real(worker)

    monkeypatch.setattr(Worker, "__enter__", enter)
    found = []
    for number, picture in enumerate(decoded(sources, None)):
        found.append(picture)
        if number == 9:
            process = started[0]._process
            assert process is not None
            process.kill()
    assert len(started) == 2
    assert told(found) == alone


def test_where_no_process_can_be_started_this_one_does_all(
    sources: list[Path | bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = told(list(decoded(sources, None)))
    monkeypatch.setattr(decoding, "SECONDS_ALONE", 0.0)
    monkeypatch.setattr(sys, "executable", "/gone/python")
    assert told(list(decoded(sources, None))) == alone


def test_sources_are_asked_for_as_they_are_needed(
    sources: list[Path | bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "SECONDS_ALONE", 0.0)
    monkeypatch.setattr(decoding, "CHUNK_FILES", 4)
    monkeypatch.setattr(decoding, "_processors", lambda: 2)
    taken = itertools.count()
    endless = (sources[0] for _ in taken)
    pictures = decoded(endless, None)
    assert isinstance(next(pictures), Picture) and isinstance(next(pictures), Picture)
    pictures.close()
    assert next(taken) < 20


def test_a_worker_imports_no_torch() -> None:
    with Worker() as worker:
        worker.call(decode_chunk, [b""], None)
        assert worker.answer() == ["it is empty"]
        worker.call(eval, "'torch' in __import__('sys').modules")
        assert worker.answer() is False
