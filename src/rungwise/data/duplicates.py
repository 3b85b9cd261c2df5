"""Images that are there more than once: exact copies by their bits, near duplicates by looks."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rungwise.data.images import LabelledImages
from rungwise.data.near import (
    METHOD,
    MOST_IMAGES,
    Progress,
    looked_for,
    near_in,
    near_pairs,
    thumbnails,
)
from rungwise.data.places import home_folder
from rungwise.data.problems import EXAMPLES, LONG_EXAMPLES, Problem
from rungwise.errors import StorageError
from rungwise.storage import replacing

Places = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Images that are there more than once: bit for bit, or nearly the same.

    Args:
        where: A part's name for copies inside it; `across` for copies in more than one part;
            `conflicting` for copies with different labels, wherever they are.
        groups: Number of different images that have copies; of near duplicates, number of groups.
        images: Number of images in these groups, first ones included.
        examples: The first few groups, each a few places such as `train[17]` or a file.
    """

    where: str
    groups: int
    images: int
    examples: tuple[tuple[str, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain types, ready for JSON."""
        return {
            "where": self.where,
            "groups": self.groups,
            "images": self.images,
            "examples": [list(group) for group in self.examples],
        }


class _Together:
    """All images of some parts in one row, in the order of the parts."""

    def __init__(self, parts: dict[str, LabelledImages]) -> None:
        self.parts = parts
        self.identities = np.concatenate([data.identities for data in parts.values()])
        self.labels = np.concatenate([data.labels.numpy() for data in parts.values()])
        self.part_of = np.repeat(np.arange(len(parts)), list(map(len, parts.values())))
        self.first = np.searchsorted(self.part_of, np.arange(len(parts)))

    def names(self, group: Places) -> tuple[str, ...]:
        parts = list(self.parts)
        located = [(parts[self.part_of[p]], p - self.first[self.part_of[p]]) for p in group]
        return tuple(self.parts[part].name_of(int(index)) for part, index in located)

    def duplicates(
        self, groups: Sequence[Places], counts: Callable[[Places], bool]
    ) -> Iterator[Duplicates]:
        """Yield those of the groups inside each part, across parts, and in conflict.

        Args:
            groups: Places of images that are the same.
            counts: Whether images are more than one, if they are looked at alone.
        """
        for number, part in enumerate(self.parts):
            inside = [group[self.part_of[group] == number] for group in groups]
            yield from self._told(part, [g for g in inside if counts(g)], self.part_of)
        for where, kinds in (("across", self.part_of), ("conflicting", self.labels)):
            unlike = [group for group in groups if len(set(kinds[group])) > 1]
            yield from self._told(where, unlike, kinds)

    def _told(self, where: str, groups: Sequence[Places], kinds: Places) -> Iterator[Duplicates]:
        if groups:
            yield Duplicates(
                where=where,
                groups=len(groups),
                images=sum(map(len, groups)),
                examples=tuple(
                    self.names(_few(group, kinds[group])) for group in groups[:LONG_EXAMPLES]
                ),
            )


def find_duplicates(parts: dict[str, LabelledImages]) -> Iterator[Duplicates]:
    """Yield the exact copies inside each part, across parts, and with conflicting labels."""
    together = _Together(parts)
    yield from together.duplicates(_groups(together.identities), lambda group: len(group) > 1)


def find_near_duplicates(
    parts: dict[str, LabelledImages], progress: Progress | None = None
) -> tuple[Duplicates, ...] | None:
    """Return the near duplicates inside each part, across parts, and with conflicting labels.

    Groups in which all are exact copies of each other are left out.

    Args:
        parts: Images of one shape.
        progress: Called now and then with the number of images that were compared, and of all.

    Returns:
        None where they are not looked for: images too many or too small.
    """
    together = _Together(parts)
    _, firsts, unique_of = np.unique(together.identities, return_index=True, return_inverse=True)
    if not looked_for(next(iter(parts.values())).shape, len(together.identities)):
        return None
    small = torch.cat([thumbnails(data) for data in parts.values()])[torch.from_numpy(firsts)]
    pairs = near_pairs(small, progress).numpy()
    linked = _linked(pairs, len(small))

    def differ(group: Places) -> bool:
        return len(set(together.identities[group])) > 1

    groups = [group for group in _groups(linked[unique_of]) if differ(group)]
    return tuple(together.duplicates(groups, differ))


def known_in(
    images: LabelledImages, others: LabelledImages, progress: Progress | None = None
) -> NDArray[np.bool_]:
    """Tell which images are among the others, too, or are near duplicates of one of them.

    Near duplicates are only looked for where images are neither too many nor too small; what was
    found is kept in the cache, so that the next measurement on the same images need not look again.

    Args:
        images: N images.
        others: Images of the same shape, such as those that a net was trained on.
        progress: Called now and then with the number of images that were compared, and of all.

    Returns:
        (N,) bool.
    """
    known = np.isin(images.identities, others.identities)
    if not looked_for(images.shape, len(images) + len(others)):
        return known
    kept = _kept_at(images, others)
    with contextlib.suppress(OSError, ValueError, EOFError):
        found = np.load(kept)
        if (found.dtype, found.shape) == (known.dtype, known.shape):
            return np.asarray(found)
    known[near_in(thumbnails(images), thumbnails(others), progress)[:, 0].numpy()] = True
    with contextlib.suppress(StorageError), replacing(kept) as target, target.open("wb") as file:
        np.save(file, known)
    return known


def _kept_at(images: LabelledImages, others: LabelledImages) -> Path:
    """Return the file of the cache that tells which images are known from these others."""
    digest = hashlib.sha256(repr((METHOD, images.shape, len(images))).encode())
    for part in (images, others):
        digest.update(part.identities.tobytes())
    return home_folder() / "known" / f"{digest.hexdigest()[:24]}.npy"


def duplicate_problems(
    exact: Sequence[Duplicates], near: Sequence[Duplicates] | None, images: int
) -> Iterator[Problem]:
    """Yield what a check of `images` images tells of duplicates."""
    for found in exact:
        yield _problem(found, "duplicates", "image", "bit for bit", " = ")
    if images > MOST_IMAGES:
        yield Problem(
            severity="note",
            kind="near_duplicates_unknown",
            problem=f"near duplicates were not looked for among {images:,} images",
            expected=f"at most {MOST_IMAGES:,} images, as the time grows with the square",
            fix="nothing must be done; check a part of the images to look for them",
        )
    for found in near or ():
        manner = "a little differently stored, lit, cut or scaled"
        yield _problem(found, "near_duplicates", "picture", manner, " ~ ")


_PLACES = {"across": "in more than one part", "conflicting": "under different labels"}
_FIXES = {
    "across": "remove them from training: what was trained on cannot be tested on",
    "conflicting": "look at them and keep the right label",
}


def _problem(found: Duplicates, kind: str, noun: str, manner: str, sign: str) -> Problem:
    many = f"{found.groups:,} {noun}s are" if found.groups > 1 else f"1 {noun} is"
    place = _PLACES.get(found.where, f"more than once in {found.where}")
    return Problem(
        severity="warning",
        kind=f"{kind}_{found.where}",
        problem=f"{many} there {place}, {manner} ({found.images:,} counted with their copies)",
        expected=f"every {noun} once",
        fix=_FIXES.get(found.where, "remove the copies unless they are meant"),
        count=found.images,
        examples=tuple(sign.join(group) for group in found.examples),
    )


def _linked(pairs: Places, count: int) -> Places:
    """Return a number for each of `count` things, the same for all that pairs (P, 2) link."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(count, count))
    linked: Places = connected_components(links, directed=False)[1].astype(np.int64)
    return linked


def _few(group: Places, kinds: Places) -> Places:
    """Return a few of a group's places in order, among them the first one of each kind."""
    firsts = np.unique(kinds, return_index=True)[1]
    others = np.setdiff1d(np.arange(len(group)), firsts)
    shown: Places = group[np.sort(np.concatenate([firsts, others])[:EXAMPLES])]
    return shown


def _groups(identities: Places) -> list[Places]:
    """Return the places of each number that is there more than once, by its first place."""
    order = np.argsort(identities, kind="stable")
    ends = np.flatnonzero(np.diff(identities[order])) + 1
    starts = np.concatenate([[0], ends])
    sizes = np.diff(np.concatenate([starts, [len(order)]]))
    several = np.flatnonzero(sizes > 1)
    groups = [order[starts[i] : starts[i] + sizes[i]] for i in several]
    return sorted(groups, key=lambda group: int(group[0]))
