"""Optimizers: how gradients become steps. The learning rate is set at each step by the schedule."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from rungwise.errors import ConfigError
from rungwise.training.muon import OrthogonalMomentum
from rungwise.training.weights import FlatWeights

MOST_ITERATIONS = 100
"""Newton-Schulz steps; a dozen makes any step as orthogonal as float32 can say."""


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

    def make(self, weights: FlatWeights) -> torch.optim.Optimizer:
        """Return the torch optimizer over a net's weights.

        Each of its groups has an `initial_lr`, which the schedule's factor multiplies.
        """
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

    def make(self, weights: FlatWeights) -> torch.optim.Optimizer:
        """Return torch's fused optimizer."""
        return self.torch_class(
            [{"params": [weights.values], "initial_lr": self.lr}],
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

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum"; the scaled
    biases: Page 2018, "How to train your ResNet 8: bag of tricks".

    Raises:
        ConfigError: Nesterov without momentum, a momentum outside 0..1, or a factor of 0 or less.
    """

    lr: float = 0.01
    momentum: float = 0.9
    nesterov: bool = True
    """Look ahead along the momentum before taking the gradient."""
    bias_lr_factor: float = 1.0
    """What the rate of biases is multiplied with, those of normalisations included; the decay in a
    step stays the same. The CIFAR-10 speed records take 64."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_momentum("sgd momentum", self.momentum)
        _require_positive("sgd bias_lr_factor", self.bias_lr_factor)
        if self.nesterov and self.momentum == 0:
            raise ConfigError(
                "sgd nesterov has no effect without momentum",
                expected="a momentum above 0, or nesterov: false",
                fix="set momentum: 0.9 or nesterov: false",
            )

    def make(self, weights: FlatWeights) -> torch.optim.Optimizer:
        """Return torch's fused SGD."""
        return torch.optim.SGD(
            self._groups(weights),
            self.lr,
            self.momentum,
            nesterov=self.nesterov,
            fused=True,
        )

    def _groups(self, weights: FlatWeights) -> list[dict[str, Any]]:
        if self.bias_lr_factor == 1:
            return [_group([weights.values], self.lr, self.weight_decay)]
        biases, others = _apart(weights)
        factor = self.bias_lr_factor
        scaled = _group(biases, self.lr * factor, self.weight_decay / factor)
        return [_group(others, self.lr, self.weight_decay), *([scaled] if biases else [])]


@dataclass(frozen=True, kw_only=True)
class Muon(Optimizer):
    """Steps made orthogonal for the convolutions, momentum for all else.

    `lr` is the filters'; dense layers and biases have rates of their own. As all rates, they are
    for the mean loss of a batch: with half the images in a batch, `dense_lr` and `bias_lr` halve.

    Source: Jordan et al. 2024, "Muon"; arXiv:2404.00498 for the net that it was tried on.

    Raises:
        ConfigError: A rate or the number of iterations is not above 0, or a momentum not in 0..1.
    """

    lr: float = 0.24
    """How far a step goes in each singular direction of a convolution's filters."""
    weight_decay: float = 0.0
    """Share of their value that dense layers and biases lose in a step at the full rate."""
    momentum: float = 0.6
    """Share of the filters' gradients so far that a step keeps."""
    dense_lr: float = 0.4
    """Learning rate of dense layers' weights."""
    bias_lr: float = 1.0
    """Learning rate of biases and of what normalisations learn."""
    other_momentum: float = 0.85
    """Momentum of what `dense_lr` and `bias_lr` belong to."""
    renormalize: bool = True
    """Keep each convolution's norm at the root of its filters' number; for nets that normalise
    behind each convolution, to which that norm means nothing."""
    iterations: int = 3
    """Newton-Schulz steps that make a step orthogonal."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_momentum("muon momentum", self.momentum)
        _require_momentum("muon other_momentum", self.other_momentum)
        for name in ("dense_lr", "bias_lr", "iterations"):
            _require_positive(f"muon {name}", getattr(self, name))
        if self.iterations > MOST_ITERATIONS:
            raise ConfigError(
                f"muon iterations is {self.iterations}",
                expected=f"1 to {MOST_ITERATIONS}",
                fix="use for example 3",
            )

    def make(self, weights: FlatWeights) -> torch.optim.Optimizer:
        """Return the optimizer."""
        biases, others = _apart(weights)
        filters = [weight for weight in others if weight.dim() == 4]
        vectors = [*biases, *[weight for weight in others if weight.dim() == 1]]
        dense = [weight for weight in others if weight.dim() == 2]
        groups = [(dense, self.dense_lr), (vectors, self.bias_lr)]
        return OrthogonalMomentum(
            filters,
            [{"params": params, "lr": lr} for params, lr in groups if params],
            lr=self.lr,
            momentum=self.momentum,
            renormalize=self.renormalize,
            iterations=self.iterations,
            other_momentum=self.other_momentum,
            weight_decay=self.weight_decay,
        )


def _group(parameters: list[nn.Parameter], lr: float, weight_decay: float) -> dict[str, Any]:
    return {"params": parameters, "lr": lr, "initial_lr": lr, "weight_decay": weight_decay}


def _apart(weights: FlatWeights) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the biases, those of normalisations included, and all other parameters."""
    pairs = list(zip(weights.names, weights.parameters, strict=True))
    biases = [parameter for name, parameter in pairs if name.endswith("bias")]
    return biases, [parameter for name, parameter in pairs if not name.endswith("bias")]


def _require_momentum(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ConfigError(
            f"{name} is {value}",
            expected="0 or more, below 1",
            fix="use for example 0.9",
        )


def _require_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ConfigError(f"{name} is {value}", expected="above 0", fix="use for example 1")


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "adamw": AdamW, "sgd": SGD, "muon": Muon}
