"""Tests of the search for near duplicates."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from rungwise.data import duplicates, load
from rungwise.data.duplicates import find_near_duplicates, known_in
from rungwise.data.images import LabelledImages
from rungwise.data.near import MOST_IMAGES, looked_for, near_in, near_pairs, thumbnails
from rungwise.randomness import generator

SIDE = 32


def scenes(count: int, seed: int = 0, channels: int = 3) -> torch.Tensor:
    """Return smooth pictures with some detail, no two alike: (N, 32, 32, C) uint8."""
    rng = generator("scenes", seed)
    layers = [
        torch.nn.functional.interpolate(
            torch.randn(count, channels, side, side, generator=rng), (SIDE, SIDE), mode="bicubic"
        )
        for side in (4, 9, 16)
    ]
    mixed = 128 + 40 * layers[0] + 20 * layers[1] + 10 * layers[2]
    return mixed.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def labelled(images: torch.Tensor, labels: list[int] | None = None) -> LabelledImages:
    told = torch.tensor(labels) if labels else torch.zeros(len(images), dtype=torch.int64)
    return LabelledImages(images, told, ("a", "b"))


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def moved(picture: Image.Image) -> Image.Image:
    padded = np.pad(np.asarray(picture), ((1, 1), (1, 1), (0, 0)), mode="edge")
    return Image.fromarray(padded[1 : 1 + SIDE, :SIDE])


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "compressed": lambda picture: as_jpeg(picture, 60),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.15),
    "less contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(0.8),
    "moved": moved,
    "smaller": lambda picture: picture.resize((24, 24)).resize((SIDE, SIDE)),
    "larger": lambda picture: picture.resize((48, 48)).resize((SIDE, SIDE)),
    "moved, brighter, compressed": lambda picture: as_jpeg(
        ImageEnhance.Brightness(moved(picture)).enhance(1.1), 70
    ),
}


def changed(images: torch.Tensor, change: Callable[[Image.Image], Image.Image]) -> torch.Tensor:
    pictures = [np.asarray(change(Image.fromarray(image))) for image in images.numpy()]
    return torch.from_numpy(np.stack(pictures))


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_and_nothing_else(change: str) -> None:
    images = scenes(300)
    both = thumbnails(labelled(torch.cat([images, changed(images[:20], CHANGES[change])])))
    assert near_pairs(both).tolist() == [[i, 300 + i] for i in range(20)]


def test_copies_of_real_photos_are_found(real_data: Callable[[str], Path]) -> None:
    real_data("cifar10")
    images = load("cifar10").train.first(3000)
    for change in CHANGES.values():
        both = thumbnails(labelled(torch.cat([images, changed(images[:50], change)])))
        found = {(i, j) for i, j in near_pairs(both).tolist()}
        assert sum((i, 3000 + i) in found for i in range(50)) >= 47
        assert len([pair for pair in found if pair[1] < 3000]) < 20


def test_pairs_with_others_are_found_across_blocks() -> None:
    images = scenes(5000)
    others = torch.cat([scenes(100, seed=1), images[4999:] // 2 + 60, images[:1] // 2])
    found = near_in(thumbnails(labelled(images)), thumbnails(labelled(others)))
    assert found.tolist() == [[0, 101], [4999, 100]]
    whole = thumbnails(labelled(torch.cat([images, others])))
    assert near_pairs(whole).tolist() == [[0, 5101], [4999, 5100]]


def test_other_pictures_in_one_frame_are_not_the_same() -> None:
    framed = torch.full((40, SIDE, SIDE, 3), 255, dtype=torch.uint8)
    framed[:, 5:27, 5:27] = scenes(40)[:, :22, :22] // 4
    background = scenes(500, seed=2)
    assert len(near_pairs(thumbnails(labelled(torch.cat([background, framed]))))) == 0


def test_flat_images_are_not_compared() -> None:
    flat = torch.arange(0, 250, 5, dtype=torch.uint8)[:, None, None, None]
    images = flat.expand(-1, SIDE, SIDE, 1).contiguous()
    assert len(near_pairs(thumbnails(labelled(images)))) == 0


@pytest.mark.parametrize("shape", [(12, 12, 1), (12, 40, 3), (100, 15, 4)])
def test_any_size_from_twelve_pixels_on_is_taken(shape: tuple[int, int, int]) -> None:
    images = torch.randint(0, 256, (30, *shape), generator=generator(0), dtype=torch.uint8)
    both = thumbnails(labelled(torch.cat([images, images[:2] // 2 + 20])))
    assert near_pairs(both).tolist() == [[0, 30], [1, 31]]
    assert looked_for((shape[2], *shape[:2]), 10)
    assert not looked_for((3, 11, 40), 10)
    assert not looked_for((3, 32, 32), MOST_IMAGES + 1)


def test_one_image_has_no_pair() -> None:
    assert near_pairs(thumbnails(labelled(scenes(1)))).shape == (0, 2)


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    near_pairs(thumbnails(labelled(scenes(2100))), lambda *step: told.append(step))
    assert told == [(2048, 2100), (2100, 2100)]


def test_groups_are_told_by_where_they_are() -> None:
    images = scenes(200)
    near = changed(images[:4], CHANGES["compressed"])
    train = labelled(torch.cat([images, near[:2], images[2:3]]), [0] * 201 + [1] + [0])
    test = labelled(torch.cat([near[2:3], images[3:4], near[3:4]]))
    found = find_near_duplicates({"train": train, "test": test})
    assert found is not None
    # 0 ~ 200 in train; 1 ~ 201 in train with other labels; 2 = 202 in train ~ test 0; and of
    # test 1 = train 3 there is a near duplicate in test.
    assert [(d.where, d.groups, d.images) for d in found] == [
        ("train", 2, 4),
        ("test", 1, 2),
        ("across", 2, 6),
        ("conflicting", 1, 2),
    ]
    assert found[0].examples == (("[0]", "[200]"), ("[1]", "[201]"))


def test_the_images_shown_of_a_large_group_are_of_both_parts() -> None:
    background, picture = scenes(300), scenes(1, seed=9).float()
    many = torch.cat([picture * (1 - 0.02 * step) for step in range(8)]).to(torch.uint8)
    train = labelled(torch.cat([background, many[:7]]))
    found = find_near_duplicates({"train": train, "test": labelled(many[7:])})
    assert found is not None
    assert [d.images for d in found] == [7, 8]
    assert found[1].where == "across"
    assert found[1].examples == (("[300]", "[301]", "[302]", "[303]", "[0]"),)


def test_exact_copies_alone_are_no_near_duplicates() -> None:
    images = scenes(50)
    found = find_near_duplicates({"train": labelled(torch.cat([images, images]))})
    assert found == ()


def test_small_or_too_many_images_are_not_looked_at() -> None:
    small = torch.zeros(3, 8, 8, 1, dtype=torch.uint8)
    assert find_near_duplicates({"train": labelled(small)}) is None
    many = torch.zeros(1, 12, 12, 1, dtype=torch.uint8).expand(MOST_IMAGES + 1, -1, -1, -1)
    assert find_near_duplicates({"train": labelled(many)}) is None


def test_images_that_are_known_are_told_exact_and_near() -> None:
    images = scenes(200)
    test = torch.cat([images[:1], scenes(3, seed=5), changed(images[1:2], CHANGES["moved"])])
    assert known_in(labelled(test), labelled(images)).tolist() == [True, *[False] * 3, True]


def test_what_is_known_is_looked_for_once_and_anew_where_the_cache_is_damaged(
    isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(duplicates, "near_in", lambda *args: looks.append(1) or near_in(*args))
    images = scenes(60)
    test = torch.cat([scenes(2, seed=5), changed(images[1:2], CHANGES["moved"])])

    first = known_in(labelled(test), labelled(images))
    again = known_in(labelled(test), labelled(images))
    of_fewer = known_in(labelled(test), labelled(images[2:]))
    assert [one.tolist() for one in (first, again, of_fewer)] == [
        *[[False, False, True]] * 2,
        [False] * 3,
    ]
    assert len(looks) == 2

    for file in (isolated_home / "known").iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    assert known_in(labelled(test), labelled(images)).tolist() == [False, False, True]
    assert len(looks) == 3


def test_what_is_known_is_found_where_the_cache_cannot_be_written(isolated_home: Path) -> None:
    (isolated_home / "known").write_text("a file in the folder's place")
    images = scenes(60)
    known = known_in(labelled(changed(images[1:2], CHANGES["moved"])), labelled(images))
    assert known.tolist() == [True]


def test_of_small_images_exact_copies_are_known() -> None:
    images = torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(-1, 4, 4, 1)
    known = known_in(labelled(images[2:]), labelled(images[:3]))
    assert known.tolist() == [True, False, False]
