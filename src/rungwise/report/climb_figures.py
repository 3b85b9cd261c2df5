"""The pictures of a climb, each as .png and .svg in its `figures/` folder.

A picture whose sources are gone (a run, the stored predictions, the data set) stays as it is on
the disk; where it was never drawn, a sentence takes its place.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import torch

from rungwise import randomness
from rungwise.augment import Augmentation
from rungwise.data import Dataset, LabelledImages, draw
from rungwise.errors import RunError, RungwiseError, StorageError
from rungwise.ladder.numbers import counted, percent
from rungwise.ladder.run import open_run
from rungwise.models.input import to_unit
from rungwise.report import pictures
from rungwise.report.mistakes import Mistake, gallery, mistakes, most_confident
from rungwise.report.netdrawing import draw_network
from rungwise.report.records import Part, Records
from rungwise.report.reliability import (
    Bin,
    calibration_error,
    reliability,
    reliability_bins,
)
from rungwise.report.run_figures import draw_reconstructions
from rungwise.report.waterfall import steps, waterfall
from rungwise.storage import explaining_storage

SUFFIXES = (".png", ".svg")
AUGMENTED_IMAGES = 6
AUGMENTED_COPIES = 7

Paint = Callable[[Path], object]


@dataclass(frozen=True)
class Picture:
    """One picture of the report.

    Args:
        name: Of its files in `figures/`, without suffix.
        caption: A sentence or two below it.
        alt: What it shows, for those who do not see it.
        wide: Whether a phone scrolls it instead of making it small.
        path: The .png file; None where the picture is left out.
    """

    name: str
    caption: str
    alt: str
    wide: bool = True
    path: Path | None = None


@dataclass(frozen=True)
class Section:
    """Pictures under a title; a `note` alone where there is nothing to show."""

    title: str
    pictures: list[Picture] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class Sources:
    """What pictures are drawn from.

    Args:
        records: The climb's.
        dataset: The data set with the recorded fingerprint, if it is there.
        lacking: Why it is not there.
    """

    records: Records
    dataset: Dataset | None
    lacking: str = ""

    def images(self, rung: str, seed: int, part: Part) -> LabelledImages:
        """Return the images that a rung was measured on.

        Raises:
            RunError: The data set is not there, or has no such part.
        """
        parts = draw(self._present(), self.records.recipe(rung).validation, seed)
        images = parts.validation if part == "validation" else parts.test
        if images is None:
            raise RunError(f"the data set has no {part} part")
        return images

    def training_images(self) -> LabelledImages:
        """Return the images that may be trained on.

        Raises:
            RunError: The data set is not there.
        """
        return self._present().train

    def answers(self, part: Part) -> list[tuple[int, torch.Tensor, LabelledImages]]:
        """Return the featured rung's seeds, each with its probabilities and the images.

        Raises:
            RunError: The data set or the predictions are not there, or do not belong together.
        """
        featured = self.records.featured
        found = [
            (
                line["seed"],
                self.records.probabilities(line, part),
                self.images(featured, line["seed"], part),
            )
            for line in self.records.of(featured)
        ]
        if any(len(probabilities) != len(images) for _, probabilities, images in found):
            raise RunError("the stored predictions are of other images")
        return found

    def _present(self) -> Dataset:
        if self.dataset is None:
            raise RunError(self.lacking)
        return self.dataset

    @cached_property
    def bins(self) -> list[Bin]:
        """Bins of the featured rung's reliability diagram, all seeds together.

        Raises:
            RunError: The data set or the predictions are not there.
        """
        answers = self.answers(self.records.measured_on)
        probabilities = torch.cat([probabilities for _, probabilities, _ in answers])
        return reliability_bins(probabilities, torch.cat([images.labels for *_, images in answers]))

    @cached_property
    def wrong(self) -> list[Mistake]:
        """The featured rung's mistakes with every seed, on the images that choices are made on.

        Raises:
            RunError: The data set or the predictions are not there.
        """
        return [
            mistake
            for seed, probabilities, images in self.answers(self.records.chosen_on)
            for mistake in mistakes(probabilities, images, seed)
        ]


def draw_climb_figures(sources: Sources) -> list[Section]:
    """Draw all pictures of a climb.

    Raises:
        StorageError: The folder cannot be written.
    """
    return [
        _waterfall(sources.records),
        _curves(sources.records),
        _confusion(sources.records),
        _reliability(sources),
        _mistakes(sources),
        *_reconstructions(sources),
        *_augmented(sources),
        _network(sources.records),
    ]


def _drawn(records: Records, picture: Picture, paint: Paint) -> Section | Picture:
    """Draw a picture in both formats, or tell in a section's place why it cannot be drawn."""
    files = _files(records, picture.name)
    try:
        for file in files:
            paint(file)
    except StorageError:
        raise
    except RungwiseError as error:
        if not files[0].is_file():
            return Section("", note=f"Left out: {error.problem}.")
    return Picture(picture.name, picture.caption, picture.alt, picture.wide, files[0])


def _files(records: Records, name: str) -> list[Path]:
    return [records.folder / "figures" / f"{name}{suffix}" for suffix in SUFFIXES]


def _section(title: str, *drawn: Section | Picture) -> Section:
    shown = [one for one in drawn if isinstance(one, Picture)]
    notes = dict.fromkeys(one.note for one in drawn if isinstance(one, Section))
    return Section(title, shown, " ".join(notes))


def _waterfall(records: Records) -> Section:
    xlabel = f"accuracy on {records.chosen_on} images"
    picture = Picture(
        "waterfall",
        _waterfall_caption(records),
        "Bars of the rungs' gains with 95% intervals",
    )
    paint = _drawn(records, picture, lambda path: waterfall(steps(records), xlabel, path))
    return _section("Gains, rung by rung", paint)


def _waterfall_caption(records: Records) -> str:
    if any(rung["left_out"] for rung in records.rungs):
        bars = (
            f"Each bar goes from the mean accuracy without a technique up to that of {records.top}"
        )
    else:
        bars = "Each bar goes from the mean accuracy of the rung it is compared with to its own"
    told = f"{bars}; the number at the right is the gain in percentage points."
    if not records.seeds_differ:
        return told
    return (
        f"{told} The gain is counted over the seeds that both rungs were measured with; where the "
        "one has more of them, its mean differs a little, and the line between the two slants."
    )


def _curves(records: Records) -> Section:
    def paint(path: Path) -> object:
        names = [rung["name"] for rung in records.rungs]
        folders = {name: records.run_folders(records.of(name)[0])[0] for name in names}
        owners = {folder: name for name, folder in reversed(folders.items())}
        histories = {name: open_run(folders[name]).history() for name in reversed(owners.values())}
        return pictures.curves(histories, path)

    picture = Picture(
        "curves",
        f"First net of seed {records.seeds[0]}. Rungs that use the same net share its curve.",
        "Loss and accuracy over the epochs, one colour for each rung",
    )
    return _section("Training", _drawn(records, picture, paint))


def _confusion(records: Records) -> Section:
    names, featured = records.class_names, records.featured
    picture = Picture(
        "confusion",
        f"{featured} on {records.measured_on} images, {_seeds(records)}. Counts; "
        "the colour is the share of the true class.",
        f"Confusion matrix of {featured}",
    )
    matrix = confusion_matrix(records)
    return _section(
        f"What {featured} confuses",
        _drawn(records, picture, lambda path: pictures.confusion(matrix, names, path)),
    )


def confusion_matrix(records: Records) -> list[list[int]]:
    """Return the featured rung's (K, K) counts, all seeds together; rows are the true classes."""
    matrices = [line[records.measured_on]["confusion"] for line in records.of(records.featured)]
    return [
        [sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)
    ]


def _seeds(records: Records) -> str:
    """Say with which seeds the featured rung was measured."""
    seeds = records.rung(records.featured)["seeds"]
    return "all its seeds together" if len(seeds) > 1 else f"seed {seeds[0]}"


def _reliability(sources: Sources) -> Section:
    records, featured = sources.records, sources.records.featured
    error = ""
    with contextlib.suppress(RungwiseError):
        error = f" Expected calibration error: {percent(calibration_error(sources.bins))}."
    picture = Picture(
        "reliability",
        f"{featured} on {records.measured_on} images, {_seeds(records)}. Below the "
        f"dashed line its answers are surer than they are right.{error}",
        f"Reliability diagram of {featured}",
        wide=False,
    )
    return _section(
        f"Whether the probabilities of {featured} hold",
        _drawn(records, picture, lambda path: reliability(sources.bins, path)),
    )


def _mistakes(sources: Sources) -> Section:
    records, featured = sources.records, sources.records.featured
    title = f"Most confident mistakes of {featured}"
    where = f"{records.chosen_on} images of {_seeds(records).replace(' together', '')}"
    total, wrong = "", None
    with contextlib.suppress(RungwiseError):
        wrong = sources.wrong
    if wrong == []:
        _remove(records, "mistakes")
        return Section(title, note=f"{featured} made no mistake on the {where}.")
    if wrong:
        shown = len(most_confident(wrong))
        total = f" Of its {counted(len(wrong), 'mistake')}, {shown} are shown, each image once."
    picture = Picture(
        "mistakes",
        f"{featured} on the {where}: the true class, the answer, and the probability that it "
        f"was given.{total} A sure mistake may be a wrong label.",
        f"Images that {featured} got wrong",
    )
    return _section(
        title,
        _drawn(records, picture, lambda path: gallery(most_confident(sources.wrong), path)),
    )


def _remove(records: Records, name: str) -> None:
    """Remove a picture of an earlier climb, which this one has not."""
    for file in _files(records, name):
        with explaining_storage(file):
            file.unlink(missing_ok=True)


def _reconstructions(sources: Sources) -> list[Section]:
    records = sources.records
    names = [
        rung["name"] for rung in records.rungs if records.recipe(rung["name"]).model.reconstructs
    ]

    def paint(name: str, path: Path) -> object:
        images = sources.images(name, records.seeds[0], records.chosen_on)
        predictor = records.runs(name)[0].predictor()
        if predictor.shape != images.shape:
            raise RunError(f"{name} takes images of another size than the first rung")
        return draw_reconstructions(predictor, images, path)

    drawn = [
        _drawn(
            records,
            Picture(
                f"reconstructions-{name}",
                f"{name}, seed {records.seeds[0]}: {records.chosen_on} images above what the net "
                "makes of them.",
                f"Images beside the reconstructions of {name}",
            ),
            partial(paint, name),
        )
        for name in names
    ]
    return [_section("Reconstructions", *drawn)] if drawn else []


def _augmented(sources: Sources) -> list[Section]:
    drawn = [
        _drawn(
            sources.records,
            Picture(
                f"augmented-{name}",
                f"{name}: training images, and copies as the net sees them.",
                f"Images beside copies that {name} augments at random",
            ),
            partial(_paint_augmented, sources, augment),
        )
        for name, augment in _augmentations(sources.records).items()
    ]
    return [_section("Augmented images", *drawn)] if drawn else []


def _augmentations(records: Records) -> dict[str, tuple[Augmentation, ...]]:
    """Return each set of random augmentations once, by the first rung or member that uses it."""
    found: dict[str, tuple[Augmentation, ...]] = {}
    for rung in records.rungs:
        for member, recipe in enumerate(records.recipe(rung["name"]).member_recipes()):
            if _changes_images(recipe.augment) and recipe.augment not in found.values():
                found[f"{rung['name']}.{member}" if member else rung["name"]] = recipe.augment
    return found


def _changes_images(augment: Sequence[Augmentation]) -> bool:
    plain = Augmentation.change_images
    return any(type(augmentation).change_images is not plain for augmentation in augment)


def _paint_augmented(sources: Sources, augment: Sequence[Augmentation], path: Path) -> object:
    before = to_unit(sources.training_images().first(AUGMENTED_IMAGES))
    rng = randomness.generator("report", "augmented")
    copies = []
    for _ in range(AUGMENTED_COPIES):
        copy = before
        for augmentation in augment:
            copy = augmentation.change_images(copy, rng)
        copies.append(copy)
    return pictures.augmented_samples(before, torch.stack(copies, dim=1), path)


def _network(records: Records) -> Section:
    featured = records.featured
    shape = records.network_shape(featured)
    model = records.recipe(featured).model
    picture = Picture("network", f"The layers of {featured}.", f"Drawing of the net of {featured}")
    return _section(
        f"The net of {featured}",
        _drawn(
            records,
            picture,
            lambda path: draw_network(model, shape, len(records.class_names), path),
        ),
    )
