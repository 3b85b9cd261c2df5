"""The predictor: nets, input scaling, class names, test-time views and ensemble in one artefact."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import torch
from torch import nn

from rungwise import randomness
from rungwise.augment.views import View, Views, unsure
from rungwise.data.images import LabelledImages
from rungwise.errors import DataError, RunError, UsageError
from rungwise.host import set_aside
from rungwise.json_text import Range, shaped
from rungwise.models.base import Output
from rungwise.models.input import ScaledNetwork, to_unit
from rungwise.prediction.calibration import fit_temperature
from rungwise.prediction.origin import (
    Figures,
    FiguresRecord,
    Origin,
    OriginRecord,
    read,
    written,
)
from rungwise.training import precision
from rungwise.training.checkpoint import damaged, opened_tensors, write_tensors
from rungwise.training.loop import EVALUATION_BATCH
from rungwise.training.memory import keep_freed_memory
from rungwise.training.parsing import dump_recipe, parse_recipe
from rungwise.training.recipe import Recipe

FORMAT = 1
"""Number of the artefact's format; raised when an older reader could not read it."""


class _Description(TypedDict):
    """What an artefact's header says; what it lacks, versions before did not write."""

    recipe: dict[str, Any]
    members: list[dict[str, Any]]
    class_names: list[str]
    shape: list[Annotated[int, Range(1, 2**31)]]
    resizes: bool
    temperatures: NotRequired[list[float | None]]
    origins: NotRequired[list[OriginRecord | None]]
    figures: NotRequired[list[FiguresRecord]]
    notes: NotRequired[dict[str, Any]]


@dataclass(frozen=True)
class ViewAnswers:
    """What one net answers for one view of a batch.

    Args:
        net: Index of the net.
        images: The view, (N, C, H, W) float in 0..1.
        weight: Share of the answers in the mean over nets and views.
        probabilities: (N, K) float32.
    """

    net: int
    images: torch.Tensor
    weight: float
    probabilities: torch.Tensor


@dataclass(frozen=True)
class Predictor:
    """Everything between pixels and class probabilities.

    Args:
        recipe: Says which views are averaged, and which augmentations random copies use.
        members: The recipe that each net was trained with.
        nets: The trained nets; their probabilities are averaged.
        class_names: The K classes.
        shape: (C, H, W) of the images.
        resizes: Whether image files of another size are resized, as the training images were.
        device: Where the nets are.
        temperatures: What each net's logits are divided by if the recipe asks for that; None for
            a net that none was fitted for. Empty stands for no net's.
        origins: What each net was trained on, where that is known. Empty stands for no net's.
        figures: What was measured of this predictor as a whole.

    Raises:
        RunError: The recipe asks for temperatures that were not fitted.
    """

    recipe: Recipe
    members: tuple[Recipe, ...]
    nets: tuple[nn.Module, ...]
    class_names: tuple[str, ...]
    shape: tuple[int, int, int]
    resizes: bool = False
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - devices are immutable
    temperatures: tuple[float | None, ...] = ()
    origins: tuple[Origin | None, ...] = ()
    figures: tuple[Figures, ...] = ()

    def __post_init__(self) -> None:
        if self.recipe.temperature_scaling and None in (self.temperatures or (None,)):
            raise RunError(
                "temperature scaling is asked for, but a net has no temperature",
                expected="nets that held out validation images of their own, not the test images",
                fix="train with a validation share, or anew if the run is of an earlier version",
            )

    def probabilities(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return class probabilities (N, K) float32 for uint8 images (N, H, W, C).

        Raises:
            DataError: The images are not of the training's shape.
        """
        self._require_shape(pixels)
        starts = range(0, len(pixels), EVALUATION_BATCH)
        return self.probabilities_in(pixels[start : start + EVALUATION_BATCH] for start in starts)

    def probabilities_of(self, images: LabelledImages) -> torch.Tensor:
        """Return class probabilities (N, K) float32; of many images only a batch is in memory.

        Raises:
            DataError: The images are not of the training's shape.
        """
        self._require_shape(images.pixels)
        return self.probabilities_in(pixels for pixels, _ in images.batches(EVALUATION_BATCH))

    def probabilities_unbranched(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return what `probabilities` does, computed in one way whatever the pixels are.

        For graphs: with `below`, all images get all views, and then the answers are chosen.

        Args:
            pixels: (N, H, W, C) uint8 of the training's shape; all N are computed at once.
        """
        views = self.recipe.views
        answers = self._mean(pixels, views, 0)
        if views is None or views.below == 1:
            return answers
        plain = self._mean(pixels, None, 0)
        return torch.where(unsure(plain, views.below)[:, None], answers, plain)

    @set_aside()
    def reconstructions(self, pixels: torch.Tensor) -> torch.Tensor | None:
        """Return the first net's reconstructions (N, C, H, W) in 0..1, if it makes any."""
        self._require_shape(pixels)
        with torch.no_grad():
            images = to_unit(pixels.to(self.device))
            drawn = self._forward(0, images).reconstruction
        return None if drawn is None else drawn.float().expand_as(images).cpu()

    @set_aside()
    def view_answers(self, pixels: torch.Tensor) -> list[ViewAnswers]:
        """Return what each net answers for each view of uint8 images (N, H, W, C), at once.

        Weighted, they add up to `probabilities` of as many images; of views with `below`, for those
        of the images that get them.

        Raises:
            DataError: The images are not of the training's shape.
        """
        self._require_shape(pixels)
        with torch.no_grad():
            return [
                ViewAnswers(
                    answers.net,
                    answers.images.cpu(),
                    answers.weight / len(self.nets),
                    answers.probabilities.cpu(),
                )
                for answers in self._answers(pixels, self.recipe.views, 0)
            ]

    @set_aside()
    def probabilities_in(self, batches: Iterable[torch.Tensor]) -> torch.Tensor:
        """Return class probabilities (N, K) float32; one batch at a time is asked for.

        Args:
            batches: uint8 images (B, H, W, C) of the training's shape, `EVALUATION_BATCH` of them
                but in the last batch.
        """
        keep_freed_memory()
        with torch.no_grad():
            results = [
                self._batch(pixels, i * EVALUATION_BATCH) for i, pixels in enumerate(batches)
            ]
        return (
            torch.cat(results)
            if results
            else torch.zeros(0, len(self.class_names), dtype=torch.float32, device="cpu")
        )

    def _batch(self, pixels: torch.Tensor, start: int) -> torch.Tensor:
        views = self.recipe.views
        if views is None or views.below == 1:
            return self._mean(pixels, views, start)
        answers = self._mean(pixels, None, start)
        chosen = unsure(answers, views.below)
        if chosen.any():
            answers[chosen] = self._mean(pixels[chosen], views, start)
        return answers

    def _mean(self, pixels: torch.Tensor, views: Views | None, start: int) -> torch.Tensor:
        """Return the mean of the nets' probabilities over the views."""
        # Not `len`: in an exported graph the number of images is a symbol.
        total = torch.zeros(
            pixels.shape[0], len(self.class_names), device=self.device, dtype=torch.float32
        )
        for answers in self._answers(pixels, views, start):
            total += answers.weight * answers.probabilities
        return (total / len(self.nets)).cpu()

    def _answers(
        self, pixels: torch.Tensor, views: Views | None, start: int
    ) -> Iterator[ViewAnswers]:
        """Yield the answers of each net, with weights that sum to 1 over its views."""
        images = to_unit(pixels.to(self.device))
        for member in range(len(self.nets)):
            rng = randomness.generator("views", member, start)
            for view, weight in self._copies(images, views, rng):
                logits = self._forward(member, view).logits.float()
                probabilities = (logits / self._temperature(member)).softmax(1)
                yield ViewAnswers(member, view, weight, probabilities)

    def _copies(
        self, images: torch.Tensor, views: Views | None, rng: torch.Generator
    ) -> Iterable[View]:
        return [(images, 1.0)] if views is None else views.of(images, self.recipe.augment, rng)

    def _temperature(self, member: int) -> float:
        temperature = self.temperatures[member] if self.recipe.temperature_scaling else None
        return 1.0 if temperature is None else temperature

    def _forward(self, member: int, images: torch.Tensor) -> Output:
        number_format = precision.to_predict_in(self.members[member].precision, self.device)
        with precision.autocast(number_format, self.device):
            output: Output = self.nets[member](images)
        return output

    def _require_shape(self, pixels: torch.Tensor) -> None:
        channels, height, width = self.shape
        if tuple(pixels.shape[1:]) != (height, width, channels) or pixels.dtype != torch.uint8:
            raise DataError(
                f"the images are {pixels.dtype} of shape {tuple(pixels.shape)}",
                expected=f"uint8 of shape (N, {height}, {width}, {channels}), as in training",
                fix=f"bring them to {width}x{height} pixels and {channels} channels",
            )

    def with_views(self, views: Views | None) -> "Predictor":
        """Return the same nets with other test-time views.

        Raises:
            ConfigError: The views would have no effect with the recipe's augmentations.
        """
        return self._otherwise(replace(self.recipe, views=views))

    def in_float32(self) -> "Predictor":
        """Return the same nets computing in float32, whatever they were trained in."""
        members = tuple(replace(member, precision="float32") for member in self.members)
        return replace(self, members=members)

    def with_temperature_scaling(self, wanted: bool) -> "Predictor":
        """Return the same nets with their logits divided by their temperatures, or not.

        Raises:
            RunError: A net has no temperature.
        """
        return self._otherwise(replace(self.recipe, temperature_scaling=wanted))

    def _otherwise(self, recipe: Recipe) -> "Predictor":
        """Return the same nets used otherwise, of which nothing is measured yet."""
        return self if recipe == self.recipe else replace(self, recipe=recipe, figures=())

    def measured(self, figures: Figures) -> "Predictor":
        """Return the same predictor with further figures; earlier ones of that part are dropped."""
        others = tuple(one for one in self.figures if one.part != figures.part)
        return replace(self, figures=(*others, figures))

    @set_aside()
    def calibrated_on(self, images: LabelledImages) -> "Predictor":
        """Return the same nets with temperatures fitted on images that none was trained on."""
        logits: list[list[torch.Tensor]] = [[] for _ in self.nets]
        with torch.no_grad():
            for pixels, _ in images.batches(EVALUATION_BATCH):
                unit = to_unit(pixels.to(self.device))
                for member, found in enumerate(logits):
                    found.append(self._forward(member, unit).logits.float().cpu())
        temperatures = tuple(fit_temperature(torch.cat(one), images.labels) for one in logits)
        return replace(self, temperatures=temperatures)

    def save(self, path: Path, notes: Mapping[str, Any] | None = None) -> None:
        """Write the artefact: one safetensors file with its description in the header.

        Args:
            path: The file.
            notes: JSON values that its maker keeps with it; `read_artefact` gives them back.

        Raises:
            StorageError: The disk is full or the place cannot be written.
        """
        tensors = {
            f"{member}.{name}": tensor
            for member, net in enumerate(self.nets)
            for name, tensor in net.state_dict().items()
        }
        description = {
            "format": FORMAT,
            "recipe": dump_recipe(self.recipe),
            "members": [dump_recipe(recipe) for recipe in self.members],
            "class_names": self.class_names,
            "shape": self.shape,
            "resizes": self.resizes,
            "temperatures": self.temperatures,
            **written(self.origins, self.figures),
            **({"notes": notes} if notes else {}),
        }
        write_tensors(path, tensors, description)

    @classmethod
    def load(cls, path: Path, device: torch.device | None = None) -> "Predictor":
        """Read an artefact.

        Raises:
            RunError: The file is missing, damaged or of a newer format.
        """
        return read_artefact(path, device)[0]


@set_aside()
def read_artefact(
    path: Path, device: torch.device | None = None
) -> tuple[Predictor, dict[str, Any]]:
    """Read an artefact, and the notes that its maker kept with it.

    Raises:
        RunError: The file is missing, damaged or of a newer format.
    """
    device = device or torch.device("cpu")
    with opened_tensors(path) as file:
        if "format" not in file.metadata:
            raise damaged(path, "it is no trained predictor")
        if file.metadata["format"] != FORMAT:
            raise RunError(
                f"{path} is an artefact of format {file.metadata['format']}",
                expected=f"format {FORMAT}",
                fix="install the version of rungwise that wrote it",
            )
        description = shaped(_Description, file.metadata)
        recipe = parse_recipe(description["recipe"], str(path))
        members = tuple(parse_recipe(plain, str(path)) for plain in description["members"])
        class_names = tuple(description["class_names"])
        channels, height, width = description["shape"]
        shape = channels, height, width
        _require_weights(members, shape, len(class_names), file.shapes)
        tensors = file.read()
        nets = tuple(
            _rebuild(member, shape, len(class_names), _of_member(tensors, index)).to(device)
            for index, member in enumerate(members)
        )
        temperatures = _temperatures(description.get("temperatures", []), len(nets))
        origins, figures = read(
            description.get("origins", []), description.get("figures", []), len(nets)
        )
    resizes, notes = description["resizes"], description.get("notes", {})
    used = recipe, members, nets, class_names, shape, resizes, device, temperatures
    return Predictor(*used, origins=origins, figures=figures), notes


def _require_weights(
    members: Sequence[Recipe],
    shape: tuple[int, int, int],
    classes: int,
    found: Mapping[str, tuple[int, ...]],
) -> None:
    """Check that a file has the tensors of its nets and no others, before they take memory.

    Raises:
        ValueError: It has others, or holds no nets.
    """
    if not members:
        raise ValueError("it holds no nets")
    wanted = {
        f"{index}.{name}": tuple(tensor.shape)
        for index, member in enumerate(members)
        for name, tensor in _network(member, shape, classes, found.get(f"{index}.mean"), None)
        .state_dict()
        .items()
    }
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise ValueError(
                f"the tensor {name} is of shape {found.get(name)}, not {wanted.get(name)}"
            )


def combine(predictors: Sequence[Predictor], recipe: Recipe | None = None) -> Predictor:
    """Return one predictor that averages the nets of several.

    Args:
        predictors: At least one; all for the same classes and image shape.
        recipe: Gives views and augmentations; without it, the first predictor's recipe does.

    Raises:
        UsageError: The predictors do not belong together.
    """
    first = predictors[0]
    if len(predictors) == 1 and recipe in (None, first.recipe):
        return first
    for other in predictors[1:]:
        if (other.class_names, other.shape) != (first.class_names, first.shape):
            raise UsageError(
                "the runs are for different classes or image shapes",
                expected=f"{len(first.class_names)} classes, images of {first.shape} in all runs",
                fix="combine runs that were trained on the same data",
            )
    return replace(
        first,
        recipe=recipe or first.recipe,
        members=tuple(member for predictor in predictors for member in predictor.members),
        nets=tuple(net for predictor in predictors for net in predictor.nets),
        temperatures=tuple(
            temperature
            for predictor in predictors
            for temperature in predictor.temperatures or (None,) * len(predictor.nets)
        ),
        origins=tuple(
            origin
            for predictor in predictors
            for origin in predictor.origins or (None,) * len(predictor.nets)
        ),
        figures=(),
    )


def _temperatures(values: Sequence[float | None], nets: int) -> tuple[float | None, ...]:
    found = tuple(None if value is None else float(value) for value in values)
    positive = all(value > 0 for value in found if value is not None)
    if not positive or len(found) not in (0, nets):
        raise ValueError(f"its temperatures are {values}")
    return found


def _of_member(tensors: dict[str, torch.Tensor], index: int) -> dict[str, torch.Tensor]:
    prefix = f"{index}."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _rebuild(
    recipe: Recipe, shape: tuple[int, int, int], classes: int, weights: dict[str, torch.Tensor]
) -> nn.Module:
    mean = tuple(weights["mean"].shape)
    network = _network(recipe, shape, classes, mean, randomness.generator("blank"))
    network.load_state_dict(weights)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()


def _network(
    recipe: Recipe,
    shape: tuple[int, int, int],
    classes: int,
    mean: tuple[int, ...] | None,
    rng: torch.Generator | None,
) -> ScaledNetwork:
    """Return a net for the tensors of a file; `mean` is the shape of its input scaling's mean."""
    # It has one channel where the images that the net was trained on are grey.
    if mean not in ((1, 1, 1, 1), (1, shape[0], 1, 1)):
        raise ValueError(f"the input's mean is of shape {mean}, for images of {shape}")
    channels = mean[1]
    net = recipe.model.build((channels, *shape[1:]), classes, rng)
    zeros = torch.zeros(channels, dtype=torch.float32, device="cpu")
    return ScaledNetwork(net, zeros, torch.ones_like(zeros))
