"""`rungwise evaluate`: figures of a trained predictor on a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from cyclopts import Parameter

from rungwise.interfaces.cli.options import BadFiles, Output, Place, Prediction
from rungwise.interfaces.cli.printing import print_json, print_table
from rungwise.ladder.numbers import counted, percent, percent_interval

if TYPE_CHECKING:
    import torch

    from rungwise.data import LabelledImages
    from rungwise.interfaces.cli.judging import Chosen
    from rungwise.prediction.metrics import Evaluation
    from rungwise.prediction.predictor import Predictor
    from rungwise.report.errors_page import Errors, Judged


def evaluate(
    run: Path,
    data: str | None = None,
    /,
    *,
    with_: Annotated[list[Path] | None, Parameter(name="--with", negative="")] = None,
    part: Literal["test", "validation"] = "test",
    bad_files: BadFiles | None = None,
    save: Path | None = None,
    errors: Path | None = None,
    prediction: Prediction = Prediction(),
    place: Place = Place(),
    output: Output = Output(),
) -> None:
    """Measure a run, or several as one ensemble, predicting as the recipe says or otherwise.

    An evaluation on test images is an opening of the test set and is written to the ledger: that of
    the folder of runs that RUN lies in, or that of --out for a file or a run that was copied. The
    wrong answers are listed in `errors.csv` and shown in `errors.html`, in the run's folder.

    Args:
        run: A run's folder, or a predictor's .safetensors file.
        data: Another data set than the run was trained on.
        with_: A further run whose predictions are averaged with the first; may be repeated.
        part: `validation` measures on the images that the run held out.
        bad_files: Whether image files of DATA that cannot be read are an error, or left out; the
            run's own data are loaded as for its training.
        save: Also write the predictor, ensemble and views included, to this .safetensors file,
            with its model card beside it.
        errors: Folder for `errors.csv` and `errors.html`. By default the run's; of a predictor's
            file they are written only if this is given.
    """
    from rungwise.interfaces.cli.judging import choose_images
    from rungwise.interfaces.cli.predictors import open_predictor, way_facts
    from rungwise.ladder.ledger import record_opening
    from rungwise.ladder.run import open_run
    from rungwise.prediction.metrics import evaluate as measure
    from rungwise.report.errors_page import write_errors
    from rungwise.report.pictures import confusion
    from rungwise.training.device import choose_device

    paths = [run, *(with_ or [])]
    predictor = open_predictor(paths, choose_device(place.device), prediction)
    chosen = choose_images(
        paths, predictor, data, part=part, bad_files=bad_files, offline=place.offline
    )
    images, opened = chosen.images, chosen.opened
    if opened is not None:
        root = (open_run(run).root if run.is_dir() else None) or place.out
        record_opening(root, opened, "evaluate " + " ".join(map(str, paths)))
    probabilities = predictor.probabilities_of(images)
    evaluation = measure(probabilities, images)
    unseen = _on_unseen(probabilities, images, paths)
    if save is not None:
        _save(predictor, evaluation, chosen, save)
    if output.json:
        print_json(evaluation.to_dict() | unseen._asdict() | {"prediction": way_facts(predictor)})
    else:
        _print(evaluation, unseen, f"{len(images)} {chosen.what}", predictor)
        if save is not None:
            print(f"\nsaved               {save.resolve()}, with its model card")
    if run.is_dir():
        confusion(evaluation.confusion, images.class_names, run / "figures" / "confusion.png")
    folder = errors or (run if run.is_dir() else None)
    if folder is not None:
        found = write_errors(probabilities, _judged(predictor, paths, chosen), folder)
        if not output.json:
            _print_errors(found)


class _Unseen(NamedTuple):
    """How a predictor does on images that it has not been trained on, not even nearly.

    Both are None where the training images are not at hand.
    """

    accuracy_without_duplicates: float | None = None
    duplicates: int | None = None


def _on_unseen(
    probabilities: "torch.Tensor", images: "LabelledImages", paths: list[Path]
) -> _Unseen:
    """Measure without the images of which the training had an exact or a near duplicate."""
    import numpy as np

    from rungwise.data.duplicates import known_in
    from rungwise.interfaces.cli.datasets import training_images
    from rungwise.interfaces.cli.loading import LoadingBar

    trained_on = training_images(paths)
    if trained_on is None:
        return _Unseen()
    known = np.zeros(len(images), dtype=bool)
    for part in trained_on:
        with LoadingBar(False, "comparing images with those trained on") as bar:
            known |= known_in(images, part, bar)
    right = (probabilities.argmax(1) == images.labels).numpy()[~known]
    return _Unseen(float(right.mean()) if len(right) else None, int(known.sum()))


def _save(predictor: "Predictor", evaluation: "Evaluation", chosen: "Chosen", path: Path) -> None:
    """Write the predictor and its model card, with what was just measured on data of its own."""
    from rungwise.interfaces.export.exporting import write_cards
    from rungwise.interfaces.export.subject import Subject
    from rungwise.prediction.origin import Figures

    if chosen.own:
        part: Literal["validation", "test"] = (
            "validation" if chosen.part == "validation" else "test"
        )
        predictor = predictor.measured(Figures.of(part, evaluation, len(chosen.images)))
    predictor.save(path)
    write_cards(Subject(predictor, path), path)


def _judged(predictor: "Predictor", paths: list[Path], chosen: "Chosen") -> "Judged":
    """Return what a page of errors has to tell of what was judged."""
    from rungwise.interfaces.cli.predictors import way
    from rungwise.report.errors_page import Judged

    return Judged(
        title=f"Errors of {predictor.recipe.name} on {chosen.data}",
        predictor=f"{', '.join(map(str, paths))}; {way(predictor)}",
        images=chosen.images,
        part=chosen.part,
        what=f"{chosen.what} of {chosen.data}",
        standing=_standing(chosen),
    )


def _standing(chosen: "Chosen") -> str:
    """Say whether the nets were trained on the images."""
    if chosen.part == "validation":
        return "The nets were not trained on these images; they held them out, to be chosen by."
    if chosen.own:
        return "The nets were not trained on these images."
    return "Whether the nets were trained on some of these images is not known here."


def _print_errors(found: "Errors") -> None:
    print()
    print(f"errors              {found.page.resolve()}")
    print(
        f"                    {counted(found.wrong, 'wrong answer')}, "
        f"{counted(found.suspected, 'suspected label error')}"
    )
    print(f"                    {found.strength}")


def _print(
    evaluation: "Evaluation", unseen: _Unseen, measured_on: str, predictor: "Predictor"
) -> None:
    from rungwise.data.names import shortened
    from rungwise.interfaces.cli.predictors import way

    print(f"predicts with       {way(predictor)}")
    print(f"accuracy            {percent(evaluation.accuracy)}  ({measured_on})")
    print(f"95% interval        {percent_interval(evaluation.accuracy_interval)}")
    if unseen.duplicates and unseen.accuracy_without_duplicates is not None:
        print(
            f"without duplicates  {percent(unseen.accuracy_without_duplicates)}  (without "
            f"{unseen.duplicates} that are in the training images, exactly or nearly)"
        )
    elif unseen.duplicates:
        print(f"without duplicates  none: all {unseen.duplicates} are in the training images")
    print(f"balanced accuracy   {percent(evaluation.balanced_accuracy)}")
    print(f"loss                {evaluation.loss:.4f}")
    print(f"calibration error   {percent(evaluation.calibration_error)}")
    print()
    names = [shortened(c.name) for c in evaluation.per_class]
    rows = [
        [name, str(c.images), percent(c.precision), percent(c.recall), percent(c.f1)]
        for name, c in zip(names, evaluation.per_class, strict=True)
    ]
    print_table(["class", "images", "precision", "recall", "f1"], rows)
    print()
    rows = [[name, *map(str, row)] for name, row in zip(names, evaluation.confusion, strict=True)]
    print_table(["true \\ answer", *names], rows, title="confusion")
