"""Near duplicates: the same picture again, stored, lit, cut or scaled a little differently.

Barz & Denzler 2020, "Do We Train on Test Data? Purging CIFAR of Near-Duplicates", arXiv:1902.00423,
found them for 3.25% of CIFAR-10's test images with a trained net and human eyes. Here, two steps:

1. Each image becomes 64 numbers: its brightness on 8×8 fields, less the mean of 5×5 fields around
   each, at length 1. Light and contrast fall away, and smooth skies no longer make images alike.
   A pair is a candidate where the distance, 1 minus the cosine, is at most the product of what
   is usual for the two: the distance of the 10th nearest among 2,000 images. So simple shapes,
   which are all alike, must be far more alike than photos to be told of.
2. Of a candidate the fine detail has to agree: up to 32×32 pixels, less their 7×7 means, moved by
   up to one pixel each way; the more, the smaller the usual distances are. That of the middle has
   to agree, too, or all photos in one frame would be one picture.

Where shapes are alike (MNIST), a copy that was moved by a pixel is no nearer than another image,
and is not found. Images without any detail are not compared, nor are images below 12 pixels a side.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from rungwise.data.images import LabelledImages
from rungwise.randomness import generator

METHOD = 1
"""Raised whenever other pairs are found among the same images."""

MOST_IMAGES = 120_000
"""Beyond it near duplicates are not looked for: the time grows with the square."""

SMALLEST_SIDE = 12
"""Of images with a shorter side near duplicates are not looked for: too few pixels tell them."""

LARGEST_DISTANCE = 0.2
LEAST_AGREEMENT = 0.75
"""Of the fine detail, as a correlation, where the usual distance is large. Real pairs of CIFAR-10
were looked at: from 0.75 on nearly all are one picture, below 0.7 ships on the sea are alike."""
LEAST_AGREEMENT_INSIDE = 0.4
"""Of the fine detail in the middle half of each side."""

_COARSE, _COARSE_MEAN = 8, 5
_FINE, _FINE_MEAN = 32, 7
_REFERENCES, _NEIGHBOUR = 2000, 10
_BLOCK, _WIDE_BLOCK = 2048, 16384
_MOST_CANDIDATES = 500_000
_PAIRS_AT_ONCE = 2000

Progress = Callable[[int, int], None]


def looked_for(shape: tuple[int, int, int], count: int) -> bool:
    """Tell whether near duplicates are looked for among `count` images of a shape (C, H, W)."""
    return min(shape[1:]) >= SMALLEST_SIDE and count <= MOST_IMAGES


def thumbnails(images: LabelledImages) -> torch.Tensor:
    """Return the brightness of each image on at most 32×32 fields: (N, H', W') uint8."""
    if not len(images):
        _, height, width = images.shape
        return torch.empty(
            0, min(height, _FINE), min(width, _FINE), dtype=torch.uint8, device="cpu"
        )
    return torch.cat([_fields(chunk.float().mean(3), _FINE) for chunk in images.chunks()])


def near_pairs(images: torch.Tensor, progress: Progress | None = None) -> torch.Tensor:
    """Return the pairs of images that are nearly the same: (P, 2) int64, the smaller index first.

    Exact copies are pairs as well, so leave them out before; a thousand of one image would make
    half a million pairs.

    Args:
        images: (N, H', W') uint8, thumbnails.
        progress: Called now and then with the number of images that were compared, and of all.
    """
    vectors = _vectors(images, _reference_of(images))
    found = _candidates(vectors, vectors, progress)
    return _confirmed(found, images, images, vectors, vectors)


def near_in(
    images: torch.Tensor, others: torch.Tensor, progress: Progress | None = None
) -> torch.Tensor:
    """Return the pairs of an image and one of the others that are nearly the same: (P, 2) int64."""
    reference = _reference_of(others)
    vectors, other_vectors = _vectors(images, reference), _vectors(others, reference)
    found = _candidates(vectors, other_vectors, progress)
    return _confirmed(found, images, others, vectors, other_vectors)


def _reference_of(images: torch.Tensor) -> torch.Tensor:
    """Return the coarse vectors of some of the images, which tell what distance is usual."""
    drawn = torch.randperm(len(images), generator=generator("near duplicates"), device="cpu")[
        :_REFERENCES
    ]
    return _coarse(images[drawn])


def _coarse(images: torch.Tensor) -> torch.Tensor:
    """Return (N, 64) float32 of length 1, or of 0 where an image has no detail."""
    fields = [_fields(part.float(), _COARSE) for part in torch.split(images, _BLOCK)]
    return torch.cat([_normalized(_less_means(part, _COARSE_MEAN)) for part in fields])


def _vectors(images: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Return (N, 65): coarse vectors, and behind them the usual distance d.

    So two images are candidates, their distance at most d·d', where the product of their vectors
    is at least 1.
    """
    coarse = _coarse(images)
    nearest = min(_NEIGHBOUR + 1, len(reference))  # Most images are their own nearest.
    usual = [
        (1 - block @ reference.T).topk(nearest, largest=False).values[:, -1:]
        for block in torch.split(coarse, _BLOCK)
    ]
    return torch.cat([coarse, torch.cat(usual).clamp(0, math.sqrt(LARGEST_DISTANCE))], dim=1)


def _candidates(
    vectors: torch.Tensor, others: torch.Tensor, progress: Progress | None
) -> torch.Tensor:
    """Return the candidates as (P, 2) int64; within one set of vectors each pair once."""
    is_one_set = vectors is others
    found = [torch.empty(0, 2, dtype=torch.int64, device="cpu")]
    for start in range(0, len(vectors), _BLOCK):
        for first in range(start if is_one_set else 0, len(others), _WIDE_BLOCK):
            products = vectors[start : start + _BLOCK] @ others[first : first + _WIDE_BLOCK].T
            pairs = (products >= 1).nonzero() + torch.tensor(
                [start, first], dtype=torch.int64, device="cpu"
            )
            found.append(pairs[pairs[:, 0] < pairs[:, 1]] if is_one_set else pairs)
        if sum(map(len, found)) > _MOST_CANDIDATES:
            break
        if progress:
            progress(min(start + _BLOCK, len(vectors)), len(vectors))
    return torch.cat(found)[:_MOST_CANDIDATES]


def _confirmed(
    candidates: torch.Tensor,
    images: torch.Tensor,
    others: torch.Tensor,
    vectors: torch.Tensor,
    other_vectors: torch.Tensor,
) -> torch.Tensor:
    """Return the candidates whose fine detail agrees."""
    kept = [torch.empty(0, 2, dtype=torch.int64, device="cpu")]
    for pairs in torch.split(candidates, _PAIRS_AT_ONCE):
        usual = torch.minimum(vectors[pairs[:, 0], -1], other_vectors[pairs[:, 1], -1])
        least = 1 - (1 - LEAST_AGREEMENT) * usual / math.sqrt(LARGEST_DISTANCE)
        whole, inside = _agreement(images[pairs[:, 0]], others[pairs[:, 1]])
        kept.append(pairs[(whole >= least) & (inside >= LEAST_AGREEMENT_INSIDE)])
    return torch.cat(kept)


def _agreement(images: torch.Tensor, others: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the correlation of fine detail at the best shift by up to one pixel.

    Returns:
        Over the whole image, and in the middle of it: (N,) each.
    """
    mine, theirs = (_less_means(batch.float(), _FINE_MEAN) for batch in (images, others))
    rows, columns = mine.shape[1] - 2, mine.shape[2] - 2
    inner = mine[:, 1:-1, 1:-1]
    whole, inside = torch.full((2, len(mine)), -1.0, dtype=torch.float32, device="cpu")
    for row in range(3):
        for column in range(3):
            moved = theirs[:, row : row + rows, column : column + columns]
            agreement = _correlation(inner, moved)
            better = agreement > whole
            whole = torch.where(better, agreement, whole)
            inside = torch.where(better, _correlation(_middle(inner), _middle(moved)), inside)
    return whole, inside


def _middle(images: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[1:]
    return images[:, height // 4 : -(height // 4), width // 4 : -(width // 4)]


def _correlation(images: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    return (_normalized(images) * _normalized(others)).sum(1)


def _fields(images: torch.Tensor, side: int) -> torch.Tensor:
    """Return images (N, H, W) float as means over at most `side` fields each way: uint8."""
    height, width = images.shape[1:]
    if max(height, width) > side:
        images = F.adaptive_avg_pool2d(images, (min(height, side), min(width, side)))
    return images.round().to(torch.uint8)


def _less_means(images: torch.Tensor, side: int) -> torch.Tensor:
    """Return images (N, H, W) less the mean of the square of `side` fields around each field."""
    around = F.pad(images[:, None].float(), (side // 2,) * 4, mode="replicate")
    return images - F.avg_pool2d(around, side, stride=1)[:, 0]


def _normalized(images: torch.Tensor) -> torch.Tensor:
    """Return (N, D): images less their mean, at length 1 where there is any detail."""
    vectors = images.flatten(1)
    return F.normalize(vectors - vectors.mean(1, keepdim=True), eps=1.0)
