"""Optimizers: how gradients become steps. The learning rate is set at each step by the schedule."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from rungwise.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """Settings that make a torch optimizer.

    Raises:
        ConfigError: A setting is out of its range.
    """

    lr: float = 0.001
    """Learning rate at the schedule's factor of 1."""
    weight_decay: float = 0.0
    """Pull of the weights towards 0."""

    def __post_init__(self) -> None:
        if not (0 < self.lr < math.inf and 0 <= self.weight_decay < math.inf):
            raise ConfigError(
                f"optimizer has lr {self.lr} and weight_decay {self.weight_decay}",
                expected="lr above 0, weight_decay of 0 or more",
                fix="use for example lr: 0.001, weight_decay: 0.0",
            )

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the torch optimizer over `parameters`."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class AdaptiveMoments(Optimizer):
    """What Adam and AdamW have in common: steps scaled by running moments of the gradient.

    Raises:
        ConfigError: A setting is out of its range.
    """

    torch_class: ClassVar[type[torch.optim.Adam] | type[torch.optim.AdamW]]

    beta1: float = 0.9
    """Share of the mean gradient that a step keeps."""
    beta2: float = 0.999
    """Share of the mean squared gradient that a step keeps."""
    eps: float = 1e-8
    """What is added to the root of the mean squared gradient."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1 and 0 <= self.eps < math.inf):
            raise ConfigError(
                f"the optimizer has beta1 {self.beta1}, beta2 {self.beta2} and eps {self.eps}",
                expected="beta1 and beta2 from 0 to below 1, eps of 0 or more",
                fix="use for example beta1: 0.9, beta2: 0.999, eps: 1e-8",
            )

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return torch's fused optimizer."""
        return self.torch_class(
            parameters,
            self.lr,
            (self.beta1, self.beta2),
            self.eps,
            self.weight_decay,
            fused=True,
        )


@dataclass(frozen=True, kw_only=True)
class Adam(AdaptiveMoments):
    """Adaptive moments; `weight_decay` is L2 regularisation, added to the gradient.

    Source: Kingma & Ba 2015, arXiv:1412.6980.
    """

    torch_class = torch.optim.Adam

    eps: float = 1e-7
    """Keras's default; torch's is 1e-8."""


@dataclass(frozen=True, kw_only=True)
class AdamW(AdaptiveMoments):
    """Adam with the weight decay apart from the gradient.

    Source: Loshchilov & Hutter 2019, "Decoupled weight decay regularization", arXiv:1711.05101.
    """

    torch_class = torch.optim.AdamW

    weight_decay: float = 0.01


@dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum".

    Raises:
        ConfigError: Nesterov without momentum, or a momentum outside 0..1.
    """

    lr: float = 0.01
    momentum: float = 0.9
    nesterov: bool = True
    """Look ahead along the momentum before taking the gradient."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.momentum < 1:
            raise ConfigError(
                f"sgd momentum is {self.momentum}",
                expected="0 or more, below 1",
                fix="use for example momentum: 0.9",
            )
        if self.nesterov and self.momentum == 0:
            raise ConfigError(
                "sgd nesterov has no effect without momentum",
                expected="a momentum above 0, or nesterov: false",
                fix="set momentum: 0.9 or nesterov: false",
            )

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return torch's fused SGD."""
        return torch.optim.SGD(
            parameters,
            self.lr,
            self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            fused=True,
        )


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "adamw": AdamW, "sgd": SGD}
