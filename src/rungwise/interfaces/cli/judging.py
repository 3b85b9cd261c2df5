"""Which images a predictor is judged on, and what they are to it."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from rungwise.errors import DataError, UsageError
from rungwise.interfaces.cli.datasets import load_as_trained, load_own, require_shape
from rungwise.interfaces.cli.options import BadFiles

if TYPE_CHECKING:
    from rungwise.data import Dataset, LabelledImages
    from rungwise.ladder.run import Run
    from rungwise.prediction.predictor import Predictor


class Chosen(NamedTuple):
    """Images to measure on, and what they are.

    Args:
        images: The images.
        what: What they are, in words.
        data: The name of their data set.
        part: test, validation or all.
        own: Whether the nets were trained on the other images of the same data set.
        opened: The set whose test part is opened by looking at them.
    """

    images: "LabelledImages"
    what: str
    data: str
    part: str
    own: bool
    opened: "Dataset | None" = None


def choose_images(
    paths: list[Path],
    predictor: "Predictor",
    data: str | None,
    *,
    part: Literal["test", "validation"],
    bad_files: BadFiles | None,
    offline: bool,
) -> Chosen:
    """Return the images that a predictor is to be measured on.

    Args:
        paths: Runs' folders and predictors' files.
        predictor: All of them together.
        data: Another data set than they were trained on.
        part: Of their own data.
        bad_files: What to do about files of `data` that cannot be read.
        offline: Never download.

    Raises:
        UsageError: An option has no effect, data have to be named, or the runs have held out
            different images.
        DataError: There are no such images, or they do not fit the predictor.
    """
    if data is None:
        _require_data(bad_files)
        _require_runs(paths, predictor)
        chosen = _own_images(paths, part, offline)
    else:
        _require_no_part(part)
        dataset = load_as_trained(data, predictor, offline=offline, bad_files=bad_files or "stop")
        chosen = _images_of(dataset, paths, predictor)
    return chosen._replace(images=_fitting(predictor, chosen.images))


def _require_no_part(part: str) -> None:
    if part == "validation":
        raise UsageError(
            "--part validation has no effect on another data set",
            expected="the run's own data, whose split is known",
            fix="leave DATA or --part out",
        )


def _require_data(bad_files: BadFiles | None) -> None:
    if bad_files is not None:
        raise UsageError(
            "--bad-files has no effect without DATA",
            expected="the run's own data, which are loaded as for its training",
            fix="leave --bad-files out, or name other data",
        )


def _images_of(dataset: "Dataset", paths: list[Path], predictor: "Predictor") -> Chosen:
    fingerprints = [origin and origin.fingerprint for origin in predictor.origins]
    if dataset.test is not None:
        own = bool(fingerprints) and set(fingerprints) == {dataset.fingerprint}
        return Chosen(dataset.test, "test images", dataset.name, "test", own, dataset)
    runs = _runs([path for path in paths if path.is_dir()])
    trained_on = {*fingerprints, *(run.summary["fingerprint"] for run in runs)}
    if dataset.fingerprint in trained_on:
        raise DataError(
            f"{dataset.name} has no test part, and the run was trained on its images",
            expected="images that the run has not seen",
            fix="name other data, or, for a run's folder, leave DATA out and take --part "
            "validation",
        )
    return Chosen(dataset.train, "images", dataset.name, "all", own=False)


def _own_images(paths: list[Path], part: str, offline: bool) -> Chosen:
    from rungwise.data import draw
    from rungwise.training.seed import Seed

    runs = _runs(paths)
    dataset = load_own(runs[0], offline=offline)
    if part == "test":
        if dataset.test is None:
            raise DataError(
                f"{dataset.name} has no test part",
                expected="a data set with test images",
                fix="evaluate with --part validation, name another DATA, or train with "
                "--test-share 0.2, which sets a part aside",
            )
        return Chosen(dataset.test, "test images", dataset.name, "test", True, dataset)
    draws = {(run.summary["fingerprint"], Seed.parse(run.summary["seed"]).draw) for run in runs}
    if len(draws) > 1:
        raise UsageError(
            "the runs held out different validation images",
            expected="runs of one draw: one has trained on what another was validated with",
            fix="train the members with seeds such as 0, 0.1, 0.2, or use --part test",
        )
    parts = draw(dataset, runs[0].recipe().validation, Seed.parse(runs[0].summary["seed"]).draw)
    if parts.validation is None:
        raise DataError(
            "the run held out no validation images",
            expected="a recipe with a validation share above 0",
            fix="use --part test",
        )
    return Chosen(parts.validation, "validation images", dataset.name, "validation", own=True)


def _runs(paths: list[Path]) -> "list[Run]":
    from rungwise.ladder.run import open_run

    return [open_run(path) for path in paths]


def _require_runs(paths: list[Path], predictor: "Predictor") -> None:
    """Refuse predictors' files where no data are named."""
    for path in paths:
        if path.is_file():
            known = dict.fromkeys(origin.data for origin in predictor.origins if origin)
            told = (
                f"was trained on {', '.join(known)}"
                if known
                else "does not say what it was trained on"
            )
            raise UsageError(
                f"no data are named, and {path}, a predictor's file, {told}",
                expected="a data set to evaluate on",
                fix=f"name it: rungwise evaluate {path} {next(iter(known), 'DATA')}",
            )


def _fitting(predictor: "Predictor", images: "LabelledImages") -> "LabelledImages":
    """Return images with the predictor's classes, of which they may show some alone.

    Raises:
        DataError: They have other classes, or another shape.
    """
    from rungwise.data.problems import listed

    require_shape(predictor, images)
    if unknown := [name for name in images.class_names if name not in predictor.class_names]:
        raise DataError(
            f"the data have {len(unknown)} classes that the run does not know: {listed(unknown)}",
            expected=f"the run's classes, or some of them: {', '.join(predictor.class_names)}",
            fix="rename these classes, or leave them out",
        )
    return images.among(predictor.class_names)
