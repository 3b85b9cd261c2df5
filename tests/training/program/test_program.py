import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rungwise.data.images import LabelledImages
from rungwise.models import (
    CNN,
    MODELS,
    Compact,
    Model,
    Multitask,
    VGGBenchmark,
    VGGDeep,
)
from rungwise.models.base import Output
from rungwise.models.initialization import KerasBatchNorm
from rungwise.models.input import InputScaling, ScaledNetwork, input_statistics
from rungwise.models.layers import Add, Classifier, Dropout, GlobalAveragePool, chain
from rungwise.native import kernels
from rungwise.native.kernels import KEEP_ALL
from rungwise.randomness import generator
from rungwise.techniques import Batch, Reconstruction, Technique
from rungwise.training.objective import Objective
from rungwise.training.passes import Pass, Recorded, make_pass
from rungwise.training.precision import Precision, dtype_of
from rungwise.training.program import Program
from rungwise.training.program.fast_convolution import pays
from rungwise.training.program.instruction import page
from rungwise.training.weights import FlatWeights

SMALL: dict[str, Model] = {
    "compact": Compact(widths=(16, 32)),
    "cnn": CNN(conv_widths=(8, 8), dropout_conv=0, dropout_dense=0),
    "multitask": Multitask(conv_width=8, dense_width=16, dropout=0),
    "vgg-benchmark": VGGBenchmark(
        widths=(8, 8, 8), dense_width=16, dropout_conv=0, dropout_dense=0
    ),
    "vgg-deep": VGGDeep(widths=(8, 8, 8, 8), dense_width=16, dropout_conv=0, dropout_dense=0),
}
"""Settings for quick tests on images of 8×8 pixels, without dropout."""

VARIANTS: dict[str, Model] = {
    **{name: SMALL.get(name) or model() for name, model in MODELS.items()},
    "cnn, border, average": CNN(
        conv_widths=(8, 5), border=2, pooling="average", dropout_conv=0, dropout_dense=0
    ),
    "cnn, pooling each": CNN(
        conv_widths=(8, 24), conv_edge="same", pooling_place="each", dropout_conv=0, dropout_dense=0
    ),
    "compact, whitened": Compact(widths=(16, 24), whitened_patch=2, norm_scale=False),
    "compact, depth 3": Compact(widths=(16, 24), depth=3, identity_init=True),
    "compact, average": Compact(widths=(16, 33), pooling="average"),
    "vgg-deep, no norm": VGGDeep(
        widths=(8, 8, 8, 8), dense_width=16, dropout_conv=0, dropout_dense=0, normalization=False
    ),
}

needs_compiler = pytest.mark.skipif(kernels() is None, reason="no C++ compiler here")
pytestmark = needs_compiler
formats = pytest.mark.parametrize(
    "number_format", ["float32", pytest.param("bfloat16", marks=pytest.mark.bfloat16)]
)
variants = pytest.mark.parametrize("model", VARIANTS.values(), ids=VARIANTS.keys())

CLASSES = 5
NOISE = {"float32": 1e-6, "bfloat16": 2.0**-9}
"""The relative error that rounding makes in a net of one layer."""
WINOGRAD_NOISE = 2.0**-5
"""The same of a net with convolutions by Winograd's algorithm: each has 1.3 to 1.6%."""


def noise_of(net: nn.Module, number_format: Precision) -> float:
    """Return the relative error that rounding makes in one layer of the net."""
    compiled, dtype = kernels(), dtype_of(number_format)
    convolutions = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    direct = torch.cpu._is_amx_tile_supported()
    if compiled and not direct and any(pays(layer, compiled, dtype) for layer in convolutions):
        return WINOGRAD_NOISE
    return NOISE[number_format]


@dataclass(frozen=True)
class Watch(Technique):
    """Keep what the net returns."""

    seen: list[Output] = field(default_factory=list)

    def change_loss(self, loss: torch.Tensor, output: Output, batch: Batch) -> torch.Tensor:
        self.seen.append(output)
        return loss


def scaled(net: nn.Module, channels: int = 3, *, seed: int = 0) -> ScaledNetwork:
    """Return the net as a training has it, its normalisations with weights that are not 1 and 0."""
    rng = generator(seed, "norms")
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=rng)
            nn.init.uniform_(module.bias, -0.5, 0.5, generator=rng)
    whole = ScaledNetwork(net, torch.full((channels,), 0.5), torch.full((channels,), 0.25))
    return whole.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]


def built(model: Model, shape: tuple[int, int, int] = (3, 8, 8), seed: int = 0) -> ScaledNetwork:
    return scaled(model.build(shape, CLASSES, generator(seed, "weights")), shape[0], seed=seed)


def toy(*steps: tuple[str, nn.Module]) -> ScaledNetwork:
    return scaled(seeded(Classifier(*steps)))


def seeded(net: nn.Module) -> nn.Module:
    rng = generator("toy")
    for parameter in net.parameters():
        nn.init.uniform_(parameter, -0.3, 0.3, generator=rng)
    return net


def some_batch(shape: tuple[int, int, int] = (3, 8, 8), n: int = 12, seed: int = 0) -> Batch:
    images = torch.rand(n, *shape, generator=generator(seed, "images"))
    targets = torch.randn(n, CLASSES, generator=generator(seed, "targets")).softmax(1)
    return Batch(images.contiguous(memory_format=torch.channels_last), targets)


@dataclass(frozen=True)
class Found:
    gradients: list[torch.Tensor]
    sums: torch.Tensor
    net: ScaledNetwork


def found_by(
    kind: str,
    net: ScaledNetwork,
    batch: Batch,
    number_format: Precision = "float32",
    techniques: Sequence[Technique] = (),
    key: int = 1,
) -> Found:
    """Return what `Program`, `Recorded` or the chosen pass finds on a copy of `net`."""
    net = copy.deepcopy(net)
    weights = FlatWeights(net)
    one: Pass
    if kind == "chosen":
        one = make_pass(net, weights, number_format)
    elif kind == "program":
        compiled = kernels()
        assert compiled is not None
        one = Program(net, weights, dtype_of(number_format), compiled)
    else:
        one = Recorded(net, weights, number_format)
    sums = torch.zeros(2, dtype=torch.float64)
    one.gradients(Objective(batch, techniques), key, sums)
    return Found([part.clone() for part in weights.parts_of(weights.gradients)], sums, net)


def exact(
    net: ScaledNetwork, batch: Batch, reconstruction: float = 0
) -> tuple[Found, Output, torch.Tensor]:
    """Return gradients, output and loss by autograd in float64."""
    net = copy.deepcopy(net).double()
    images, targets = batch.images.double(), batch.targets.double()
    output = net(images)
    loss = F.cross_entropy(output.logits, targets)
    if reconstruction:
        loss = loss + reconstruction * F.mse_loss(output.reconstruction, images)
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    gradients = [
        torch.zeros_like(parameter) if gradient is None else gradient
        for parameter, gradient in zip(parameters, found, strict=True)
    ]
    right = (output.logits.argmax(1) == targets.argmax(1)).sum()
    sums = torch.stack([loss.detach() * len(images), right.double()])
    return Found(gradients, sums, net), output, loss


def errors(found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return each tensor's error as a share of its size, or of a hundredth of the whole's size.

    A bias before a normalisation has a gradient of 0: of its own size, its error would be anything.
    """
    floor = torch.stack([one.norm() for one in expected]).norm() / 100
    pairs = zip(found, expected, strict=True)
    return torch.stack([(a.double() - b).norm() / b.norm().clamp_min(floor) for a, b in pairs])


def both_errors(
    model: Model, number_format: Precision, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the errors of the program's gradients, and of those by PyTorch's own pass."""
    net, batch = built(model, seed=seed), some_batch(seed=seed)
    techniques = [Reconstruction(weight=3.0)] if model.reconstructs else []
    expected, _, _ = exact(net, batch, 3.0 if model.reconstructs else 0)
    ours, theirs = (
        found_by(kind, net, batch, number_format, techniques) for kind in ("program", "recorded")
    )
    return errors(ours.gradients, expected.gradients), errors(theirs.gradients, expected.gradients)


@variants
@formats
def test_gradients_are_as_exact_as_pytorchs_own(model: Model, number_format: Precision) -> None:
    """On average: rounding may change where a maximum is, and with it the gradients of one seed."""
    seeds = [both_errors(model, number_format, seed) for seed in range(10)]
    own, other = (torch.stack(one).mean(0) for one in zip(*seeds, strict=True))

    # A first layer that is joined with its pooling rounds at another place: maxima may differ.
    noise = noise_of(built(model), number_format)
    assert own.norm() <= 2.5 * (other.norm() + noise)
    assert (own <= 2 * (other + 4 * noise)).all()
    if number_format == "float32":
        assert own.max() < 2e-5


@variants
@formats
def test_output_loss_and_right_answers_are_as_exact_as_pytorchs_own(
    model: Model, number_format: Precision
) -> None:
    net, batch = built(model), some_batch()
    expected, output, _ = exact(net, batch)

    watches = Watch(), Watch()
    ours, theirs = (
        found_by(kind, net, batch, number_format, [watch])
        for kind, watch in zip(("program", "recorded"), watches, strict=True)
    )

    noise = 4 * noise_of(net, number_format)
    for own, other, right in zip(watches[0].seen[0], watches[1].seen[0], output, strict=True):
        if right is None:
            assert own is None
        else:
            (error,), (theirs_error,) = errors([own], [right]), errors([other], [right])
            assert error <= 2 * theirs_error + noise
    gap = (theirs.sums[0] - expected.sums[0]).abs()
    assert (ours.sums[0] - expected.sums[0]).abs() <= 2 * gap + noise * expected.sums[0]
    answers = watches[0].seen[0].logits.argmax(1) == batch.targets.argmax(1)
    assert ours.sums[1] == answers.sum()


@variants
@formats
def test_the_loss_without_techniques_is_that_with_one_that_changes_nothing(
    model: Model, number_format: Precision
) -> None:
    net, batch = built(model), some_batch()

    plain = found_by("program", net, batch, number_format)
    watched = found_by("program", net, batch, number_format, [Watch()])

    torch.testing.assert_close(plain.sums, watched.sums, rtol=1e-6, atol=0)
    noise = 4 * NOISE[number_format]
    assert errors(plain.gradients, [one.double() for one in watched.gradients]).max() < noise * 8


@variants
@formats
def test_running_statistics_are_pytorchs(model: Model, number_format: Precision) -> None:
    net = built(model)
    batches = [some_batch(seed=seed) for seed in range(3)]
    kinds = {}
    for kind in ("program", "recorded"):
        moved = net
        for batch in batches:
            moved = found_by(kind, moved, batch, number_format).net
        kinds[kind] = dict(moved.named_buffers())

    for name, buffer in kinds["program"].items():
        tolerance = 0.05 if number_format == "bfloat16" else 1e-5
        torch.testing.assert_close(
            buffer, kinds["recorded"][name], rtol=tolerance, atol=tolerance, msg=name
        )


@formats
def test_statistics_of_a_first_normalisation_are_exact(number_format: Precision) -> None:
    net = toy(("norm", nn.BatchNorm2d(3)), ("flatten", nn.Flatten()), ("out", nn.Linear(192, 5)))
    batch = some_batch()
    values = ((batch.images - 0.5) / 0.25).to(dtype_of(number_format)).double()

    found = found_by("program", net, batch, number_format)

    buffers = dict(found.net.named_buffers())
    mean, variance = values.mean((0, 2, 3)), values.var((0, 2, 3))
    torch.testing.assert_close(buffers["net.norm.running_mean"].double(), 0.1 * mean)
    torch.testing.assert_close(buffers["net.norm.running_var"].double(), 0.9 + 0.1 * variance)
    assert buffers["net.norm.num_batches_tracked"] == 1


def test_kerass_normalisation_gives_early_batches_their_larger_share() -> None:
    net = toy(("norm", KerasBatchNorm(3)), ("flatten", nn.Flatten()), ("out", nn.Linear(192, 5)))
    means = []
    for seed in range(2):
        batch = some_batch(seed=seed)
        means.append(((batch.images - 0.5) / 0.25).mean((0, 2, 3)))
        net = found_by("program", net, batch).net

    expected = means[0] + (means[1] - means[0]) * 10 / 11  # shares 10/10 and 10/11
    torch.testing.assert_close(dict(net.named_buffers())["net.norm.running_mean"], expected)


@pytest.mark.parametrize("name", sorted(MODELS))
@formats
def test_every_architecture_with_its_own_settings_is_translated(
    name: str, number_format: Precision
) -> None:
    net = scaled(MODELS[name]().build((3, 32, 32), 10, generator(0)))
    compiled = kernels()
    assert compiled is not None

    Program(net, FlatWeights(net), dtype_of(number_format), compiled)  # raises Untranslatable


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"multitask"}))
@pytest.mark.parametrize("shape", [(1, 13, 9), (2, 9, 28), (3, 31, 17)], ids=str)
def test_odd_and_oblong_images_are_led_back_right(name: str, shape: tuple[int, int, int]) -> None:
    net, batch = built(VARIANTS[name], shape), some_batch(shape, n=4)
    expected, _, _ = exact(net, batch)

    ours, theirs = (
        errors(found_by(kind, net, batch).gradients, expected.gradients)
        for kind in ("program", "recorded")
    )

    assert (ours <= 3 * theirs + 2e-5).all()


# --- Dropout ------------------------------------------------------------------------------------


def same_bits(first: Found, second: Found) -> bool:
    pairs = zip(first.gradients, second.gradients, strict=True)
    return torch.equal(first.sums, second.sums) and all(torch.equal(a, b) for a, b in pairs)


DROPPED: dict[str, Model] = {
    "cnn": CNN(conv_widths=(8, 8)),
    "multitask": Multitask(conv_width=8, dense_width=16, dropout=0.1),
    "vgg-benchmark": VGGBenchmark(widths=(8, 8, 8), dense_width=16),
    "vgg-deep": VGGDeep(widths=(8, 8, 8, 8), dense_width=16),
}


@pytest.mark.parametrize("model", DROPPED.values(), ids=DROPPED.keys())
@formats
def test_one_key_gives_the_same_bits_and_another_key_others(
    model: Model, number_format: Precision
) -> None:
    net, batch = built(model), some_batch()

    first, again, other = (
        found_by("program", net, batch, number_format, key=key) for key in (2**61 + 3, 2**61 + 3, 4)
    )

    assert same_bits(first, again)
    assert not same_bits(first, other)


@variants
def test_without_dropout_the_key_changes_nothing(model: Model) -> None:
    net, batch = built(model), some_batch()

    assert same_bits(found_by("program", net, batch, key=1), found_by("program", net, batch, key=2))


def test_the_global_generator_is_neither_used_nor_changed() -> None:
    net, batch = built(DROPPED["cnn"]), some_batch()
    first = found_by("program", net, batch)
    torch.manual_seed(99)
    before = torch.get_rng_state()

    second = found_by("program", net, batch)

    assert torch.equal(torch.get_rng_state(), before)
    assert same_bits(first, second)


RATE = 0.3
PLACES: dict[str, tuple[tuple[str, nn.Module], ...]] = {
    "after relu": (("relu", nn.ReLU()), ("dropout", Dropout(RATE))),
    "before pooling": (
        ("relu", nn.ReLU()),
        ("dropout", Dropout(RATE)),
        ("pool", nn.MaxPool2d(2)),
    ),
    "after pooling": (("pool", nn.MaxPool2d(2)), ("dropout", Dropout(RATE))),
    "alone": (("dropout", Dropout(RATE)),),
}


class Dropped(nn.Module):
    """A convolution that copies the image, what may follow it, and a head that sums all."""

    def __init__(self, *steps: tuple[str, nn.Module]) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 1)
        self.steps = chain(*steps)
        self.head = chain(("mean", GlobalAveragePool()), ("logits", nn.Linear(3, CLASSES)))
        with torch.no_grad():
            self.first.weight.copy_(torch.eye(3)[:, :, None, None])
            self.first.bias.fill_(3)  # so that ReLU stops nothing
            self.head.logits.weight.fill_(0.1)

    def forward(self, images: torch.Tensor) -> Output:
        values = self.steps(self.first(images))
        return Output(self.head(values), values)


def dropped(place: str, key: int, batch: Batch) -> torch.Tensor:
    watch = Watch()
    found_by("program", scaled(Dropped(*PLACES[place])), batch, techniques=[watch], key=key)
    values = watch.seen[0].reconstruction
    assert values is not None
    return values


@pytest.mark.parametrize("place", ["after relu", "after pooling", "alone"])
def test_a_dropout_drops_its_share_and_scales_the_rest(place: str) -> None:
    batch = some_batch((3, 16, 16), n=40)
    maps = (batch.images - 0.5) / 0.25 + 3
    whole = F.max_pool2d(maps, 2) if "pooling" in place else maps

    values = dropped(place, 5, batch)

    kept = values != 0
    deviation = (RATE * (1 - RATE) / kept.numel()) ** 0.5
    assert abs(kept.double().mean().item() - (1 - RATE)) < 5 * deviation
    torch.testing.assert_close(values[kept], (whole / (1 - RATE))[kept])


def test_the_largest_of_what_is_kept_is_pooled() -> None:
    batch = some_batch((3, 16, 16), n=40)
    maps = F.unfold((batch.images - 0.5) / 0.25 + 3, 2, stride=2).view(40, 3, 4, 8, 8)
    ranked = maps.sort(2, descending=True).values / (1 - RATE)

    values = dropped("before pooling", 5, batch)

    shares = [(values - ranked[:, :, i]).abs().lt(1e-5).double().mean() for i in range(4)]
    shares.append((values == 0).double().mean())
    expected = [(1 - RATE) * RATE**i for i in range(4)] + [RATE**4]
    assert sum(shares).item() == pytest.approx(1)
    assert [share.item() for share in shares] == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("place", PLACES)
def test_the_gradient_goes_back_through_what_was_kept(place: str) -> None:
    net, batch = scaled(Dropped(*PLACES[place])), some_batch((3, 16, 16), n=4)
    key = 6
    weight, bias = found_by("program", net, batch, key=key).gradients[:2]
    step = 1e-2
    losses = []
    for sign in (1, -1):  # the dropout of one key is a fixed function, which has a slope
        moved = copy.deepcopy(net)
        with torch.no_grad():
            moved.net.first.bias[1] += sign * step
            losses.append(found_by("program", moved, batch, key=key).sums[0] / len(batch.images))

    slope = ((losses[0] - losses[1]) / (2 * step)).item()

    assert weight.isfinite().all()
    assert bias[1].item() == pytest.approx(slope, rel=2e-2, abs=2e-5)


def test_two_dropouts_of_a_net_drop_different_places() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = Dropout(0.5), Dropout(0.5)
            self.head = chain(("mean", GlobalAveragePool()), ("logits", nn.Linear(3, CLASSES)))

        def forward(self, images: torch.Tensor) -> Output:
            values = self.one(images)
            return Output(self.head(values), self.other(values))

    watch = Watch()
    batch = some_batch((3, 16, 16), n=40)
    found_by("program", scaled(Two()), batch, techniques=[watch])

    values = watch.seen[0].reconstruction
    assert values is not None
    assert (values != 0).double().mean().item() == pytest.approx(0.25, abs=0.02)


def test_a_dropout_does_not_change_the_value_that_others_take() -> None:
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.dropout = nn.Conv2d(3, 3, 1), Dropout(0.5)
            self.head = chain(("mean", GlobalAveragePool()), ("logits", nn.Linear(3, CLASSES)))

        def forward(self, images: torch.Tensor) -> Output:
            values = self.conv(images)
            return Output(self.head(self.dropout(values)), values)

    net, batch, watch = scaled(seeded(Beside())), some_batch(), Watch()
    found_by("program", net, batch, techniques=[watch])

    values = watch.seen[0].reconstruction
    torch.testing.assert_close(values, net.net.conv((batch.images - 0.5) / 0.25).detach())


def test_every_dropout_of_every_pass_has_a_key_of_its_own() -> None:
    passes = [0, 1, 2, 2**40, 2**62 - 1]
    keys = [
        page(key, position).drop(0.5, which).key
        for key in passes
        for position in range(40)
        for which in (1, 2)
    ]

    assert len(set(keys)) == len(passes) * 40 * 2
    assert all(0 <= key < 2**64 for key in keys)
    assert page(1, 0).drop(0.0, 1) == KEEP_ALL


# --- Branches -----------------------------------------------------------------------------------


def test_a_branch_that_the_loss_does_not_use_gets_zero_gradients() -> None:
    net, batch = built(VARIANTS["multitask"]), some_batch()
    names = [name for name, _ in net.named_parameters()]
    compiled = kernels()
    assert compiled is not None
    weights = FlatWeights(net)
    program = Program(net, weights, torch.float32, compiled)
    sums = torch.zeros(2, dtype=torch.float64)

    program.gradients(Objective(batch, [Reconstruction()]), 1, sums)
    with_it = dict(zip(names, [p.grad.clone() for p in net.parameters()], strict=True))
    program.gradients(Objective(batch, [Watch()]), 1, sums)
    without = dict(zip(names, [p.grad.clone() for p in net.parameters()], strict=True))

    branch = [name for name in names if ".autoencoder." in name]
    assert branch
    assert all(with_it[name].any() for name in branch)
    assert not any(without[name].any() for name in branch)
    assert all(without[name].any() for name in names if name not in branch)


class Fork(nn.Module):
    """Values that three others take: two that are added, and the sum again."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.stem = chain(("conv", nn.Conv2d(3, 4, 3, padding=1)), ("relu", nn.ReLU(inplace)))
        self.left = chain(("conv", nn.Conv2d(4, 4, 3, padding=1)), ("relu", nn.ReLU(inplace)))
        self.right = nn.Conv2d(4, 4, 1, bias=False)
        self.add, self.again = Add(), Add()
        self.head = chain(("flatten", nn.Flatten()), ("logits", nn.Linear(256, CLASSES)))

    def forward(self, images: torch.Tensor) -> Output:
        values = self.stem(images)
        both = self.add(self.left(values), self.right(values))
        return Output(self.head(self.again(both, values)))


class Doubled(nn.Module):
    """A value that is added to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.add = nn.Conv2d(3, 4, 3), Add()
        self.head = chain(("mean", GlobalAveragePool()), ("logits", nn.Linear(4, CLASSES)))

    def forward(self, images: torch.Tensor) -> Output:
        values = self.conv(images)
        return Output(self.head(self.add(values, values)))


def conv(channels: int = 3, width: int = 4) -> tuple[str, nn.Module]:
    return "conv", nn.Conv2d(channels, width, 3, padding=1)


def head(features: int) -> tuple[tuple[str, nn.Module], ...]:
    return ("flatten", nn.Flatten()), ("logits", nn.Linear(features, CLASSES))


FLAT = (
    ("flatten", nn.Flatten()),
    ("dense", nn.Linear(192, 128)),
    ("maps", nn.Unflatten(1, (8, 4, 4))),
)
TOYS: dict[str, nn.Module] = {
    "fork": Fork(),
    "fork, in place": Fork(inplace=True),
    "no bias": Classifier(
        ("conv", nn.Conv2d(3, 4, 3, bias=False)),
        ("relu", nn.ReLU()),
        ("flatten", nn.Flatten()),
        ("dense", nn.Linear(144, 16, bias=False)),
        ("relu", nn.ReLU()),
        ("logits", nn.Linear(16, CLASSES, bias=False)),
    ),
    "strides, groups, dilation": Classifier(
        ("conv", nn.Conv2d(3, 4, 3, stride=(2, 1), padding=(1, 2))),
        ("relu", nn.ReLU()),
        ("conv", nn.Conv2d(4, 8, 3, groups=2, dilation=2, padding=1)),
        ("mean", GlobalAveragePool()),
        ("logits", nn.Linear(8, CLASSES)),
    ),
    "other padding": Classifier(
        ("conv", nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")),
        ("relu", nn.ReLU()),
        ("conv", nn.Conv2d(4, 4, 3, padding="same")),
        *head(256),
    ),
    "relu behind a border": Classifier(
        conv(), ("relu", nn.ReLU()), ("border", nn.ZeroPad2d(1)), conv(4), *head(400)
    ),
    "average pooling": Classifier(
        conv(), ("relu", nn.ReLU()), ("pool", nn.AvgPool2d(2)), conv(4), *head(64)
    ),
    "pooling of other sizes": Classifier(
        conv(), ("pool", nn.MaxPool2d(3, 2)), ("pool", nn.MaxPool2d(2, 1)), *head(16)
    ),
    "pooling first": Classifier(("pool", nn.MaxPool2d(2)), conv(), *head(64)),
    "pooling twice": Classifier(
        conv(), ("pool", nn.MaxPool2d(2)), ("pool", nn.MaxPool2d(2)), *head(16)
    ),
    "relu behind norm": Classifier(
        conv(), ("norm", nn.BatchNorm2d(4)), ("relu", nn.ReLU()), *head(256)
    ),
    "gelu behind relu and norm": Classifier(
        conv(), ("relu", nn.ReLU()), ("norm", nn.BatchNorm2d(4)), ("gelu", nn.GELU()), *head(256)
    ),
    "approximate gelu": Classifier(
        conv(), ("norm", nn.BatchNorm2d(4)), ("gelu", nn.GELU(approximate="tanh")), *head(256)
    ),
    "maps of numbers, norm": Classifier(*FLAT, ("norm", nn.BatchNorm2d(8)), *head(128)),
    "maps of numbers, pooling": Classifier(*FLAT, ("pool", nn.MaxPool2d(2)), *head(32)),
    "maps of numbers, conv": Classifier(
        *FLAT, ("conv", nn.Conv2d(8, 4, 1)), ("relu", nn.ReLU()), conv(4), *head(64)
    ),
    "many channels": Classifier(
        conv(3, 16),
        ("relu", nn.ReLU()),
        conv(16, 32),
        ("relu", nn.ReLU()),
        ("norm", nn.BatchNorm2d(32)),
        ("conv", nn.Conv2d(32, 24, 3, padding=2, bias=False)),
        ("relu", nn.ReLU()),
        ("pool", nn.MaxPool2d(2)),
        ("conv", nn.Conv2d(24, 32, 3)),
        *head(288),
    ),
    "many channels, behind a view": Classifier(
        conv(3, 16), ("up", nn.Upsample(scale_factor=2)), conv(16, 32), *head(8192)
    ),
    "layer norm": Classifier(
        ("flatten", nn.Flatten()),
        ("dense", nn.Linear(192, 16)),
        ("norm", nn.LayerNorm(16)),
        ("logits", nn.Linear(16, CLASSES)),
    ),
    "upsampling": Classifier(
        conv(), ("relu", nn.ReLU()), ("up", nn.Upsample(scale_factor=2)), conv(4), *head(1024)
    ),
}  # fmt: skip


def assert_as_exact_as_pytorch(
    kind: str, net: nn.Module, number_format: Precision, noise: int
) -> None:
    """Compare the gradients and the loss that a pass finds with those of PyTorch's own pass."""
    whole, batch = scaled(seeded(copy.deepcopy(net))), some_batch()
    expected, _, _ = exact(whole, batch)

    ours, theirs = (found_by(way, whole, batch, number_format) for way in (kind, "recorded"))

    own, other = (errors(one.gradients, expected.gradients) for one in (ours, theirs))
    one = noise_of(whole, number_format)
    assert (own <= 2 * (other + noise * one)).all()
    torch.testing.assert_close(ours.sums[0], theirs.sums[0], rtol=4 * one, atol=0)


@pytest.mark.parametrize("net", TOYS.values(), ids=TOYS.keys())
@formats
def test_layers_in_other_places_are_led_back_right_too(
    net: nn.Module, number_format: Precision
) -> None:
    assert_as_exact_as_pytorch("program", net, number_format, noise=4)


@formats
@pytest.mark.parametrize("fixed", [["weight"], ["bias"], ["weight", "bias"]], ids=str)
def test_a_convolution_with_fixed_parameters_is_led_back_right(
    number_format: Precision, fixed: list[str]
) -> None:
    middle = nn.Conv2d(16, 32, 3, padding=1)
    for name in fixed:
        middle.get_parameter(name).requires_grad_(False)
    net = Classifier(conv(3, 16), ("relu", nn.ReLU()), ("middle", middle), *head(2048))

    assert_as_exact_as_pytorch("program", net, number_format, noise=4)


class OwnConvolution(nn.Conv2d):
    """A layer of a user's: its forward is not its base's."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return super().forward(values) * 2


ODD: dict[str, nn.Module] = {
    "doubled": Doubled(),
    "relu in place behind norm": Classifier(
        conv(), ("norm", nn.BatchNorm2d(4)), ("relu", nn.ReLU(inplace=True)), *head(256)
    ),
    "relu in place behind pooling": Classifier(
        conv(), ("pool", nn.MaxPool2d(2)), ("relu", nn.ReLU(inplace=True)), *head(64)
    ),
    "norm without weights, gelu": Classifier(
        conv(), ("norm", nn.BatchNorm2d(4, affine=False)), ("gelu", nn.GELU()), *head(256)
    ),
    "norm of all batches, gelu": Classifier(
        conv(), ("norm", nn.BatchNorm2d(4, momentum=None)), ("gelu", nn.GELU()), *head(256)
    ),
    "norm without statistics": Classifier(
        conv(), ("norm", nn.BatchNorm2d(4, track_running_stats=False)), *head(256)
    ),
    "own layer": Classifier(("conv", OwnConvolution(3, 4, 3, padding=1)), *head(256)),
}


@pytest.mark.parametrize("net", ODD.values(), ids=ODD.keys())
@formats
def test_the_pass_that_is_chosen_for_an_odd_net_is_right(
    net: nn.Module, number_format: Precision
) -> None:
    # A bias before a normalisation has no gradient: what is found there is noise.
    assert_as_exact_as_pytorch("chosen", net, number_format, noise=8)


class Mean(Technique):
    """Add the reconstruction's mean, whose gradient PyTorch stores as one number for all."""

    def change_loss(self, loss: torch.Tensor, output: Output, batch: Batch) -> torch.Tensor:
        assert output.reconstruction is not None
        return loss + output.reconstruction.mean()


class Maps(nn.Module):
    """A net whose second output comes straight out of a convolution and its ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.head = chain(*head(192))
        self.maps = chain(conv(3, 3), ("relu", nn.ReLU()))

    def forward(self, images: torch.Tensor) -> Output:
        return Output(self.head(images), self.maps(images))


def test_a_gradient_that_is_not_dense_in_memory_is_led_back_right() -> None:
    net, batch = scaled(seeded(Maps())), some_batch()
    theirs = found_by("recorded", net, batch, techniques=[Mean()])

    ours = found_by("program", net, batch, techniques=[Mean()])

    for own, other in zip(ours.gradients, theirs.gradients, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)


# --- Inputs -------------------------------------------------------------------------------------


@variants
def test_images_and_targets_are_not_changed(model: Model) -> None:
    net, batch = built(model), some_batch()
    images, targets = batch.images.clone(), batch.targets.clone()

    found_by("program", net, batch)

    assert torch.equal(batch.images, images)
    assert torch.equal(batch.targets, targets)


@variants
def test_weights_are_not_changed_and_old_gradients_are_forgotten(model: Model) -> None:
    net, batch = built(model), some_batch()
    weights = FlatWeights(net)
    before = weights.values.detach().clone()
    compiled = kernels()
    assert compiled is not None
    program = Program(net, weights, torch.float32, compiled)
    sums = torch.zeros(2, dtype=torch.float64)

    program.gradients(Objective(batch, [Watch()]), 1, sums)
    first = weights.gradients.clone()
    program.gradients(Objective(batch, [Watch()]), 1, sums)

    assert torch.equal(weights.values, before)
    assert torch.equal(weights.gradients, first)


@formats
def test_a_second_pass_uses_the_weights_as_they_are_then(number_format: Precision) -> None:
    net, batch = built(VARIANTS["cnn"]), some_batch()
    weights = FlatWeights(net)
    compiled = kernels()
    assert compiled is not None
    program = Program(net, weights, dtype_of(number_format), compiled)
    sums = torch.zeros(2, dtype=torch.float64)
    program.gradients(Objective(batch, []), 1, sums)
    with torch.no_grad():
        weights.values.mul_(0.5)

    program.gradients(Objective(batch, []), 1, sums)

    fresh = found_by("program", net, batch, number_format)
    for part, expected in zip(weights.parts_of(weights.gradients), fresh.gradients, strict=True):
        assert torch.equal(part, expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_order_of_the_images_in_memory_does_not_matter(channels: int) -> None:
    net, batch = built(VARIANTS["cnn"], (channels, 8, 8)), some_batch((channels, 8, 8))
    plain = Batch(batch.images.contiguous(), batch.targets)

    assert same_bits(found_by("program", net, batch), found_by("program", net, plain))


@pytest.mark.parametrize("scaling", ["unit", "raw", "standardized"])
@formats
def test_every_input_scaling_is_applied(scaling: InputScaling, number_format: Precision) -> None:
    pixels = torch.randint(256, (12, 8, 8, 3), generator=generator("pixels"), dtype=torch.uint8)
    inner = VARIANTS["cnn"].build((3, 8, 8), CLASSES, generator(0))
    labelled = LabelledImages(pixels, torch.zeros(12, dtype=torch.int64), ("only",))
    statistics = input_statistics(scaling, labelled)
    net = ScaledNetwork(inner, *statistics).to(memory_format=torch.channels_last)
    batch = Batch(pixels.permute(0, 3, 1, 2).float() / 255, some_batch().targets)
    expected, _, _ = exact(net, batch)

    ours, theirs = (
        errors(found_by(kind, net, batch, number_format).gradients, expected.gradients)
        for kind in ("program", "recorded")
    )

    assert (ours <= 2 * theirs + 8 * NOISE[number_format]).all()


@formats
def test_sums_are_added_to(number_format: Precision) -> None:
    net, batch = built(VARIANTS["mlp"]), some_batch()
    once = found_by("program", net, batch, number_format).sums
    weights = FlatWeights(net)
    compiled = kernels()
    assert compiled is not None
    program = Program(net, weights, dtype_of(number_format), compiled)
    sums = torch.zeros(2, dtype=torch.float64)

    for _ in range(2):
        program.gradients(Objective(batch, []), 1, sums)

    torch.testing.assert_close(sums, 2 * once)
