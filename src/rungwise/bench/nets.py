"""The articles' nets that are benchmarked, each with its article's batch size and image shape."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from rungwise.data.images import LabelledImages
from rungwise.errors import UnknownNameError
from rungwise.ladder.presets import (
    cifar10,
    fashion_mnist,
    mnist_1000,
    mnist_cnn,
    mnist_multitask,
)
from rungwise.models.summary import Summary, summarize
from rungwise.techniques import EarlyStopping
from rungwise.training import precision
from rungwise.training.precision import Precision
from rungwise.training.recipe import MOST_EPOCHS, Recipe

CLASSES = 10
MNIST, CIFAR10 = (1, 28, 28), (3, 32, 32)
ENDLESS = MOST_EPOCHS
"""Epochs of a training that ends when nobody asks for another step."""
LEAST_BATCHES, LEAST_IMAGES = 10, 2000
"""Size of the training set: what an epoch costs beside its steps is spread over so many."""


@dataclass(frozen=True, kw_only=True)
class BenchNet:
    """A net and how it is trained.

    Args:
        name: The article's letter and the rung, such as `C-conv3`.
        recipe: Without augmentation, and without techniques that end the training.
        shape: (C, H, W) of one image.
    """

    name: str
    recipe: Recipe
    shape: tuple[int, int, int]

    def summary(self) -> Summary:
        """Return the net's layers, parameters and operations."""
        return summarize(self.recipe.model, self.shape, CLASSES)

    def recipe_in(self, wish: Precision) -> Recipe:
        """Return the recipe with the number format that `wish` stands for on the processor."""
        batch_flops = self.summary().flops * self.recipe.batch_size
        chosen = precision.resolve(wish, torch.device("cpu"), batch_flops)
        return replace(self.recipe, precision=chosen)

    def random_images(self) -> LabelledImages:
        """Return noise of the net's shape, with random labels."""
        channels, height, width = self.shape
        count = max(LEAST_BATCHES * self.recipe.batch_size, LEAST_IMAGES)
        rng = torch.Generator().manual_seed(0)
        pixels = torch.randint(
            256, (count, height, width, channels), generator=rng, dtype=torch.uint8
        )
        labels = torch.randint(CLASSES, (count,), generator=rng)
        return LabelledImages(pixels, labels, tuple(map(str, range(CLASSES))))


def _net(name: str, recipe: Recipe, shape: tuple[int, int, int]) -> BenchNet:
    techniques = tuple(one for one in recipe.techniques if not isinstance(one, EarlyStopping))
    bare = replace(recipe, augment=(), techniques=techniques, epochs=ENDLESS)
    return BenchNet(name=name, recipe=bare, shape=shape)


NETS: dict[str, BenchNet] = {
    net.name: net
    for net in (
        _net("A-cnn", mnist_1000.CNN, MNIST),
        _net("A-autoencoder", mnist_1000.AUTOENCODER, MNIST),
        _net("B-benchmark", cifar10.BENCHMARK, CIFAR10),
        _net("B-deep", cifar10.DEEP, CIFAR10),
        _net("C-mlp", fashion_mnist.DENSE, MNIST),
        _net("C-cnn", fashion_mnist.CONV2, MNIST),
        _net("C-conv3", fashion_mnist.CONV3, MNIST),
        _net("C-conv4", fashion_mnist.CONV4, MNIST),
        _net("C-padding", fashion_mnist.PADDING, MNIST),
        _net("D-dense", mnist_cnn.DENSE, MNIST),
        _net("D-cnn", mnist_cnn.FIRST_CNN, MNIST),
        _net("E-multitask", mnist_multitask.MULTITASK, MNIST),
    )
}


def choose_nets(names: Sequence[str]) -> list[BenchNet]:
    """Return the nets of these names, or all where none is named.

    Raises:
        UnknownNameError: There is no such net.
    """
    for name in names:
        if name not in NETS:
            raise UnknownNameError("net", name, NETS)
    return [NETS[name] for name in names or NETS]
