"""`rungwise export`: a trained predictor as a file that needs no rungwise."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rungwise.errors import DataError, UsageError
from rungwise.interfaces.cli.datasets import load_as_trained, load_own, require_shape
from rungwise.interfaces.cli.options import Output, Prediction, Switch
from rungwise.interfaces.cli.printing import print_json, print_table
from rungwise.ladder.numbers import counted

if TYPE_CHECKING:
    from rungwise.data import Dataset, LabelledImages
    from rungwise.interfaces.export.subject import Subject
    from rungwise.ladder.run import Run
    from rungwise.prediction.predictor import Predictor

DEFAULT_IMAGES = 1000


def export(
    run: Path,
    /,
    *,
    to: Literal["onnx", "torch-export"],
    out: Path | None = None,
    parity_images: int = DEFAULT_IMAGES,
    parity_data: str | None = None,
    offline: Switch = False,
    prediction: Prediction = Prediction(),
    output: Output = Output(),
) -> None:
    """Write a predictor as one file for other programs, with a model card beside it.

    The file takes uint8 images and gives class probabilities: input scaling, test-time views,
    temperatures and ensemble are inside. It is read again and compared with the predictor on real
    images, whose labels are not looked at; one that gives other answers is not kept.

    Args:
        run: A run's folder, or a predictor's .safetensors file.
        to: onnx, for onnxruntime and other engines, or torch-export, for PyTorch.
        out: The file to write; by default beside the predictor, under its name.
        parity_images: How many images the file is compared on, at most.
        parity_data: Compare on this data set, on its test images where it has some. By default on
            images that the run held out, or was trained on.
        offline: Never download a data set.
    """
    from rungwise.interfaces.export.exporting import export as export_to
    from rungwise.interfaces.export.exporting import require_exportable
    from rungwise.interfaces.export.formats import FORMATS
    from rungwise.interfaces.export.parity import spaced

    _require_count(parity_images)
    subject = _subject(run, parity_data, offline, prediction)
    require_exportable(subject, to)
    images, of = _images(subject, parity_data, offline)
    path = out or subject.file.with_suffix(FORMATS[to].suffix)
    file = export_to(subject, to, path, spaced(images, parity_images), of)
    if output.json:
        print_json(file)
    else:
        _print(file, subject)


def _subject(
    path: Path, parity_data: str | None, offline: bool, prediction: Prediction
) -> "Subject":
    """Return the predictor with all that is known of it.

    A run's own data are needed for the card's counts too; with other images to compare on, they
    may be missing.
    """
    import torch

    from rungwise.interfaces.cli.predictors import open_predictor
    from rungwise.interfaces.export.subject import Subject
    from rungwise.ladder.run import open_run

    predictor = open_predictor([path], torch.device("cpu"), prediction)
    if path.is_file():
        return Subject(predictor, path, None, _recorded_or_none(predictor, offline))
    run = open_run(path)
    dataset = _own_or_none(run, offline) if parity_data else load_own(run, offline=offline)
    return Subject(predictor, path / "model.safetensors", run, dataset)


def _recorded_or_none(predictor: "Predictor", offline: bool) -> "Dataset | None":
    """Return what a predictor's file says it was trained on, if that is here and as it was."""
    from rungwise.interfaces.export.subject import common_origin

    origin = common_origin(predictor)
    if origin is None:
        return None
    try:
        dataset = load_as_trained(origin.data, predictor, offline=offline)
    except (DataError, UsageError):
        return None
    return dataset if dataset.fingerprint == origin.fingerprint else None


def _own_or_none(run: "Run", offline: bool) -> "Dataset | None":
    try:
        return load_own(run, offline=offline)
    except (DataError, UsageError):  # gone, changed, or a folder's name that means nothing here
        return None


def _images(
    subject: "Subject", parity_data: str | None, offline: bool
) -> "tuple[LabelledImages, str]":
    """Return the images to compare on, and what they are."""
    if parity_data is not None:
        return _images_of(parity_data, subject.predictor, offline)
    own = subject.own_images()
    if own is None:
        origin = subject.origin
        told = "does not say what it was trained on"
        if origin is not None:
            told = f"was trained on {origin.data}, which is not here as it was"
        raise UsageError(
            f"{subject.file} {told}",
            expected="images to compare the exported file on",
            fix="name them: --parity-data DATA, such as mnist or ./photos",
        )
    images, kind = own
    return images, f"{kind} of {subject.dataset.name}" if subject.dataset else kind


def _images_of(data: str, predictor: "Predictor", offline: bool) -> "tuple[LabelledImages, str]":
    dataset = load_as_trained(data, predictor, offline=offline)
    images, kind = (dataset.test, "test images") if dataset.test else (dataset.train, "images")
    require_shape(predictor, images)
    return images, f"{kind} of {dataset.name}"


def _require_count(images: int) -> None:
    if images < 1:
        raise UsageError(
            f"--parity-images is {images}",
            expected="1 or more: nothing is exported unseen",
            fix=f"leave it out for {DEFAULT_IMAGES}",
        )


def _print(file: dict[str, Any], subject: "Subject") -> None:
    from rungwise.interfaces.cli.predictors import way

    parity = file["parity"]
    print(f"exported    {Path(file['file']).resolve()}")
    print(f"model card  {Path(file['card']).resolve()}")
    print(f"predicts    with {way(subject.predictor)}")
    print(f"compared    on {parity['images']} {parity['of']}:")
    print(f"  {_agreement(parity['exported'])} ({parity['bound']:g} is allowed)")
    if parity["house_precision"] != "float32":
        precision = parity["house_precision"]
        print(f"  beside the predictor in {precision}: {_agreement(parity['house'])}")
    for number, what in (
        (parity["ties"], "as good as tied between two classes"),
        (parity["at_threshold"], "at the threshold of the views, where either answer is right"),
    ):
        if number:
            print(f"  {counted(number, 'image')} {what}")
    print()
    print_table(
        ["median on one thread", "bytes", "1 image", "100 images"],
        [
            [row["name"], f"{size:,}", *(f"{1000 * value:.2f} ms" for value in row["seconds"])]
            for row, size in zip(
                file["latency"], (subject.file.stat().st_size, file["bytes"]), strict=True
            )
        ],
    )


def _agreement(agreement: dict[str, Any]) -> str:
    return (
        f"{counted(agreement['other_answers'], 'other answer')}, largest difference of a "
        f"probability {agreement['largest_difference']:.2g}"
    )
