"""`ImageClassifier`: any recipe behind scikit-learn's interface, trained in memory."""

import numbers
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from rungwise.data.decoded import as_tensor
from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.labels import label_array, require_present
from rungwise.data.parts import draw
from rungwise.data.pixels import ImageShape, Levels, arranged, as_array, row_shape
from rungwise.errors import ArrayError, UsageError
from rungwise.host import set_aside
from rungwise.interfaces.estimator.artefact import notes_of, remembered
from rungwise.interfaces.estimator.fitting import chosen_recipe, train
from rungwise.interfaces.mirroring import mirroring_warning
from rungwise.prediction.predictor import Predictor, read_artefact
from rungwise.techniques import EpochRecord
from rungwise.training.device import choose_device
from rungwise.training.recipe import Recipe

NESTED = "settings__"
WHAT = "X"
"""What messages call the images."""


class ImageClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of small images, for pipelines, cross-validation and grid search.

    Images are (N, H, W) or (N, H, W, C), or flat rows (N, H·W·C) as scikit-learn's own data sets
    have them. Without `image_shape`, rows of a square number of values are square grey images and
    other rows are one pixel high; (N, C, H, W) is brought to (N, H, W, C), with a warning. Labels
    may be numbers or texts.

    The engine holds images in 256 levels. uint8 images are taken as they are. Of any other type,
    black and white are 0 and 1 if no training value lies outside; 0 and 255, or 0 and 65535, if
    none is negative and the greatest is above the half of that; else the least and the greatest
    training value. `value_range` says it otherwise. The range is kept in `value_range_`; values
    beyond it are clipped, and images of quite another scale are refused.

    Args:
        recipe: `auto`, a name (`rungwise list recipes`), a YAML file, or a `Recipe`. `auto` is
            `compact` for images whose sides have 8 pixels or more, else `dense`, with as many
            epochs as 300 steps take, at least 15.
        settings: Changes to the recipe, as `rungwise train --set` takes them, with plain values:
            `{"optimizer.lr": 0.01, "techniques": ["mixup"]}`. Each may be set, and searched, as
            `settings__optimizer.lr`, too.
        epochs: Instead of the recipe's.
        validation: Share of the images given to `fit` that is held out, whatever the recipe says;
            0 trains on all. Early stopping, `keep` and temperature scaling need some.
        image_shape: (H, W) or (H, W, C) of flat rows; None to tell it from the data.
        value_range: Values of levels 0 and 255; None to tell them from the data.
        random_state: A whole number, which is the seed of `rungwise train --seed`; a
            `RandomState`, or None for another seed at each `fit`.
        device: auto, cpu, cuda or cuda:N.
        verbose: Whether to print a line for each epoch to stderr.

    Attributes:
        classes_: (K,) the labels in order; the columns of `predict_proba`.
        n_features_in_: Number of values in an image, H·W·C.
        feature_names_in_: Names of the columns, where `fit` was given any.
        image_shape_: (H, W, C).
        value_range_: Values of levels 0 and 255.
        predictor_: The `rungwise.Predictor`; `predictor_.recipe` is what was trained.
        history_: The epochs of each net: loss and accuracy, in training and validation.
        seed_: The seed that was used; given as `random_state`, it trains the same net again.

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(n_class=3, return_X_y=True)
    >>> classifier = ImageClassifier("dense", epochs=10, random_state=0).fit(X[:300], y[:300])
    >>> classifier.image_shape_, classifier.value_range_
    ((8, 8, 1), (0.0, 16.0))
    >>> bool(classifier.score(X[300:], y[300:]) > 0.9)
    True
    """

    classes_: NDArray[Any]
    n_features_in_: int
    image_shape_: ImageShape
    value_range_: tuple[float, float]
    predictor_: Predictor
    history_: list[list[EpochRecord]]
    seed_: int

    def __init__(
        self,
        recipe: str | Path | Recipe = "auto",
        *,
        settings: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        validation: float = 0.0,
        image_shape: tuple[int, ...] | None = None,
        value_range: tuple[float, float] | None = None,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.recipe = recipe
        self.settings = settings
        self.epochs = epochs
        self.validation = validation
        self.image_shape = image_shape
        self.value_range = value_range
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def set_params(self, **params: Any) -> Self:
        """Set parameters; `settings__PLACE` sets one of `settings` and leaves the others."""
        changed = {name: params.pop(name) for name in list(params) if name.startswith(NESTED)}
        super().set_params(**params)
        if changed:
            nested = {name.removeprefix(NESTED): value for name, value in changed.items()}
            self.settings = {**(self.settings or {}), **nested}
        return self

    @set_aside()
    def fit(self, X: Any, y: Any, **unsupported: Any) -> Self:
        """Train on images and labels.

        Warns (`UserWarning`) if the recipe mirrors images that look like other classes in a mirror,
        if images were taken for channels first, and if a training has collapsed.

        Args:
            X: (N, H, W), (N, H, W, C), (N, C, H, W) or (N, H·W·C), numbers.
            y: (N,) labels of two classes or more.
            unsupported: Nothing else is taken; `sample_weight` is refused with what to do instead.

        Raises:
            UsageError: A parameter is wrong.
            ArrayError: The images or labels cannot be used. Both are a `ValueError`, as
                scikit-learn's own are.
            DataError: Too few images to hold some out.
            RunError: The training diverges.
        """
        _require_nothing_else(unsupported)
        _require_labels(y)
        rows, found, note = _as_rows(X, self.image_shape)
        if note:
            warnings.warn(note, stacklevel=2)
        rows, y = validate_data(self, rows, y, order="C")
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise UsageError(
                f"the labels are of 1 class alone: {classes.tolist()[0]!r}",
                expected="two classes or more",
                fix="give images of all classes that are to be told apart",
            )
        shape = found or row_shape(rows.shape[1], self.image_shape, WHAT)
        levels = Levels.of(rows, self.value_range, WHAT)
        images = LabelledImages(
            _pixels(levels, rows, shape), torch.from_numpy(labels), tuple(map(str, classes))
        )
        recipe = chosen_recipe(self.recipe, self._changes(), images)
        warning = mirroring_warning([recipe], images)
        if warning:
            warnings.warn(warning, stacklevel=3)  # Beyond the decorator's frame.
        seed, device = self._seed(), choose_device(self.device)
        parts = draw(Dataset("images", images), recipe.validation, seed)
        self.predictor_, self.history_ = train(recipe, parts, seed, device, verbose=self.verbose)
        self.classes_, self.seed_ = classes, seed
        self.image_shape_, self.value_range_ = shape, (levels.low, levels.high)
        return self

    def _changes(self) -> dict[str, Any]:
        """Return the settings that are put on top of the recipe, in order."""
        settings = {} if self.settings is None else self.settings
        if not isinstance(settings, Mapping):
            raise UsageError(
                f"settings is {settings!r}",
                expected="a dictionary of places and values, or None",
                fix="use for example settings={'optimizer.lr': 0.01}",
            )
        named = {"validation": self.validation}
        if self.epochs is not None:
            named["epochs"] = self.epochs
        twice = sorted(named.keys() & settings.keys())
        if twice:
            raise UsageError(
                f"{twice[0]} is among the settings, and a parameter of its own",
                expected=f"{twice[0]} in one place",
                fix=f"pass {twice[0]}=… to ImageClassifier",
            )
        return {**named, **settings}

    def _seed(self) -> int:
        state: Any = self.random_state
        if isinstance(state, numbers.Integral) and int(state) >= 0:
            return int(state)
        try:
            return int(check_random_state(state).randint(2**31 - 1))
        except ValueError as error:
            raise UsageError(
                f"random_state is {state}: {error}",
                expected="a whole number of 0 or more, a RandomState or None",
                fix="use for example random_state=0",
            ) from None

    @set_aside()
    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Return the probabilities of the classes, (N, K) float32, in the order of `classes_`.

        Args:
            X: Images of the shape and scale of those that `fit` was given, or their flat rows.

        Raises:
            NotFittedError: There is no net yet.
            ArrayError: The images are of another shape or scale.
        """
        check_is_fitted(self)
        rows, _, _ = _as_rows(X, self.image_shape_)
        rows = validate_data(self, rows, reset=False, order="C")
        pixels = _pixels(Levels(*self.value_range_), rows, self.image_shape_)
        probabilities: NDArray[np.float32] = self.predictor_.probabilities(pixels).numpy()
        return probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest label of each image, (N,).

        Args:
            X: As for `predict_proba`, which tells the errors, too.
        """
        likeliest = self.predict_proba(X).argmax(1)
        labels: NDArray[Any] = self.classes_[likeliest]
        return labels

    def save(self, path: str | Path) -> None:
        """Write parameters, labels and nets as one safetensors file, without pickle.

        `rungwise predict`, `evaluate` and `rungwise.Predictor.load` read it, too.

        Raises:
            NotFittedError: There is no net yet.
            UsageError: A parameter or the labels cannot be written as JSON.
            StorageError: The disk is full or the place cannot be written.
        """
        check_is_fitted(self)
        self.predictor_.save(Path(path), notes_of(self))

    @classmethod
    @set_aside()
    def load(cls, path: str | Path, device: str = "auto") -> Self:
        """Read what `save` wrote; it predicts the same.

        Args:
            path: The file.
            device: Becomes the parameter `device`; the machine may be another one.

        Raises:
            RunError: The file is missing, damaged, or holds no classifier.
        """
        predictor, notes = read_artefact(Path(path), choose_device(device))
        known = cls().get_params(deep=False)
        parameters, fitted = remembered(Path(path), predictor, notes, known)
        classifier = cls(**{**parameters, "device": device})
        for name, value in fitted.items():
            setattr(classifier, name, value)
        return classifier

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _as_rows(images: Any, wanted: Any) -> tuple[Any, ImageShape | None, str | None]:
    """Return images as flat rows (N, H·W·C), their shape, and what was taken for granted.

    Rows are left to scikit-learn's own checks, which know of names of columns and sparse matrices.
    """
    array = images if hasattr(images, "ndim") else as_array(images, WHAT)
    if array.ndim not in (3, 4):
        return images, None, None
    array, note = arranged(as_array(array, WHAT), wanted, WHAT)
    shape = array.shape[1:]
    return array.reshape(len(array), -1), (shape[0], shape[1], shape[2]), note


def _pixels(levels: Levels, rows: NDArray[Any], shape: ImageShape) -> torch.Tensor:
    levels.require_scale(rows, WHAT)
    return as_tensor(levels.pixels(rows)).view(len(rows), *shape)


def _require_labels(labels: Any) -> None:
    """Refuse missing labels and one-hot rows; all else is left to scikit-learn's own checks."""
    if labels is None:
        return
    array = label_array(labels)
    require_present(array, "y")
    if array.ndim == 2 and array.shape[1] > 1:
        raise ArrayError(
            f"y is of shape {array.shape}",
            expected="labels of shape (N,), as `predict` returns them",
            fix="turn one-hot rows into numbers with y.argmax(1)",
        )


def _require_nothing_else(given: Mapping[str, Any]) -> None:
    if given:
        raise UsageError(
            f"fit takes no {', '.join(given)}",
            expected="images and labels alone: every image counts the same",
            fix="for weights, repeat images before `fit`: for example rows = "
            "numpy.repeat(numpy.arange(len(y)), counts), then fit(X[rows], y[rows])",
        )
