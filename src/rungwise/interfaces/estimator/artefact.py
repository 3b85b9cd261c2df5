"""What an estimator's file keeps beside the predictor: parameters, labels, range, history; JSON."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from rungwise.errors import RunError, UsageError
from rungwise.interfaces.estimator.fitting import plain_value
from rungwise.prediction.predictor import Predictor
from rungwise.techniques import EpochRecord
from rungwise.training.checkpoint import damaged
from rungwise.training.parsing import dump_recipe, parse_recipe
from rungwise.training.recipe import Recipe

KEY = "estimator"
TUPLES = ("image_shape", "value_range")


def notes_of(classifier: Any) -> dict[str, Any]:
    """Return what a fitted classifier's file keeps beside its predictor, as JSON values.

    Raises:
        UsageError: A parameter or the labels are of a kind that JSON does not hold.
    """
    parameters = {
        name: _written(name, value, classifier.seed_)
        for name, value in classifier.get_params(deep=False).items()
    }
    classes = classifier.classes_
    values = classes.tolist()
    if not all(isinstance(value, str | int | float) for value in values):
        raise _unwritable("labels", values[0])
    return {
        KEY: {
            "parameters": parameters,
            "classes": {"dtype": classes.dtype.str, "values": values},
            "value_range": classifier.value_range_,
            "seed": classifier.seed_,
            "history": [[asdict(one) for one in epochs] for epochs in classifier.history_],
            "feature_names": plain_value(getattr(classifier, "feature_names_in_", None)),
        }
    }


def remembered(
    path: Path, predictor: Predictor, notes: Mapping[str, Any], known: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters and the fitted attributes that `notes_of` has written.

    Args:
        path: The file, for messages.
        predictor: What the file holds.
        notes: What was kept with it.
        known: The parameters that a classifier has.

    Raises:
        RunError: The file at `path` holds no classifier, or is damaged.
    """
    if KEY not in notes:
        raise RunError(
            f"{path} holds a predictor, but no ImageClassifier",
            expected="a file that ImageClassifier.save wrote",
            fix="read it with rungwise.Predictor.load",
        )
    try:
        kept = notes[KEY]
        parameters = {name: _read(name, value) for name, value in kept["parameters"].items()}
        classes = np.array(kept["classes"]["values"], dtype=kept["classes"]["dtype"])
        if parameters.keys() - set(known) or tuple(map(str, classes)) != predictor.class_names:
            raise ValueError("its parameters or labels are not the predictor's")
        low, high = map(float, kept["value_range"])
        channels, height, width = predictor.shape
        fitted: dict[str, Any] = {
            "predictor_": predictor,
            "image_shape_": (height, width, channels),
            "n_features_in_": height * width * channels,
            "classes_": classes,
            "value_range_": (low, high),
            "seed_": int(kept["seed"]),
            "history_": [[EpochRecord(**one) for one in epochs] for epochs in kept["history"]],
        }
        if kept["feature_names"] is not None:
            fitted["feature_names_in_"] = np.array(kept["feature_names"], dtype=object)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise damaged(path, str(error).splitlines()[0]) from None
    return parameters, fitted


def _written(name: str, value: Any, seed: int) -> Any:
    if isinstance(value, Recipe):
        return {"recipe": dump_recipe(value)}
    if isinstance(value, np.random.RandomState):
        return seed  # Where it stands now cannot be told; the seed that was drawn trains the same.
    if isinstance(value, Path):
        return str(value)
    plain = plain_value(value)
    if not _is_plain(plain):
        raise _unwritable(name, value)
    return plain


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)


def _read(name: str, value: Any) -> Any:
    if name == "recipe" and isinstance(value, dict):
        return parse_recipe(value["recipe"])
    return tuple(value) if name in TUPLES and value is not None else value


def _unwritable(what: str, value: Any) -> UsageError:
    return UsageError(
        f"{what}: {value!r} cannot be saved",
        expected="numbers, texts, true, false, None, and lists and dictionaries of them",
        fix="use such values before `fit`, or keep the predictor alone: predictor_.save(path)",
    )
