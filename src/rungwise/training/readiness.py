"""What is settled before a training begins: that it can be done, and in which number format."""

import math
from dataclasses import replace

import torch

from rungwise.data.images import LabelledImages
from rungwise.models.input import network_shape
from rungwise.models.size import require_activations
from rungwise.models.summary import summarize
from rungwise.training import precision
from rungwise.training.course import course_of
from rungwise.training.operations import require_work
from rungwise.training.recipe import Recipe


def made_ready(recipe: Recipe, train: LabelledImages, device: torch.device) -> Recipe:
    """Return the recipe of one net with its precision resolved for the device.

    Raises:
        ConfigError: The net or a technique cannot take these images, or a step needs more memory
            than there is.
    """
    shape = network_shape(train)
    model = summarize(recipe.model, shape, train.classes)
    values = sum(math.prod(layer.output) for layer in model.layers)
    require_activations(values * min(recipe.batch_size, len(train)))
    require_work(recipe, shape, train.classes)
    course_of(recipe, len(train))
    resolved = precision.resolve(recipe.precision, device, model.flops * recipe.batch_size)
    net = recipe.single() if recipe.ensemble else recipe
    return replace(net, precision=resolved)
