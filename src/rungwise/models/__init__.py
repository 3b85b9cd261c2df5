"""Architectures: settings that build a network, one family per file."""

from rungwise.models.base import Model, Output
from rungwise.models.cnn import CNN
from rungwise.models.compact import Compact
from rungwise.models.mlp import MLP
from rungwise.models.multitask import Multitask
from rungwise.models.strided_cnn import StridedCNN
from rungwise.models.two_branch import TwoBranch
from rungwise.models.vgg import VGGBenchmark, VGGDeep

MODELS: dict[str, type[Model]] = {
    "cnn": CNN,
    "compact": Compact,
    "mlp": MLP,
    "multitask": Multitask,
    "strided-cnn": StridedCNN,
    "two-branch": TwoBranch,
    "vgg-benchmark": VGGBenchmark,
    "vgg-deep": VGGDeep,
}

__all__ = [
    "CNN",
    "MLP",
    "MODELS",
    "Compact",
    "Model",
    "Multitask",
    "Output",
    "StridedCNN",
    "TwoBranch",
    "VGGBenchmark",
    "VGGDeep",
]
