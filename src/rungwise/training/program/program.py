"""A net as a list of instructions with a way back: how a training step runs on the CPU.

PyTorch's own way runs a net layer by layer and derives the way back from what it recorded. Here
the layers are known before: those that stand behind one another (convolution, ReLU, pooling,
dropout …) become one instruction, which passes over memory once on the way there and once on the
way back, and keeps no more than it needs. Only the loss is left to autograd.

    net → torch.fx graph → instructions: forward in order, backward in reverse
"""

from collections.abc import Sequence

import torch

from rungwise.models.base import Output
from rungwise.models.input import ScaledNetwork
from rungwise.native import Kernels
from rungwise.training.objective import Objective
from rungwise.training.program.instruction import Page, page
from rungwise.training.program.translation import Common, translate
from rungwise.training.weights import FlatWeights


class Program:
    """A `passes.Pass` of instructions.

    Args:
        net: On the CPU, its weights channels-last.
        weights: The net's.
        dtype: float32 or bfloat16: the format of products and of what lies between instructions.
        kernels: The compiled operations.

    Raises:
        Untranslatable: The net does something between its layers.
    """

    def __init__(
        self, net: ScaledNetwork, weights: FlatWeights, dtype: torch.dtype, kernels: Kernels
    ) -> None:
        self._values = weights.values.data
        same = dtype == torch.float32
        self._copies = self._values if same else torch.zeros_like(self._values, dtype=dtype)
        casts, gradients = weights.parts_of(self._copies), weights.parts_of(weights.gradients)
        pairs = zip(weights.parameters, zip(casts, gradients, strict=True), strict=True)
        self._kernels = kernels
        common = Common(dtype=dtype, kernels=kernels, weights=dict(pairs))
        self._instructions, self._outputs = translate(net, common)

    def gradients(self, objective: Objective, key: int, sums: torch.Tensor) -> torch.Tensor:
        """As `passes.Pass` says."""
        if self._copies is not self._values:
            self._copies.copy_(self._values)
        pages = [page(key, position) for position in range(len(self._instructions))]
        made = self._forward(objective.batch.images, pages)
        self._backward(self._ends(made, objective, sums), pages)
        return made[0]

    def _ends(
        self, made: list[torch.Tensor], objective: Objective, sums: torch.Tensor
    ) -> Sequence[torch.Tensor | None]:
        """Return the gradients of the loss by the net's outputs, and add to the sums."""
        if len(made) == 1 and not objective.techniques:
            targets = objective.batch.targets.contiguous()
            return [self._kernels.cross_entropy(made[0].contiguous(), targets, sums)]
        ends = [value.detach().requires_grad_() for value in made]
        with torch.enable_grad():
            loss = objective(Output(*ends))
        sums += objective.tally(loss, made[0])
        return torch.autograd.grad(loss, ends, allow_unused=True)

    @torch.no_grad()
    def _forward(self, images: torch.Tensor, pages: list[Page]) -> list[torch.Tensor]:
        values: dict[int, torch.Tensor] = {0: images}
        for step, own in zip(self._instructions, pages, strict=True):
            values[step.output] = step.forward(own, *[values[number] for number in step.inputs])
            for number in step.last_uses:
                del values[number]
        return [values[number] for number in self._outputs]

    @torch.no_grad()
    def _backward(self, ends: Sequence[torch.Tensor | None], pages: list[Page]) -> None:
        pairs = zip(self._outputs, ends, strict=True)
        gradients = {number: gradient for number, gradient in pairs if gradient is not None}
        for step, own in zip(reversed(self._instructions), reversed(pages), strict=True):
            arrived = gradients.pop(step.output, None)
            if arrived is None:  # A branch that the loss does not look at.
                step.forget()
                continue
            below = step.backward(own, arrived)
            for number, gradient in zip(step.inputs, below, strict=True):
                if gradient is not None:
                    before = gradients.get(number)
                    gradients[number] = gradient if before is None else before + gradient
