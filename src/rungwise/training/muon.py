"""Muon: momentum whose step is made orthogonal, for the filters of convolutions.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"
(kellerjordan.github.io/posts/muon); the renormalised filters are those of its CIFAR-10 record.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from rungwise.training.precision import bfloat16_is_fast

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of X, X·Xᵀ·X and (X·Xᵀ)²·X in a step of the iteration; they raise small singular values fast."""

SMALLEST_NORM = 1e-7
"""Added to a norm that divides."""

LONGEST_STEP = 1.0
"""How far a step moves a bias at most. Biases shift what is normalised, whose deviation is 1; their
usual rate of 0.05 for each image of a batch would make a jump of dozens out of one wrong gradient.
Trainings that go well stay far below it."""


class OrthogonalMomentum(torch.optim.Optimizer):
    """Steps of one spectral size for filters, plain Nesterov momentum for all else.

    A step moves no bias by more than `LONGEST_STEP`.

    Args:
        filters: Weights (O, C, H, W) of convolutions; each is one matrix with O rows.
        groups: Other parameters with their `lr`, as for any torch optimizer.
        lr: Of the filters: how far a step goes in each singular direction.
        momentum: Of the filters.
        renormalize: Whether each filter keeps the norm √O.
        iterations: Newton-Schulz steps.
        other_momentum: Of the other parameters.
        weight_decay: Share of their value that the other parameters lose in a step taken at their
            full `lr`.
    """

    def __init__(
        self,
        filters: Sequence[nn.Parameter],
        groups: Sequence[dict[str, Any]],
        *,
        lr: float,
        momentum: float,
        renormalize: bool,
        iterations: int,
        other_momentum: float,
        weight_decay: float,
    ) -> None:
        orthogonal = {"params": list(filters), "lr": lr, "momentum": momentum, "orthogonal": True}
        plain = {"momentum": other_momentum, "orthogonal": False}
        all_groups = [*([orthogonal] if filters else []), *[{**plain, **g} for g in groups]]
        super().__init__([{**g, "initial_lr": g["lr"]} for g in all_groups], {})
        self._renormalize, self._iterations = renormalize, iterations
        self._weight_decay = weight_decay

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move all parameters along their gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                ahead = self._ahead(parameter, group["momentum"])
                if group["orthogonal"]:
                    self._turn(parameter, ahead, group["lr"])
                else:
                    parameter.mul_(1 - self._weight_decay * group["lr"] / group["initial_lr"])
                    step = ahead.mul_(group["lr"])
                    if parameter.dim() == 1:
                        step.clamp_(-LONGEST_STEP, LONGEST_STEP)
                    parameter.sub_(step)

    def _ahead(self, parameter: nn.Parameter, momentum: float) -> torch.Tensor:
        """Return the gradient with Nesterov's momentum, which is kept."""
        gradient, state = parameter.grad, self.state[parameter]
        if gradient is None:
            raise TypeError("a parameter without a gradient is given to the optimizer")
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer: torch.Tensor = state["momentum_buffer"]
        buffer.mul_(momentum).add_(gradient)
        return gradient.add(buffer, alpha=momentum)

    def _turn(self, parameter: nn.Parameter, ahead: torch.Tensor, lr: float) -> None:
        if self._renormalize:
            parameter.mul_(len(parameter) ** 0.5 / (parameter.norm() + SMALLEST_NORM))
        weights = as_matrix(parameter)
        weights.sub_(orthogonal(as_matrix(ahead), self._iterations), alpha=lr)


def as_matrix(filters: torch.Tensor) -> torch.Tensor:
    """View filters (O, C, H, W), channels-last in memory or not, as a matrix with O rows.

    The order of the columns follows the memory; what is orthogonal in one order is so in another.
    """
    if filters.is_contiguous(memory_format=torch.channels_last):
        filters = filters.permute(0, 2, 3, 1)
    return filters.view(len(filters), -1)


def orthogonal(matrix: torch.Tensor, iterations: int) -> torch.Tensor:
    """Return about the nearest matrix whose singular values are all alike, near 1.

    Newton-Schulz's iteration with quintic steps: with few of them, singular values end between
    about 0.5 and 1.2, which suffices. Products are in bfloat16 where the device is fast at it.

    Args:
        matrix: (M, N) float32.
        iterations: Number of steps.

    Returns:
        (M, N) in the products' format.

    >>> orthogonal(torch.diag(torch.tensor([2.0, 1.0])), 10).diagonal().gt(0.6).all().item()
    True
    """
    first, third, fifth = COEFFICIENTS
    wide = matrix if len(matrix) <= matrix.shape[1] else matrix.t()
    found: torch.Tensor = wide / (wide.norm() + SMALLEST_NORM)
    if bfloat16_is_fast(matrix.device):
        found = found.bfloat16()
    for _ in range(iterations):
        square = found @ found.t()
        mixed = torch.addmm(square, square, square, beta=third, alpha=fifth)
        found = torch.addmm(found, mixed, found, beta=first)
    return found if wide is matrix else found.t()
