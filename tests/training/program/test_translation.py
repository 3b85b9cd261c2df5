from typing import Any

import pytest
import torch
from torch import nn

from rungwise.models.base import Output
from rungwise.models.input import ScaledNetwork
from rungwise.models.layers import (
    Add,
    Classifier,
    Dropout,
    GlobalAveragePool,
    GlobalMaxPool,
    SameConv2d,
    Scale,
    Step,
    chain,
)
from rungwise.native import kernels
from rungwise.training.program.instruction import Instruction
from rungwise.training.program.operations import Normalization, Pooling
from rungwise.training.program.products import Convolution, Dense, Patches
from rungwise.training.program.translation import Common, Untranslatable, translate
from rungwise.training.weights import FlatWeights

pytestmark = pytest.mark.skipif(kernels() is None, reason="no C++ compiler here")


def translated(
    net: nn.Module, dtype: torch.dtype = torch.float32
) -> tuple[list[Instruction], list[int]]:
    """Return the instructions and the numbers of the outputs."""
    whole = ScaledNetwork(net, torch.zeros(3), torch.ones(3))
    places = {p: (p.detach(), torch.zeros_like(p)) for p in net.parameters()}
    compiled = kernels()
    assert compiled is not None
    return translate(whole, Common(dtype=dtype, kernels=compiled, weights=places))


def behind_scaling(*steps: Step) -> list[Instruction]:
    instructions, outputs = translated(Classifier(*steps))
    assert outputs == [len(instructions)]
    assert type(instructions[0]).__name__ == "Scaling"
    return instructions[1:]


def kinds(*steps: Step) -> list[str]:
    return [type(one).__name__ for one in behind_scaling(*steps)]


def conv(size: int = 5) -> Step:
    return "conv", nn.Conv2d(3, 3, size, padding=size // 2)


def relu() -> Step:
    return "relu", nn.ReLU(inplace=True)


def pool(**settings: Any) -> Step:
    return "pool", nn.MaxPool2d(2, **settings)


def dropout(rate: float = 0.25) -> Step:
    return "dropout", Dropout(rate)


def dense() -> Step:
    return "dense", nn.Linear(5, 5)


def norm() -> Step:
    return "norm", nn.BatchNorm2d(3)


def gelu() -> Step:
    return "gelu", nn.GELU()


# --- What joins ---------------------------------------------------------------------------------

TAILS: dict[str, tuple[tuple[Step, ...], dict[str, Any]]] = {
    "alone": ((), {}),
    "relu": ((relu(),), {"relu": True}),
    "relu, dropout": ((relu(), dropout(0.1)), {"relu": True, "before": 0.1}),
    "pool": ((pool(),), {"pool": True}),
    "pool, ceil": ((pool(ceil_mode=True),), {"pool": True, "ceil": True}),
    "pool, dropout": ((pool(), dropout(0.2)), {"pool": True, "after": 0.2}),
    "relu, pool": ((relu(), pool()), {"relu": True, "pool": True}),
    "relu, pool, dropout": (
        (relu(), pool(), dropout(0.2)),
        {"relu": True, "pool": True, "after": 0.2},
    ),
    "relu, dropout, pool": (
        (relu(), dropout(0.1), pool()),
        {"relu": True, "before": 0.1, "pool": True},
    ),
    "all": (
        (relu(), dropout(0.1), pool(), dropout(0.2)),
        {"relu": True, "before": 0.1, "pool": True, "after": 0.2},
    ),
}
NOTHING = {
    "relu": False,
    "before": 0.0,
    "pool": False,
    "ceil": False,
    "after": 0.0,
    "followed_by_norm": False,
}


@pytest.mark.parametrize(("steps", "tail"), TAILS.values(), ids=TAILS.keys())
@pytest.mark.parametrize("kind", [Convolution, Patches])
def test_what_follows_a_convolution_joins_it(
    kind: type[Instruction], steps: tuple[Step, ...], tail: dict[str, Any]
) -> None:
    start = conv() if kind is Convolution else ("conv", SameConv2d(3, 4, 2))

    (made,) = behind_scaling(start, *steps)

    assert type(made) is kind
    assert isinstance(made, Convolution | Patches)
    assert vars(made.tail) == {**NOTHING, **tail}
    assert [weight.shape for weight in made.weights] == [p.shape for p in start[1].parameters()]


@pytest.mark.parametrize(
    ("steps", "tail"),
    [
        ((), {}),
        ((relu(),), {"relu": True}),
        ((relu(), dropout(0.5)), {"relu": True, "before": 0.5}),
    ],
    ids=["alone", "relu", "relu, dropout"],
)
def test_what_follows_a_dense_layer_joins_it(steps: tuple[Step, ...], tail: dict[str, Any]) -> None:
    (made,) = behind_scaling(dense(), *steps)

    assert isinstance(made, Dense)
    assert vars(made.tail) == {**NOTHING, **tail}


def test_a_pooling_takes_its_dropout_along() -> None:
    (made,) = behind_scaling(pool(ceil_mode=True), dropout(0.3))

    assert isinstance(made, Pooling)
    assert vars(made.tail) == {**NOTHING, "pool": True, "ceil": True, "after": 0.3}


def test_a_normalisation_takes_its_gelu_along() -> None:
    both, alone = behind_scaling(norm(), gelu(), norm())

    assert isinstance(both, Normalization) and isinstance(alone, Normalization)
    assert (both.gelu, alone.gelu) == (True, False)
    assert len(both.weights) == len(both.gradients) == 2


def test_a_normalisation_behind_a_relu_leads_back_through_both() -> None:
    first, second = behind_scaling(conv(), relu(), norm())

    assert isinstance(first, Convolution) and isinstance(second, Normalization)
    assert first.tail.followed_by_norm
    assert second.relu


@pytest.mark.parametrize(
    "between",
    [(), (relu(), pool()), (relu(), dropout()), (pool(),)],
    ids=["nothing", "relu, pool", "relu, dropout", "pool"],
)
def test_a_normalisation_behind_anything_else_leads_back_through_itself(
    between: tuple[Step, ...],
) -> None:
    first, second = behind_scaling(conv(), *between, norm())

    assert isinstance(first, Convolution) and isinstance(second, Normalization)
    assert not first.tail.followed_by_norm
    assert not second.relu


@pytest.mark.parametrize(
    ("steps", "names"),
    [
        ((conv(3), relu(), pool()), ["FirstPooled"]),
        ((conv(3), relu(), pool(), dropout()), ["FirstPooled"]),
        ((conv(3), pool()), ["Convolution"]),
        ((conv(3), relu(), dropout(), pool()), ["Convolution"]),
        ((conv(3), relu(), pool(ceil_mode=True)), ["Convolution"]),
        ((conv(3), relu(), pool(), conv(3), relu(), pool()), ["FirstPooled", "Convolution"]),
        ((("conv", nn.Conv2d(2, 3, 3)), relu(), pool()), ["Convolution"]),
        ((("conv", nn.Conv2d(3, 3, 3, stride=2)), relu(), pool()), ["Convolution"]),
    ],
)
def test_a_small_first_convolution_joins_its_pooling(
    steps: tuple[Step, ...], names: list[str]
) -> None:
    assert kinds(*steps) == names


def test_the_layers_of_nested_chains_join_too() -> None:
    inner = ("inner", chain(relu(), pool()))

    assert kinds(("outer", chain(conv(), inner)), dropout()) == ["Convolution"]


FITTING: dict[str, Any] = {
    "in_channels": 16,
    "out_channels": 32,
    "kernel_size": 3,
    "padding": 1,
}


def kind_of(dtype: torch.dtype = torch.bfloat16, **settings: Any) -> str:
    """Return the instruction of a convolution that behind the images would be another."""
    step = "conv", nn.Conv2d(**{**FITTING, **settings})
    instructions, _ = translated(Classifier(step, relu(), pool(), dropout()), dtype)
    return type(instructions[-1]).__name__


def fast_convolutions_here() -> bool:
    compiled = kernels()
    return compiled is not None and compiled.has_convolutions


@pytest.mark.skipif(
    not fast_convolutions_here(), reason="this processor does not multiply bfloat16"
)
@pytest.mark.parametrize(
    "settings",
    [{}, {"padding": 0}, {"padding": 2}, {"bias": False}, {"in_channels": 24, "out_channels": 24}],
    ids=str,
)
def test_a_convolution_of_many_channels_in_bfloat16_is_done_by_our_kernels(
    settings: dict[str, Any],
) -> None:
    assert kind_of(**settings) == "FastConvolution"


@pytest.mark.parametrize(
    "settings",
    [
        {"dtype": torch.float32},
        {"in_channels": 16, "out_channels": 24},  # too few
        {"in_channels": 8, "out_channels": 64},
        {"in_channels": 20},  # no multiples of 8
        {"out_channels": 36},
        {"kernel_size": 5},
        {"kernel_size": (3, 1)},
        {"stride": 2},
        {"stride": (1, 2)},
        {"dilation": 2},
        {"groups": 2},
        {"padding": 3},
        {"padding": (0, 1)},
    ],
    ids=str,
)
def test_other_convolutions_are_direct(settings: dict[str, Any]) -> None:
    assert kind_of(**settings) == "Convolution"


def test_without_the_processors_products_of_bfloat16_a_convolution_is_direct(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels(), "has_convolutions", False)

    assert kind_of() == "Convolution"


# --- What does not ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((conv(), dropout(), relu()), ["Convolution", "Dropping", "Recorded"]),
        ((conv(), conv()), ["Convolution", "Convolution"]),
        ((conv(), pool(), relu()), ["Convolution", "Recorded"]),
        ((conv(), relu(), relu()), ["Convolution", "Recorded"]),
        ((conv(), pool(), pool()), ["Convolution", "Pooling"]),
        ((conv(), pool(), dropout(), dropout()), ["Convolution", "Dropping"]),
        ((conv(), gelu()), ["Convolution", "Gelu"]),
        ((conv(), ("pool", nn.MaxPool2d(3))), ["Convolution", "Recorded"]),
        ((conv(), ("pool", nn.MaxPool2d(2, stride=1))), ["Convolution", "Recorded"]),
        ((conv(), ("pool", nn.MaxPool2d(2, padding=1))), ["Convolution", "Recorded"]),
        ((conv(), ("pool", nn.MaxPool2d(2, dilation=2))), ["Convolution", "Recorded"]),
        ((conv(), ("pool", nn.AvgPool2d(2))), ["Convolution", "Recorded"]),
        ((dense(), dropout()), ["Dense", "Dropping"]),
        ((dense(), relu(), dropout(), dropout()), ["Dense", "Dropping"]),
        ((norm(), relu()), ["Normalization", "Recorded"]),
        ((norm(), ("gelu", nn.GELU(approximate="tanh"))), ["Normalization", "Recorded"]),
        ((("conv", nn.Conv2d(3, 3, 3, padding="same")), relu()), ["Recorded", "Recorded"]),
        (
            (("conv", nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular")), relu()),
            ["Recorded", "Recorded"],
        ),
        (
            (("norm", nn.BatchNorm2d(3, affine=False)), gelu()),
            ["Recorded", "Gelu"],
        ),
        ((("norm", nn.BatchNorm2d(3, momentum=None)), gelu()), ["Recorded", "Gelu"]),
        ((("flatten", nn.Flatten()),), ["Flattening"]),
        ((("flatten", nn.Flatten(2)),), ["Recorded"]),
        ((("mean", GlobalAveragePool()),), ["Averaging"]),
        ((("max", GlobalMaxPool()), ("scale", Scale(2))), ["Recorded", "Recorded"]),
    ],
    ids=lambda value: ", ".join(name for name, _ in value) if isinstance(value, tuple) else "",
)
def test_other_neighbours_stay_apart(steps: tuple[Step, ...], expected: list[str]) -> None:
    assert kinds(*steps) == expected


class Fork(nn.Module):
    """A convolution whose result goes to a ReLU and to a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.add = nn.Conv2d(3, 3, 1), nn.ReLU(), Add()

    def forward(self, images: torch.Tensor) -> Output:
        values = self.conv(images)
        return Output(self.add(self.relu(values), values))


def test_a_value_with_two_users_ends_its_instruction() -> None:
    instructions, outputs = translated(Fork())

    names = [type(one).__name__ for one in instructions]
    assert names == ["Scaling", "Convolution", "Recorded", "Adding"]
    assert [one.inputs for one in instructions] == [[0], [1], [2], [3, 2]]
    assert [one.output for one in instructions] == [1, 2, 3, 4]
    assert outputs == [4]


class TwoEnds(nn.Module):
    """A ReLU's result is normalised, and is an output as well."""

    def __init__(self) -> None:
        super().__init__()
        self.body = chain(conv(), relu())
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> Output:
        values = self.body(images)
        return Output(self.norm(values), values)


def test_an_output_does_not_join_what_takes_it() -> None:
    instructions, outputs = translated(TwoEnds())

    _, convolution, normalization = instructions
    assert isinstance(convolution, Convolution) and isinstance(normalization, Normalization)
    assert outputs == [3, 2]
    assert not convolution.tail.followed_by_norm
    assert not normalization.relu


# --- What is refused ----------------------------------------------------------------------------


class Body(nn.Module):
    """A dense layer and its twin with the same weights, for nets that do something with them."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten, self.first, self.second = nn.Flatten(), nn.Linear(12, 5), nn.Linear(12, 5)


class Arithmetic(Body):
    def forward(self, images: torch.Tensor) -> Output:
        values = self.flatten(images)
        return Output(self.first(values) + self.second(values))


class Method(Body):
    def forward(self, images: torch.Tensor) -> Output:
        return Output(self.first(images.flatten(1)))


class Function(Body):
    def forward(self, images: torch.Tensor) -> Output:
        return Output(torch.relu(self.first(self.flatten(images))))


class Decision(Body):
    def forward(self, images: torch.Tensor) -> Output:
        values = self.flatten(images)
        return Output(self.first(values) if images.sum() > 0 else self.second(values))


class Twice(Body):
    def forward(self, images: torch.Tensor) -> Output:
        return Output(self.first(self.flatten(images)), self.first(self.flatten(images)))


class Shared(Body):
    def __init__(self) -> None:
        super().__init__()
        self.second.weight = self.first.weight

    def forward(self, images: torch.Tensor) -> Output:
        values = self.flatten(images)
        return Output(self.first(values), self.second(values))


class AddedToItself(Body):
    def __init__(self) -> None:
        super().__init__()
        self.add = Add()

    def forward(self, images: torch.Tensor) -> Output:
        values = self.first(self.flatten(images))
        return Output(self.add(values, values))


class OwnParameter(Body):
    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, images: torch.Tensor) -> Output:
        return Output(self.first(self.flatten(images)) * self.factor)


@pytest.mark.parametrize(
    "kind",
    [Arithmetic, Method, Function, Decision, Twice, Shared, AddedToItself, OwnParameter],
)
def test_a_net_that_is_more_than_its_layers_is_refused(kind: type[nn.Module]) -> None:
    with pytest.raises(Untranslatable):
        translated(kind())


@pytest.mark.parametrize(
    "layer", [nn.Dropout(), nn.Dropout1d(), nn.Dropout2d(), nn.AlphaDropout(), nn.RReLU()]
)
def test_a_layer_that_draws_by_itself_is_refused(layer: nn.Module) -> None:
    with pytest.raises(Untranslatable, match=type(layer).__name__):
        translated(Classifier(conv(), ("random", layer)))


@pytest.mark.parametrize("layer", [nn.Dropout3d(), nn.FeatureAlphaDropout()])
def test_the_rarer_layers_that_draw_by_themselves_are_refused_too(layer: nn.Module) -> None:
    with pytest.raises(Untranslatable, match=type(layer).__name__):
        translated(Classifier(conv(), ("random", layer)))


# --- The order of values ------------------------------------------------------------------------


def test_values_are_freed_after_their_last_use() -> None:
    instructions, _ = translated(Fork())

    assert [one.last_uses for one in instructions] == [[0], [1], [], [3, 2]]


def test_outputs_are_never_freed() -> None:
    instructions, _ = translated(TwoEnds())

    assert [one.last_uses for one in instructions] == [[0], [1], []]


def test_only_what_takes_the_images_need_not_lead_back() -> None:
    instructions, _ = translated(Fork())

    assert [one.leads_back for one in instructions[1:]] == [False, True, True]


def test_each_parameter_gets_its_own_place() -> None:
    net = Classifier(
        conv(), relu(), norm(), ("flatten", nn.Flatten()), ("logits", nn.Linear(12, 2))
    )
    weights = FlatWeights(net)
    parts = weights.parts_of(weights.gradients)
    values = weights.parts_of(weights.values.data)
    places = dict(zip(weights.parameters, zip(values, parts, strict=True), strict=True))
    compiled = kernels()
    assert compiled is not None
    common = Common(dtype=torch.float32, kernels=compiled, weights=places)
    whole = ScaledNetwork(net, torch.zeros(3), torch.ones(3))

    instructions, _ = translate(whole, common)

    found = [gradient.data_ptr() for step in instructions for gradient in step.gradients]
    assert found == [part.data_ptr() for part in parts]
