"""Tests of where files are looked for."""

from pathlib import Path

import pytest

from rungwise.data.places import cache_folder, decoded_folder, places


def test_local_copies_go_before_the_cache(
    isolated_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = isolated_home / "data" / "mnist"
    assert places("mnist") == (cached,)
    monkeypatch.setenv("RUNGWISE_DATA", str(tmp_path))
    assert places("mnist") == (tmp_path / "mnist", cached)


def test_the_platform_has_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNGWISE_HOME")
    assert cache_folder("mnist").parts[-2:] == ("data", "mnist")
    assert "rungwise" in cache_folder("mnist").parts


def test_decoded_sets_lie_beside_the_downloads(isolated_home: Path) -> None:
    assert decoded_folder() == isolated_home / "decoded"
