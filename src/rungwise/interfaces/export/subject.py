"""What is exported, and every fact on file about it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import rungwise
from rungwise.augment import AUGMENTATIONS
from rungwise.data import CATALOG, Dataset, Parts, draw
from rungwise.data.images import LabelledImages
from rungwise.errors import RunError
from rungwise.ladder.ledger import openings
from rungwise.ladder.predictions import prediction_path, read_probabilities
from rungwise.ladder.run import Run
from rungwise.models import MODELS
from rungwise.prediction.metrics import evaluate
from rungwise.prediction.origin import Origin
from rungwise.prediction.predictor import Predictor
from rungwise.storage import sha256
from rungwise.techniques import TECHNIQUES
from rungwise.training.parsing import dump_recipe, name_in
from rungwise.training.seed import Seed


def common_origin(predictor: Predictor) -> Origin | None:
    """Return what the first net was trained on, if all were trained on the same data."""
    origins = [origin for origin in predictor.origins if origin is not None]
    same = len({origin.fingerprint for origin in origins}) == 1
    return origins[0] if same and len(origins) == len(predictor.nets) else None


@dataclass(frozen=True)
class Subject:
    """A predictor that is exported, with the run that made it, if that is known.

    Args:
        predictor: On the CPU.
        file: Its .safetensors file.
        run: None where only the file was given, which itself tells less.
        dataset: What the nets were trained on; None where that is unknown or not on this machine.
    """

    predictor: Predictor
    file: Path
    run: Run | None = None
    dataset: Dataset | None = None

    @property
    def name(self) -> str:
        """What the model card calls it."""
        if self.run is None:
            return self.file.stem
        summary = self.run.summary
        return f"{summary['recipe']} on {summary['data']}, seed {summary['seed']}"

    @property
    def origin(self) -> Origin | None:
        """What the first net was trained on, by the file, if all were trained on the same data."""
        return common_origin(self.predictor)

    @cached_property
    def parts(self) -> Parts | None:
        """The images that the first net was trained on, those held out and left for testing."""
        if self.dataset is None:
            return None
        if self.run is not None:
            seed = Seed.parse(self.run.summary["seed"])
            return draw(self.dataset, self.run.recipe().validation, seed.draw)
        if self.origin is not None:
            return draw(self.dataset, self.origin.validation, Seed.parse(self.origin.seed).draw)
        return None

    def own_images(self) -> tuple[LabelledImages, str] | None:
        """Return images that are no secret, and what they are: those held out, or trained on."""
        if self.parts is None:
            return None
        sealed = self.parts.validation is self.parts.test
        if self.parts.validation is not None and not sealed:
            return self.parts.validation, "validation images"
        return self.parts.train, "training images"

    def facts(self) -> dict[str, Any]:
        """Return what the run's files say, as plain values; None for what is not on file."""
        return {
            "name": self.name,
            "rungwise": rungwise.__version__,
            "predictor": {"file": self.file.name, "sha256": sha256(self.file)},
            "classes": list(self.predictor.class_names),
            "image": self._image(),
            "model": self._model(),
            "data": self._data(),
            "training": self._training(),
            "figures": self._figures(),
        }

    def _image(self) -> dict[str, Any]:
        channels, height, width = self.predictor.shape
        resizes = self.predictor.resizes
        return {"height": height, "width": width, "channels": channels, "resized": resizes}

    def _model(self) -> dict[str, Any]:
        recipe = dump_recipe(self.predictor.recipe)
        return {
            "nets": [name_in(MODELS, member.model) for member in self.predictor.members],
            "parameters": sum(p.numel() for net in self.predictor.nets for p in net.parameters()),
            "views": recipe["views"],
            "temperatures": list(self.predictor.temperatures)
            if self.predictor.recipe.temperature_scaling
            else None,
            "recipe": recipe,
            "trained": [
                {"recipe": one.recipe, "seed": one.seed, "epochs": one.epochs} if one else None
                for one in self.predictor.origins
            ],
        }

    def _data(self) -> dict[str, Any] | None:
        origin = self.origin
        if self.run is not None:
            name, fingerprint = self.run.summary["data"], self.run.summary["fingerprint"]
        elif origin is not None:
            name, fingerprint = origin.data, origin.fingerprint
        else:
            return None
        counts, of_class = None, None
        if self.parts is not None:
            counts = {part: len(images) for part, images in self.parts.by_name.items()}
            of_class = self.parts.train.class_counts()
        elif origin is not None:
            counts, of_class = dict(origin.images), list(origin.images_of_class)
        known = CATALOG.get(name.partition("@")[0])
        return {
            "name": name,
            "fingerprint": fingerprint,
            "source": known.source if known else None,
            "images": counts,
            "training_images_of_class": of_class
            and dict(zip(self.predictor.class_names, of_class, strict=True)),
        }

    def _training(self) -> dict[str, Any] | None:
        if self.run is None:
            return None
        summary, recipe = self.run.summary, self.run.recipe()
        return {
            "recipe": summary["recipe"],
            "seed": summary["seed"],
            "epochs": summary["epochs"],
            "kept": recipe.keep,
            "batch_size": recipe.batch_size,
            "augmentations": [name_in(AUGMENTATIONS, one) for one in recipe.augment],
            "techniques": [name_in(TECHNIQUES, one) for one in recipe.techniques],
            "precision": recipe.precision,
            "seconds": summary["seconds"],
            "operations": summary["flops"],
        }

    def _figures(self) -> dict[str, Any] | None:
        if self.run is None:
            return self._recorded_figures()
        summary = self.run.summary
        chosen_on_test = summary["validation"] == "test"
        validation = None
        if summary["val_accuracy"] is not None:
            validation = {"accuracy": summary["val_accuracy"], "loss": summary.get("val_loss")}
        return {
            "validation": validation,
            "validation_is_test": chosen_on_test,
            "test": self._test_figures(),
            "test_openings": self._openings(),
        }

    def _recorded_figures(self) -> dict[str, Any] | None:
        found: dict[str, Any] = {
            one.part: {
                "accuracy": one.accuracy,
                "loss": one.loss,
                "calibration_error": one.calibration_error,
            }
            for one in self.predictor.figures
        }
        if not found:
            return None
        origins = [one for one in self.predictor.origins if one]
        return {
            "validation": found.get("validation"),
            "validation_is_test": any(one.validation == "test" for one in origins),
            "test": found.get("test"),
            "test_openings": None,
        }

    def _test_figures(self) -> dict[str, float] | None:
        """Return the figures of predictions that a climb has stored; nothing is opened for them."""
        root = None if self.run is None else self.run.root
        if self.run is None or self.dataset is None or self.dataset.test is None or root is None:
            return None
        test, recipe = self.dataset.test, self.predictor.recipe
        path = prediction_path(recipe, [self.run], test, root)
        try:
            found = evaluate(read_probabilities(path, test.classes, len(test)), test)
        except RunError:  # none, or damaged
            return None
        return {
            "accuracy": found.accuracy,
            "loss": found.loss,
            "calibration_error": found.calibration_error,
        }

    def _openings(self) -> int | None:
        root = None if self.run is None else self.run.root
        if self.dataset is None or self.dataset.test is None or root is None:
            return None
        return len(openings(root, self.dataset))
