"""Passes: forward through a net, loss, and back to the gradients of all parameters.

Two ways to run one contract: `Recorded` here is PyTorch's own, for every net and device;
`program.Program` is the fast one on the CPU.
"""

import contextlib
from collections.abc import Iterator
from typing import Protocol

import torch

from rungwise.models.base import Output
from rungwise.models.input import ScaledNetwork
from rungwise.native import kernels
from rungwise.training import precision
from rungwise.training.objective import Objective
from rungwise.training.precision import Precision
from rungwise.training.program import Program, Untranslatable
from rungwise.training.weights import FlatWeights


class Pass(Protocol):
    """What a training step needs of a net."""

    def gradients(self, objective: Objective, key: int, sums: torch.Tensor) -> torch.Tensor:
        """Set the gradients of all weights for a batch, and return its logits (N, K).

        Args:
            objective: The batch, and what is to be minimised on it.
            key: Of all random bits of the pass, 0 to 2^62.
            sums: (2,) float64; the sum of the losses and the number of right answers are added.
        """


class Recorded:
    """PyTorch runs the net layer by layer, records it and leads the gradient back.

    Args:
        net: In training mode when called.
        weights: The net's.
        number_format: Of the products.
    """

    def __init__(self, net: ScaledNetwork, weights: FlatWeights, number_format: Precision) -> None:
        self._net, self._weights, self._format = net, weights, number_format

    def gradients(self, objective: Objective, key: int, sums: torch.Tensor) -> torch.Tensor:
        """As `Pass` says."""
        images = objective.batch.images
        self._weights.gradients.zero_()
        with seeded_globally(key, images.device):
            with precision.autocast(self._format, images.device):
                output: Output = self._net(images)
            loss = objective(output)
            loss.backward()  # type: ignore[no-untyped-call]
        sums += objective.tally(loss, output.logits)
        return output.logits.detach()


def make_pass(net: ScaledNetwork, weights: FlatWeights, number_format: Precision) -> Pass:
    """Return the fastest pass that there is for a net on its device."""
    suited = weights.values.device.type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    compiled = kernels() if suited else None
    if compiled is not None:
        with contextlib.suppress(Untranslatable):
            return Program(net, weights, precision.dtype_of(number_format), compiled)
    return Recorded(net, weights, number_format)


@contextlib.contextmanager
def seeded_globally(key: int, device: torch.device) -> Iterator[None]:
    """Seed torch's own generators (dropout draws from them) with `key`, and restore them after."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(key)
        yield
