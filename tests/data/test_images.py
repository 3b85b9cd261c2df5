"""Views of labelled images are as good as copies."""

import hashlib

import numpy as np
import pytest
import torch

from rungwise.augment.mirrored_copies import with_mirrored
from rungwise.data import images as module
from rungwise.data.images import LabelledImages
from rungwise.errors import DataError
from rungwise.randomness import generator

NAMES = ("a", "b", "c")


def labelled(count: int = 20, seed: int = 0) -> LabelledImages:
    rng = generator("images", seed)
    pixels = torch.randint(0, 256, (count, 3, 4, 2), generator=rng).byte()
    return LabelledImages(pixels, torch.randint(3, (count,), generator=rng), NAMES)


def views(data: LabelledImages) -> dict[str, LabelledImages]:
    odd = data.take(torch.arange(1, len(data), 2))
    return {
        "whole": data,
        "none": data.take(torch.arange(0)),
        "shuffled": data.take(torch.tensor([7, 0, 7, 3])),
        "of a view": odd.take(torch.tensor([2, 0])),
        "mirrored": with_mirrored(odd),
        "of mirrored": with_mirrored(data).take(torch.tensor([25, 5, 0])),
        "mirrored twice": with_mirrored(with_mirrored(odd)),
    }


def copy_of(view: LabelledImages) -> LabelledImages:
    return LabelledImages(view.images.clone(), view.labels.clone(), view.class_names)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", views(labelled()))
def test_a_view_equals_the_copy_of_its_images(
    name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 3 * 24)  # three images
    view = views(labelled(seed=seed))[name]
    copy = copy_of(view)

    assert len(view) == len(copy) == len(view.images)
    assert (view.shape, view.classes) == (copy.shape, copy.classes) == ((2, 3, 4), 3)
    assert view.class_counts() == copy.class_counts()
    assert view.fingerprint == copy.fingerprint
    assert view.identities.tolist() == copy.identities.tolist()
    assert torch.equal(view.first(2), copy.images[:2])
    order = torch.randperm(len(view))
    assert torch.equal(view.gather(order), copy.images[order])
    for size in (1, 4, 100):
        batches = list(view.batches(size))
        assert torch.equal(torch.cat([copy.images[:0], *(x for x, _ in batches)]), copy.images)
        assert torch.equal(torch.cat([copy.labels[:0], *(y for _, y in batches)]), copy.labels)


def test_the_rows_that_were_asked_for_are_seen() -> None:
    pixels = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1)
    data = LabelledImages(pixels, torch.tensor([0, 1, 2, 0, 1]), NAMES)

    view = data.take(torch.tensor([4, 1, 3])).take(torch.tensor([2, 0]))

    assert view.images.flatten().tolist() == [3, 4]
    assert view.labels.tolist() == [0, 1]
    assert view.pixels is data.pixels


def test_fingerprint_and_identities_are_hashes_of_the_bytes() -> None:
    pixels = torch.tensor([[1, 2], [3, 4], [1, 2]], dtype=torch.uint8).view(3, 1, 2, 1)
    data = LabelledImages(pixels, torch.tensor([0, 1, 0]), ("a", "b"))

    content = b"((3, 1, 2, 1), ('a', 'b'))" + bytes([1, 2, 3, 4, 1, 2])
    content += np.array([0, 1, 0], np.int64).tobytes()
    assert data.fingerprint == hashlib.sha256(content).hexdigest()
    first, second, third = data.identities.tolist()
    assert first == third != second
    digest = hashlib.blake2b(bytes([1, 2]), digest_size=8).digest()
    assert first == int(np.frombuffer(digest, np.int64)[0])


def test_a_known_fingerprint_is_not_computed_and_not_handed_on() -> None:
    known = labelled().known_as("0123")

    assert known.fingerprint == "0123"
    assert known.take(torch.arange(20)).fingerprint == labelled().fingerprint
    assert with_mirrored(known).fingerprint == with_mirrored(labelled()).fingerprint


def test_a_processor_sees_the_images_where_they_are() -> None:
    data = labelled()
    assert data.on(torch.device("cpu")) is data


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gets_a_copy_if_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 3 * 24)
    device = torch.device("cuda")
    for view in views(labelled()).values():
        moved = view.on(device)
        assert moved.pixels.is_cuda and moved.labels.is_cuda
        assert torch.equal(moved.images.cpu(), view.images)
        assert torch.equal(moved.gather(torch.arange(len(view)).cuda()).cpu(), view.images)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (20, 10**6))
    assert labelled().on(device).pixels.device.type == "cpu"


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (torch.zeros(2, 1, 1, 1), torch.tensor([0, 1]), "images are torch.float32"),
        (torch.zeros(2, 1, 1).byte(), torch.tensor([0, 1]), r"of shape \(2, 1, 1\)"),
        (torch.zeros(2, 1, 1, 1).byte(), torch.tensor([0]), "for 2 images"),
        (torch.zeros(2, 1, 1, 1).byte(), torch.tensor([0, 3]), "labels run from 0 to 3"),
    ],
)
def test_what_does_not_belong_together_is_told(
    pixels: torch.Tensor, labels: torch.Tensor, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        LabelledImages(pixels, labels, NAMES)


def test_images_of_some_classes_keep_their_names_among_all() -> None:
    pixels = torch.arange(3, dtype=torch.uint8).reshape(3, 1, 1, 1)
    some = LabelledImages(pixels, torch.tensor([0, 1, 1]), ("270", "0"))
    among = some.among(("0", "180", "270"))
    assert [among.class_names[label] for label in among.labels] == ["270", "0", "0"]
    assert among.class_counts() == [2, 0, 1]
