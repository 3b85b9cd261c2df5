"""Data sets on the command line: a run's own, and others in the form that it was trained on."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from rungwise.errors import DataError, RungwiseError
from rungwise.interfaces.cli.options import BadFiles

if TYPE_CHECKING:
    from rungwise.data import Dataset, LabelledImages
    from rungwise.ladder.run import Run
    from rungwise.prediction.predictor import Predictor


def load_own(run: "Run", *, offline: bool) -> "Dataset":
    """Load what a run was trained on.

    Raises:
        DataError: The data are not here, or not as they were.
    """
    from rungwise.data import load_as_recorded
    from rungwise.interfaces.cli.loading import tell_notes

    dataset = load_as_recorded(run.summary, offline=offline)
    tell_notes(dataset)
    if dataset.fingerprint != run.summary["fingerprint"]:
        raise DataError(
            f"the data set {dataset.name} is not what the run was trained on",
            expected=f"content with the fingerprint {run.summary['fingerprint'][:16]}",
            fix="restore the data, or name another data set explicitly",
        )
    return dataset


def training_images(paths: list[Path]) -> "list[LabelledImages] | None":
    """Return what runs were trained on, each draw once; None where not all of it is at hand.

    Nothing is downloaded, and what cannot be loaded is no error here.
    """
    from rungwise.data import draw, load_as_recorded
    from rungwise.ladder.run import open_run
    from rungwise.training.seed import Seed

    parts: dict[tuple[str, str], LabelledImages] = {}
    for path in paths:
        if not path.is_dir():
            return None
        run = open_run(path)
        validation, seed = run.recipe().validation, Seed.parse(run.summary["seed"]).draw
        key = (run.summary["fingerprint"], f"{validation} {seed}")
        if key in parts:
            continue
        try:
            dataset = load_as_recorded(run.summary, offline=True)
        except RungwiseError:
            return None
        if dataset.fingerprint != run.summary["fingerprint"]:
            return None
        parts[key] = draw(dataset, validation, seed).train
    return list(parts.values())


def load_as_trained(
    data: str, predictor: "Predictor", *, offline: bool, bad_files: BadFiles = "stop"
) -> "Dataset":
    """Load a data set; image files are resized if the training's were.

    If they are what the predictor was trained on, the same test part is set aside.
    """
    from rungwise.data import load
    from rungwise.data.catalog import resizes
    from rungwise.interfaces.cli.loading import tell_notes

    size = predictor.shape[1:] if predictor.resizes and resizes(data) else None
    dataset = load(data, offline=offline, image_size=size, bad_files=bad_files)
    tell_notes(dataset)
    return dataset if dataset.test is not None else _divided_as_trained(dataset, predictor)


def _divided_as_trained(dataset: "Dataset", predictor: "Predictor") -> "Dataset":
    from rungwise.data.split import with_test_share

    for origin in predictor.origins:
        if origin is not None and origin.test_share is not None:
            with contextlib.suppress(DataError):  # other data, too few for this share
                divided = with_test_share(dataset, origin.test_share)
                if divided.fingerprint == origin.fingerprint:
                    return divided
    return dataset


def require_shape(predictor: "Predictor", images: "LabelledImages") -> None:
    """Check that images have the shape that a predictor takes.

    Raises:
        DataError: They have another.
    """
    if predictor.shape != images.shape:
        found, wanted = ("x".join(map(str, shape)) for shape in (images.shape, predictor.shape))
        raise DataError(
            f"the data's images are of shape {found}",
            expected=f"the run's: {wanted} (channels, height, width)",
            fix="take images of that shape",
        )
