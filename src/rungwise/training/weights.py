"""A net's parameters as one vector, and their gradients as another.

An optimizer that treats every number alike has then one tensor to walk, however many layers there
are, and half-precision copies of all weights are one conversion.
"""

import torch
from torch import nn

ALIGNMENT = 16
"""Numbers to whose multiple each parameter's place is rounded up: 64 bytes, a line of cache."""


class FlatWeights:
    """The trained parameters of a net, moved into one vector; the net goes on using them there.

    Args:
        net: Its parameters are float32 on one device. From now on each that requires a gradient is
            a part of `values` and its `grad` a part of `gradients`, in the memory layout that it
            had; the others, fixed from the start, stay where they are.
    """

    def __init__(self, net: nn.Module) -> None:
        named = {name: p for name, p in net.named_parameters() if p.requires_grad}
        self.names = list(named)
        self.parameters = list(named.values())
        sizes = [-(-p.numel() // ALIGNMENT) * ALIGNMENT for p in self.parameters]
        self._starts = [sum(sizes[:i]) for i in range(len(sizes))]
        device = self.parameters[0].device
        self.values = nn.Parameter(torch.zeros(sum(sizes), device=device, dtype=torch.float32))
        self.gradients = torch.zeros(sum(sizes), device=device, dtype=torch.float32)
        self.values.grad = self.gradients
        parts = zip(self.parts_of(self.values.data), self.parts_of(self.gradients), strict=True)
        for parameter, (value, gradient) in zip(self.parameters, parts, strict=True):
            parameter.data = value.copy_(parameter.data)
            parameter.grad = gradient

    def parts_of(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """Return the part of a vector that each parameter has, in the parameter's form."""
        return [
            vector.as_strided(parameter.shape, parameter.stride(), start)
            for parameter, start in zip(self.parameters, self._starts, strict=True)
        ]
