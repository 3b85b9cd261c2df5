"""The graph that is exported: from uint8 images to class probabilities, nothing outside it."""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from rungwise.errors import UsageError
from rungwise.prediction.predictor import Predictor

EXAMPLE_IMAGES = 2
"""Images that a graph is traced with; one alone would be taken for a fixed number."""


class Graph(nn.Module):
    """A predictor as one module: images (N, H, W, C) uint8 to probabilities (N, K) float32.

    Input scaling, test-time views, temperatures and the mean over an ensemble are the predictor's
    own code, in float32. Reconstructions are no part of it.

    Args:
        predictor: On the CPU.

    Raises:
        UsageError: Its views are random copies.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        _require_fixed_views(predictor)
        nets = tuple(_plain_copy(net) for net in predictor.nets)
        self.nets = nn.ModuleList(nets)  # so that their weights are the module's
        self.predictor = replace(predictor.in_float32(), nets=nets)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.predictor.probabilities_unbranched(pixels)

    def example(self) -> torch.Tensor:
        """Return images to trace the graph with: (2, H, W, C) uint8."""
        channels, height, width = self.predictor.shape
        return torch.zeros(EXAMPLE_IMAGES, height, width, channels, dtype=torch.uint8)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what exporters print and warn of to ourselves; what they raise comes through.

    Whether they did well is measured afterwards, which their warnings do not tell.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _plain_copy(net: nn.Module) -> nn.Module:
    """Copy a net with its weights in plain row-major memory, and nothing changed in place.

    Formats store weights so; and what is changed in place cannot be left out of a graph, as a
    reconstruction must be.
    """
    copied = copy.deepcopy(net)
    copied.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for module in copied.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return copied


def _require_fixed_views(predictor: Predictor) -> None:
    views = predictor.recipe.views
    if views is not None and views.drawn:
        raise UsageError(
            "random-copies cannot be exported: an image's copies depend on where it stands in "
            "which batch, and on PyTorch's own random numbers",
            expected="views that are the same for every call: mirror or none",
            fix="export the nets without them, --views none, or with --views mirror where images "
            "may be mirrored; `rungwise evaluate RUN --part validation --views none` measures that",
        )
