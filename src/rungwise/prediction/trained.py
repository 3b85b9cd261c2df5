"""From a finished training to the predictor that its nets make."""

from dataclasses import replace

from rungwise.data.parts import Parts
from rungwise.prediction.predictor import Predictor
from rungwise.training.loop import Training


def trained_predictor(training: Training, parts: Parts, *, resizes: bool = False) -> Predictor:
    """Return the predictor of a finished training, calibrated where images were held out.

    Args:
        training: Finished.
        parts: What it was trained and validated with.
        resizes: Whether image files of another size are to be resized.
    """
    recipe, nets = training.recipe.single(), training.trained_networks()
    predictor = Predictor(
        recipe=recipe,
        members=(recipe,) * len(nets),
        nets=nets,
        class_names=parts.train.class_names,
        shape=parts.train.shape,
        resizes=resizes,
        device=training.device,
    )
    if parts.validation is not None and recipe.validation != "test":
        predictor = predictor.calibrated_on(parts.validation)
    return replace(predictor, recipe=training.recipe)
