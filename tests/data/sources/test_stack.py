"""Pictures of one size become one array in a file."""

from pathlib import Path

import numpy as np
import pytest

from rungwise.data.sources import stack as module
from rungwise.data.sources.stack import Stack
from rungwise.errors import StorageError


def pictures(*channels: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (3, 2, c), dtype=np.uint8) for c in channels]


@pytest.mark.parametrize("channels", [(1, 1), (3, 3), (1, 1, 1, 3, 1), (3, 1), (1,)])
def test_grey_fills_all_channels_once_there_is_colour(
    channels: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 12)  # two grey pictures
    stack = Stack(tmp_path)
    for picture in pictures(*channels):
        stack.add(picture)

    array = stack.array()

    expected = [np.broadcast_to(p, (3, 2, max(channels))) for p in pictures(*channels)]
    np.testing.assert_array_equal(array, np.stack(expected))


def test_nothing_makes_an_empty_array(tmp_path: Path) -> None:
    assert Stack(tmp_path).array().shape == (0, 1, 1, 1)


def test_the_array_outlives_its_file(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    (picture,) = pictures(3)
    stack.add(picture)
    array = stack.array()
    for file in tmp_path.iterdir():
        file.unlink()
    np.testing.assert_array_equal(array[0], picture)


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        Stack(tmp_path / "absent").add(pictures(1)[0])
