import itertools
import math
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rungwise.errors import RunError
from rungwise.native import Kernels, kernels
from rungwise.native.kernels import KEEP_ALL, Drop, Normed
from rungwise.randomness import generator

FLOAT, HALF = torch.float32, torch.bfloat16
formats = pytest.mark.parametrize("dtype", [FLOAT, HALF], ids=["float32", "bfloat16"])
channel_counts = pytest.mark.parametrize("channels", [1, 3, 8, 16, 24, 33, 64])

ROUNDING = {FLOAT: 2.0**-24, HALF: 2.0**-8}
"""The relative error of one rounding; two for bfloat16, whose sums are rounded on the way too."""

LARGE = 3 * 2**14
"""Elements that are enough for a second thread."""


@pytest.fixture
def native() -> Kernels:
    found = kernels()
    if found is None:
        pytest.skip("this machine has no C++ compiler")
    return found


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Return a function that sets the number of threads until the test ends."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def normal(*shape: int, dtype: torch.dtype = FLOAT, key: str = "values") -> torch.Tensor:
    values = torch.randn(shape, generator=generator(key, *shape)).to(dtype)
    return last(values) if len(shape) == 4 else values


def last(values: torch.Tensor) -> torch.Tensor:
    """Put the channels last in memory, also where one channel makes PyTorch see no difference."""
    return torch.empty_like(values, memory_format=torch.channels_last).copy_(values)


def kept(native: Kernels, like: torch.Tensor, drop: Drop) -> torch.Tensor:
    """Return 1 where a dropout keeps the value and 0 elsewhere, float64."""
    ones = torch.ones_like(like, dtype=FLOAT)
    native.drop(ones, drop, relu=False)
    return (ones != 0).double()


def close(found: torch.Tensor, expected: torch.Tensor, times: float = 2) -> None:
    """Check that the error is at most `times` roundings of the value and of the largest one / 16.

    The second part is for sums and differences, which may be small where their terms are large.
    """
    one = ROUNDING[found.dtype]
    expected = expected.detach()
    bound = times * one * (expected.abs() + expected.abs().max() / 16)
    assert found.shape == expected.shape
    error = (found.double() - expected).abs()
    assert (error <= bound).all(), (error / bound).max()


def near(found: torch.Tensor, expected: torch.Tensor, share: float) -> None:
    """Check that the error is at most a share of the largest value (0.00001 if that is less)."""
    assert found.shape == expected.shape
    largest = max(expected.abs().max().item(), 1e-5)
    assert (found.double() - expected).abs().max().item() <= share * largest


# --- Dropout and ReLU ---------------------------------------------------------------------------


@formats
@pytest.mark.parametrize("count", [1, 15, 16, 17, 1000])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("relu", [False, True])
def test_what_is_kept_is_scaled_and_the_rest_is_zero(
    native: Kernels, dtype: torch.dtype, count: int, rate: float, relu: bool
) -> None:
    values = normal(count, dtype=dtype)
    drop = Drop(rate, 12345)
    mask = kept(native, values, drop).bool()
    if relu:
        mask &= values > 0
    scaled = (values.float() * torch.tensor(1 / (1 - rate))).to(dtype)

    native.drop(values, drop, relu)

    assert torch.equal(values, torch.where(mask, scaled, 0))


@formats
def test_a_zero_rate_keeps_every_bit(native: Kernels, dtype: torch.dtype) -> None:
    values = normal(5, 3, 7, 9, dtype=dtype)
    before = values.clone()

    native.drop(values, KEEP_ALL, relu=False)

    assert torch.equal(values, before)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("key", [0, 1, 2**32, 2**63 + 5])
def test_a_dropout_keeps_its_share_and_the_mean(native: Kernels, rate: float, key: int) -> None:
    count = 200_000
    values = torch.ones(count)

    native.drop(values, Drop(rate, key), relu=False)

    share = (values != 0).double().mean().item()
    deviation = math.sqrt(rate * (1 - rate) / count)
    assert abs(share - (1 - rate)) < 5 * deviation
    assert abs(values.double().mean().item() - 1) < 5 * deviation / (1 - rate) + 1e-6


def test_one_key_gives_the_same_bits_and_another_key_others(native: Kernels) -> None:
    like = torch.empty(10_000)
    first, again, other = (kept(native, like, Drop(0.5, key)) for key in (7, 7, 8))

    assert torch.equal(first, again)
    assert 0.45 < (first == other).double().mean() < 0.55


def test_the_format_does_not_change_what_is_kept(native: Kernels) -> None:
    halves = torch.ones(5000, dtype=HALF)

    native.drop(halves, Drop(0.3, 9), relu=False)

    assert torch.equal((halves != 0).double(), kept(native, torch.empty(5000), Drop(0.3, 9)))


def test_a_higher_rate_keeps_a_part_of_what_a_lower_one_keeps(native: Kernels) -> None:
    like = torch.empty(10_000)
    low, high = kept(native, like, Drop(0.2, 3)), kept(native, like, Drop(0.6, 3))

    assert (low >= high).all()
    assert low.sum() > high.sum()


@pytest.mark.parametrize("lag", [1, 2, 3, 15, 16, 17, 64, 1024, 4096])
@pytest.mark.parametrize("key", [0, 5, 2**40 + 1])
def test_positions_do_not_follow_one_another(native: Kernels, lag: int, key: int) -> None:
    bits = kept(native, torch.empty(200_000), Drop(0.5, key))

    agreement = (bits[lag:] == bits[:-lag]).double().mean().item()

    assert abs(agreement - 0.5) < 5 * 0.5 / math.sqrt(len(bits) - lag)


@pytest.mark.parametrize("bit", range(0, 64, 7))
def test_each_bit_of_the_key_changes_half_of_what_is_kept(native: Kernels, bit: int) -> None:
    like = torch.empty(100_000)
    first, other = (kept(native, like, Drop(0.5, key)) for key in (77, 77 ^ (1 << bit)))

    agreement = (first == other).double().mean().item()

    assert abs(agreement - 0.5) < 5 * 0.5 / math.sqrt(len(like))


def test_all_patterns_of_eight_neighbours_are_about_as_frequent(native: Kernels) -> None:
    bits = kept(native, torch.empty(8 * 64_000), Drop(0.5, 21)).view(-1, 8).long()

    counts = torch.bincount((bits << torch.arange(8)).sum(1), minlength=256).double()

    chi_square = ((counts - 250).square() / 250).sum().item()  # 255 on average, deviation 22.6
    assert 255 - 5 * 22.6 < chi_square < 255 + 5 * 22.6


@formats
@pytest.mark.parametrize("count", [1, 17, 999])
@pytest.mark.parametrize("rate", [0.0, 0.25])
def test_the_gradient_passes_where_relu_and_dropout_let_the_value_pass(
    native: Kernels, dtype: torch.dtype, count: int, rate: float
) -> None:
    made, gradient = normal(count, dtype=dtype), normal(count, dtype=dtype, key="gradient")
    native.drop(made, Drop(rate, 4), relu=True)
    scaled = (gradient.float() * torch.tensor(1 / (1 - rate))).to(dtype)
    expected = torch.where(made > 0, scaled, 0)

    native.relu_drop_backward(gradient, made, rate)

    assert torch.equal(gradient, expected)


# --- Pooling ------------------------------------------------------------------------------------

SIZES = [(1, 1), (2, 2), (2, 5), (7, 4), (9, 9)]


def pooled(
    maps: torch.Tensor, ceil: bool, relu: bool, before: torch.Tensor, after: torch.Tensor
) -> torch.Tensor:
    """Return the pooled maps by PyTorch; `before` and `after` are what is kept, scaled."""
    maps = (maps.relu() if relu else maps) * before
    return F.max_pool2d(maps, 2, ceil_mode=ceil) * after


@formats
@channel_counts
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize(
    ("relu", "before", "after"),
    [(False, 0.0, 0.0), (True, 0.0, 0.0), (True, 0.3, 0.0), (False, 0.0, 0.4), (True, 0.3, 0.4)],
)
def test_pooling_and_its_way_back_are_those_of_pytorch(
    native: Kernels,
    dtype: torch.dtype,
    channels: int,
    size: tuple[int, int],
    ceil: bool,
    relu: bool,
    before: float,
    after: float,
) -> None:
    if size == (1, 1) and not ceil:
        return  # Nothing is left, and PyTorch refuses.
    maps = normal(3, channels, *size, dtype=dtype)
    first, second = Drop(before, 11), Drop(after, 12)
    reference = maps.double().requires_grad_()
    shape = F.max_pool2d(maps, 2, ceil_mode=ceil)
    expected = pooled(
        reference,
        ceil,
        relu,
        kept(native, maps, first) / (1 - before),
        kept(native, last(shape), second) / (1 - after),
    )
    gradient = normal(*expected.shape, dtype=dtype, key="gradient")
    (below,) = torch.autograd.grad(expected, reference, gradient.double())

    out, origin = native.pool(maps, ceil, relu, first, second)
    found = native.pool_backward(gradient, origin, size, before, after)

    close(out, expected)
    close(found, below)
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert found.is_contiguous(memory_format=torch.channels_last)
    if not before and not after:
        assert torch.equal(out.double(), expected)
        assert torch.equal(found.double(), below)


@formats
@pytest.mark.parametrize("channels", [1, 16, 20])
def test_the_first_of_equal_pixels_gets_the_gradient(
    native: Kernels, dtype: torch.dtype, channels: int
) -> None:
    maps = last(torch.randint(3, (4, channels, 7, 9), generator=generator(0)).to(dtype) - 1)
    reference = maps.double().requires_grad_()
    expected = F.max_pool2d(reference, 2, ceil_mode=True)
    gradient = normal(*expected.shape, dtype=dtype)
    (below,) = torch.autograd.grad(expected, reference, gradient.double())

    _, origin = native.pool(maps, True, False, KEEP_ALL, KEEP_ALL)
    found = native.pool_backward(gradient, origin, (7, 9), 0.0, 0.0)

    assert torch.equal(found.double(), below)


def test_a_window_without_a_positive_value_leads_nothing_back_through_relu(
    native: Kernels,
) -> None:
    maps = last(torch.tensor([[[[-1.0, -2.0, 3.0, 0.0], [-3.0, 0.0, 3.0, 1.0]]]]))

    out, origin = native.pool(maps, False, True, KEEP_ALL, KEEP_ALL)
    found = native.pool_backward(last(torch.full((1, 1, 1, 2), 5.0)), origin, (2, 4), 0.0, 0.0)

    assert out.flatten().tolist() == [0, 3]
    assert found.flatten().tolist() == [0, 0, 5, 0, 0, 0, 0, 0]


# --- Batch normalisation and GELU ----------------------------------------------------------------


def normed(values: torch.Tensor) -> Normed:
    channels = values.shape[1]
    weight = torch.rand(channels, generator=generator("weight")) + 0.5
    bias = torch.randn(channels, generator=generator("bias"))
    return Normed(values, weight, bias, torch.empty(channels), torch.empty(channels))


def run_norm(native: Kernels, of: Normed, gelu: bool, epsilon: float = 1e-5) -> torch.Tensor:
    running = torch.zeros_like(of.weight), torch.ones_like(of.weight)
    return native.norm(of, running, 0.1, epsilon, gelu)


def reference_norm(of: Normed, gelu: bool, relu: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the result by PyTorch in float64, and the tensors whose gradients are wanted."""
    before = of.values.double().requires_grad_()
    weight, bias = of.weight.double().requires_grad_(), of.bias.double().requires_grad_()
    values = before.relu() if relu else before
    made = F.batch_norm(values, None, None, weight, bias, training=True, eps=1e-5)
    return F.gelu(made) if gelu else made, [before, weight, bias]


@formats
@channel_counts
@pytest.mark.parametrize("size", [(1, 2), (5, 7), (13, 9)], ids=str)
@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_normalisation_and_its_way_back_are_those_of_pytorch(
    native: Kernels,
    dtype: torch.dtype,
    channels: int,
    size: tuple[int, int],
    gelu: bool,
    relu: bool,
) -> None:
    values = normal(6, channels, *size, dtype=dtype) * 2 + 1
    of = normed(values.relu() if relu else values)
    expected, asked = reference_norm(of, gelu, relu)
    gradient = normal(*values.shape, dtype=dtype, key="gradient")
    below, by_weight, by_bias = torch.autograd.grad(expected, asked, gradient.double())

    out = run_norm(native, of, gelu)
    weight, bias = torch.empty_like(of.weight), torch.empty_like(of.bias)
    found = native.norm_backward(gradient, of, weight, bias, gelu, relu)

    if dtype == FLOAT:
        near(out, expected, 2e-6)
        near(found, below, 3e-6)
    else:
        close(out, expected)
        close(found, below, times=4)
    # A sum whose terms cancel each other is as exact as its terms are, not as it is large itself.
    terms = 1e-6 + 1e-7 * values.numel() / channels
    assert (bias.double() - by_bias).abs().max() < terms
    assert (weight.double() - by_weight).abs().max() < terms + 4e-6 * by_weight.abs().max()


@formats
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_running_statistics_are_those_of_batch_norm(
    native: Kernels, dtype: torch.dtype, share: float
) -> None:
    layer = nn.BatchNorm2d(5, momentum=share).double()
    running = torch.zeros(5), torch.ones(5)

    for batch in range(3):
        values = normal(4, 5, 3, 7, dtype=dtype, key=f"batch {batch}") * 3 + batch
        layer(values.double())
        native.norm(normed(values), running, share, 1e-5, False)

    torch.testing.assert_close(running[0].double(), layer.running_mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(running[1].double(), layer.running_var, rtol=1e-6, atol=1e-6)


def test_mean_and_inverse_deviation_are_those_of_the_batch(native: Kernels) -> None:
    values = last(torch.tensor([[1.0, -7.0], [3.0, -7.0]])[:, :, None, None])
    of = normed(values)

    run_norm(native, of, gelu=False, epsilon=0.25)

    assert of.mean.tolist() == [2, -7]
    assert of.inverse.tolist() == [pytest.approx(1 / math.sqrt(1.25)), 2]  # variances 1 and 0


@pytest.mark.parametrize("offset", [1e2, 1e4, -1e5])
def test_a_mean_far_from_zero_does_not_eat_the_variance(native: Kernels, offset: float) -> None:
    values = normal(8, 3, 9, 9) + offset
    of = normed(values)
    exact = values.double()

    out = run_norm(native, of, gelu=False)

    variance = exact.var((0, 2, 3), correction=0)
    torch.testing.assert_close(of.inverse.double(), (variance + 1e-5).rsqrt(), rtol=1e-6, atol=0)
    torch.testing.assert_close(of.mean.double(), exact.mean((0, 2, 3)), rtol=6e-8, atol=0)
    expected, _ = reference_norm(of, gelu=False, relu=False)
    # Mean, shift and product are floats of the offset's size, each rounded once.
    assert (out.double() - expected).abs().max() < 4 * abs(offset) * 2**-24 + 1e-6


@formats
@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_stay_in_their_channel(
    native: Kernels, dtype: torch.dtype, gelu: bool, odd: float
) -> None:
    values = normal(2, 20, 3, 3, dtype=dtype)
    values[1, 4, 2, 0] = odd
    of = normed(values)
    weight, bias = torch.empty(20), torch.empty(20)

    out = run_norm(native, of, gelu)
    found = native.norm_backward(torch.ones_like(values), of, weight, bias, gelu, False)

    others = torch.arange(20) != 4
    assert not out[1, 4, 2, 0].isfinite()
    assert out[:, others].isfinite().all()
    assert found[:, others].isfinite().all()
    assert weight[others].isfinite().all()
    assert not of.inverse[4].isfinite() or not of.mean[4].isfinite()


POINTS = torch.linspace(-12, 12, 4801)


def at_points() -> Normed:
    """Return a channel for each point, whose first row is normalised to just that point."""
    rows = torch.tensor([1.0, -1.0]).repeat_interleave(len(POINTS))
    values = last(rows.view(2, -1, 1, 1))  # mean 0 and variance 1
    empty = torch.empty_like(POINTS)
    return Normed(values, POINTS.clone(), torch.zeros_like(POINTS), empty, empty.clone())


def test_gelu_is_exact_within_a_millionth(native: Kernels) -> None:
    out = run_norm(native, at_points(), gelu=True, epsilon=0)[0].flatten()

    assert (out.double() - F.gelu(POINTS.double())).abs().max() < 1e-6


def test_the_slope_of_gelu_is_exact_within_a_millionth(native: Kernels) -> None:
    of = at_points()
    run_norm(native, of, gelu=True, epsilon=0)
    exact = POINTS.double().requires_grad_()
    (expected,) = torch.autograd.grad(F.gelu(exact).sum(), exact)
    only_first_row = torch.zeros_like(of.values)
    only_first_row[0] = 1
    weight, slope = torch.empty_like(of.weight), torch.empty_like(of.bias)

    native.norm_backward(only_first_row, of, weight, slope, True, False)

    assert (slope.double() - expected).abs().max() < 1e-6


# --- From the images to the net, and from the net to the loss ------------------------------------


@pytest.mark.parametrize("shape", [(2, 1, 1, 1), (3, 8, 8, 3), (2, 9, 7, 1)], ids=str)
def test_pixels_become_numbers_from_0_to_1(
    native: Kernels, shape: tuple[int, int, int, int]
) -> None:
    pixels = torch.randint(256, shape, generator=generator("pixels"), dtype=torch.uint8)

    images = native.to_unit(pixels)

    assert torch.equal(images, pixels.permute(0, 3, 1, 2).float() / 255)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_every_level_of_a_pixel_is_divided_exactly(native: Kernels) -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1)

    assert torch.equal(native.to_unit(levels).flatten(), torch.arange(256) / 255)


@formats
@channel_counts
def test_scaling_takes_the_mean_and_divides_by_the_deviation(
    native: Kernels, dtype: torch.dtype, channels: int
) -> None:
    images = normal(3, channels, 5, 7)
    mean = torch.randn(channels, generator=generator("mean"))
    std = torch.rand(channels, generator=generator("std")) + 0.1
    expected = (images - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)

    scaled = native.scale(images, mean, std, dtype)

    assert torch.equal(scaled, expected.to(dtype))
    assert scaled.is_contiguous(memory_format=torch.channels_last)


@formats
@pytest.mark.parametrize("classes", [2, 10, 101])
@pytest.mark.parametrize("rows", [1, 7, 600])
@pytest.mark.parametrize("size", [1.0, 50.0])
def test_cross_entropy_and_its_gradient_are_those_of_pytorch(
    native: Kernels, dtype: torch.dtype, classes: int, rows: int, size: float
) -> None:
    logits = (normal(rows, classes) * size).to(dtype)
    targets = normal(rows, classes, key="targets").softmax(1)
    exact = logits.double().requires_grad_()
    loss = F.cross_entropy(exact, targets.double())
    (expected,) = torch.autograd.grad(loss, exact)
    sums = torch.tensor([100.0, 1000.0], dtype=torch.float64)

    gradient = native.cross_entropy(logits, targets, sums)

    if dtype == FLOAT:
        assert (gradient.double() - expected).abs().max() < 1e-6 / rows
    else:
        close(gradient, expected)
    right = (logits.argmax(1) == targets.argmax(1)).sum().item()
    assert sums[0].item() - 100 == pytest.approx(loss.item() * rows, rel=1e-6)
    assert sums[1].item() == 1000 + right


def test_cross_entropy_of_two_rows_follows_by_hand(native: Kernels) -> None:
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
    targets = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    sums = torch.zeros(2, dtype=torch.float64)

    gradient = native.cross_entropy(logits, targets, sums)

    torch.testing.assert_close(gradient, torch.tensor([[-0.375, 0.375], [0.0, 0.0]]))
    assert sums[0].item() == pytest.approx(math.log(4) + math.log(2))
    assert sums[1].item() == 1  # the first of equals counts


# --- The first convolution, with ReLU and pooling ------------------------------------------------


@formats
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("channels", [5, 16, 40])
@pytest.mark.parametrize(("size", "padding"), [((8, 8), 1), ((9, 7), 0), ((6, 5), 2)], ids=str)
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_a_first_convolution_with_relu_and_pooling_is_pytorchs(
    native: Kernels,
    dtype: torch.dtype,
    colours: int,
    channels: int,
    size: tuple[int, int],
    padding: int,
    rate: float,
) -> None:
    images, drop = normal(3, colours, *size, dtype=dtype), Drop(rate, 77)
    weight = normal(channels, colours, 3, 3, key="weight")
    bias = normal(channels, key="bias")
    exact_weight, exact_bias = (t.double().requires_grad_() for t in (weight, bias))
    maps = F.conv2d(images.double(), exact_weight, exact_bias, padding=padding)
    pooled = F.max_pool2d(F.relu(maps), 2)
    mask = kept(native, last(pooled.detach().float()), drop) / (1 - rate)
    taps = weight.permute(2, 3, 1, 0).contiguous()

    made, origin = native.first_pool(images, taps, bias, padding, drop)

    near(made, pooled * mask, 1e-6 if dtype == FLOAT else ROUNDING[HALF])
    assert (origin[(pooled * mask) == 0] == 4).all()
    gradient = normal(*made.shape, dtype=dtype, key="gradient")
    (pooled * mask).backward(gradient.double())
    own, own_bias = torch.empty_like(taps), torch.empty_like(bias)
    native.first_pool_backward(images, gradient, origin, own, own_bias, padding, rate)
    assert exact_weight.grad is not None and exact_bias.grad is not None
    near(own.permute(3, 2, 0, 1), exact_weight.grad, 2e-6)
    near(own_bias, exact_bias.grad, 2e-6)


# --- Convolutions: by Winograd's algorithm, or on units for whole matrices ------------------------

CONVOLUTIONS = [
    *[(2, 8, 8, (height, width)) for height in range(1, 8) for width in range(1, 8)],
    *[(1, 16, 40, (2, 3)), (3, 24, 16, (7, 4)), (2, 40, 24, (9, 12)), (2, 64, 72, (15, 15))],
    (150, 16, 8, (3, 3)),  # more than one block, which end within images
    (1, 8, 16, (70, 90)),
    (40, 32, 64, (17, 17)),  # whole lines of the cache, in more than one block
    (3, 104, 48, (1, 6)),
]
convolutions = pytest.mark.parametrize(
    ("images", "channels", "outputs", "size"), CONVOLUTIONS, ids=str
)
paddings = pytest.mark.parametrize("padding", [0, 1, 2])


@pytest.fixture
def convolving(native: Kernels) -> Kernels:
    if not native.has_convolutions:
        pytest.skip("this processor does not multiply bfloat16 in vectors")
    return native


def whole_numbers(*shape: int, key: str) -> torch.Tensor:
    """Return numbers from -2 to 2."""
    return last(torch.randint(-2, 3, shape, generator=generator(key, *shape)).float())


class Exact:
    """A convolution and its gradients in float64."""

    def __init__(
        self,
        maps: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        padding: int,
        gradient: torch.Tensor,
    ) -> None:
        taken = [one.double().requires_grad_() for one in (maps, weight, bias)]
        self.made = F.conv2d(*taken, padding=padding)
        self.below, self.weight, self.bias = torch.autograd.grad(
            self.made, taken, gradient.double()
        )


def assert_right_but_for_rounding(found: torch.Tensor, right: torch.Tensor) -> None:
    """Refuse a single number that is off by more than rounding makes it, about 1.5% of the size of
    all; a pixel or a tap at the wrong place would be off by all of it."""
    size = right.square().mean().sqrt()
    assert (found.double() - right).abs().max() < 0.2 * size


@convolutions
@paddings
def test_convolving_and_its_way_back_are_right_at_every_edge(
    convolving: Kernels,
    images: int,
    channels: int,
    outputs: int,
    size: tuple[int, int],
    padding: int,
) -> None:
    made_size = size[0] + 2 * padding - 2, size[1] + 2 * padding - 2
    if min(made_size) < 1:
        return
    maps = whole_numbers(images, channels, *size, key="maps").to(HALF)
    weight = whole_numbers(outputs, channels, 3, 3, key="weight")
    bias = torch.arange(outputs).float()
    gradient = whole_numbers(images, outputs, *made_size, key="gradient").to(HALF)
    exact = Exact(maps, weight, bias, padding, gradient)

    made = convolving.convolve(maps, weight, bias, padding, relu=False)
    rectified = convolving.convolve(maps, weight, None, padding, relu=True)
    below = convolving.convolve_backward(gradient, weight, maps, padding)
    by_weight, by_bias = last(torch.empty_like(weight)), torch.empty_like(bias)
    convolving.convolve_weight(maps, gradient, by_weight, by_bias, padding)

    without_bias = exact.made - bias.view(-1, 1, 1)
    assert_right_but_for_rounding(made - bias.view(-1, 1, 1), without_bias)
    assert_right_but_for_rounding(rectified, without_bias.relu())
    assert_right_but_for_rounding(below, exact.below)
    assert_right_but_for_rounding(by_weight, exact.weight)
    assert torch.equal(by_bias.double(), exact.bias)
    assert made.is_contiguous(memory_format=torch.channels_last)
    assert below.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("channels", "outputs", "side"), [(16, 32, 8), (64, 64, 15), (256, 32, 7)], ids=str
)
def test_convolving_leaves_errors_of_two_percent_by_winograds_algorithm_and_less_directly(
    convolving: Kernels, channels: int, outputs: int, side: int
) -> None:
    maps = normal(6, channels, side, side, dtype=HALF)
    weight, bias = normal(outputs, channels, 3, 3, key="weight"), normal(outputs, key="bias")
    weight = weight / math.sqrt(9 * channels)
    gradient = normal(6, outputs, side, side, dtype=HALF, key="gradient")
    exact = Exact(maps, weight, bias, 1, gradient)

    made = convolving.convolve(maps, weight, bias, 1, relu=False)
    below = convolving.convolve_backward(gradient, weight, maps, 1)
    by_weight, by_bias = last(torch.empty_like(weight)), torch.empty_like(bias)
    convolving.convolve_weight(maps, gradient, by_weight, by_bias, 1)

    def error(found: torch.Tensor, right: torch.Tensor) -> float:
        return ((found.double() - right).norm() / right.norm()).item()

    most = 0.004 if torch.cpu._is_amx_tile_supported() else 0.02
    assert error(made, exact.made) < most
    assert error(below, exact.below) < most
    assert error(by_weight, exact.weight) < most
    assert error(by_bias, exact.bias) < 1e-6


def test_maps_smaller_than_the_filter_are_refused(convolving: Kernels) -> None:
    maps = normal(1, 8, 2, 5, dtype=HALF)

    with pytest.raises(RunError, match="3×3 pixels or more"):
        convolving.convolve(maps, normal(8, 8, 3, 3), None, 0, relu=False)


def test_a_number_that_is_none_passes_the_relu_of_a_convolution(convolving: Kernels) -> None:
    maps = last(torch.full((1, 8, 4, 4), math.nan).to(HALF))

    made = convolving.convolve(maps, normal(8, 8, 3, 3), None, 1, relu=True)

    assert made.isnan().all()


# --- Threads --------------------------------------------------------------------------------------


def results(native: Kernels, name: str, dtype: torch.dtype) -> list[torch.Tensor]:
    """Return what a kernel makes of maps that are large enough for two threads."""
    channels = 12
    maps = normal(4, channels, 33, 32, dtype=dtype)
    assert maps.numel() > LARGE
    gradient = normal(4, channels, 17, 16, dtype=dtype, key="gradient")
    sums = torch.zeros(2, dtype=torch.float64)
    if name == "drop":
        native.drop(maps, Drop(0.4, 5), relu=True)
        return [maps]
    if name == "relu_drop_backward":
        like = maps.clone()
        native.relu_drop_backward(like, normal(4, channels, 33, 32, dtype=dtype, key="made"), 0.2)
        return [like]
    if name == "pool":
        return list(native.pool(maps, True, True, Drop(0.2, 1), Drop(0.2, 2)))
    if name == "pool_backward":
        _, origin = native.pool(maps, True, True, Drop(0.2, 1), Drop(0.2, 2))
        return [native.pool_backward(gradient, origin, (33, 32), 0.2, 0.2)]
    if name == "to_unit":
        return [
            native.to_unit(torch.arange(256, dtype=torch.uint8).repeat(400).view(100, 32, 32, 1))
        ]
    if name == "scale":
        mean = torch.arange(channels) / 8
        return [native.scale(maps.float(), mean, mean + 1, dtype)]
    if name == "cross_entropy":
        logits = normal(3000, 10, dtype=dtype)
        targets = normal(3000, 10, key="targets").softmax(1)
        return [native.cross_entropy(logits, targets, sums), sums]
    if name.startswith("convolve"):
        return convolved(native, name)
    of = normed(maps)
    weight, bias = torch.empty(channels), torch.empty(channels)
    out = run_norm(native, of, gelu=True)
    below = native.norm_backward(maps, of, weight, bias, True, True)
    return [out, below, weight, bias, of.mean, of.inverse]


def convolved(native: Kernels, name: str) -> list[torch.Tensor]:
    maps, gradient = normal(9, 24, 33, 32, dtype=HALF), normal(9, 40, 33, 32, dtype=HALF)
    weight, bias = normal(40, 24, 3, 3, key="weight"), normal(40)
    if name == "convolve":
        made = native.convolve(maps, weight, bias, 1, relu=True)
        return [made, native.convolve_backward(gradient, weight, maps, 1)]
    native.convolve_weight(maps, gradient, weight, bias, 1)
    return [weight, bias]


ELEMENTWISE = [
    *("drop", "relu_drop_backward", "pool", "pool_backward"),
    *("to_unit", "scale", "cross_entropy"),
]


@formats
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_number_of_threads_does_not_change_a_bit(
    native: Kernels, threads: Callable[[int], None], dtype: torch.dtype, name: str
) -> None:
    threads(1)
    alone = results(native, name, dtype)
    threads(2)

    for one, other in zip(alone, results(native, name, dtype), strict=True):
        assert torch.equal(one, other)


@formats
@pytest.mark.parametrize("count", [1, 2])
def test_normalisation_gives_the_same_bits_at_every_call(
    native: Kernels, threads: Callable[[int], None], dtype: torch.dtype, count: int
) -> None:
    threads(count)
    runs = [results(native, "norm", dtype) for _ in range(5)]

    for first, second in itertools.pairwise(runs):
        for one, other in zip(first, second, strict=True):
            assert torch.equal(one, other)


@formats
def test_normalisation_with_two_threads_is_right_as_well(
    native: Kernels, threads: Callable[[int], None], dtype: torch.dtype
) -> None:
    threads(1)
    alone = results(native, "norm", dtype)
    threads(2)

    for one, other in zip(alone, results(native, "norm", dtype), strict=True):
        near(other, one.double(), 2 * ROUNDING[dtype] if dtype == HALF else 3e-6)


def test_the_number_of_threads_does_not_change_a_bit_of_a_convolution(
    convolving: Kernels, threads: Callable[[int], None]
) -> None:
    threads(1)
    alone = results(convolving, "convolve", HALF)
    threads(2)

    for one, other in zip(alone, results(convolving, "convolve", HALF), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_gradients_of_a_convolutions_weights_have_the_same_bits_at_every_call(
    convolving: Kernels, threads: Callable[[int], None], count: int
) -> None:
    threads(count)
    runs = [results(convolving, "convolve_weight", HALF) for _ in range(4)]

    for first, second in itertools.pairwise(runs):
        for one, other in zip(first, second, strict=True):
            assert torch.equal(one, other)


def test_gradients_of_a_convolutions_weights_with_more_threads_are_right_as_well(
    convolving: Kernels, threads: Callable[[int], None]
) -> None:
    threads(1)
    alone = results(convolving, "convolve_weight", HALF)
    threads(3)

    for one, other in zip(alone, results(convolving, "convolve_weight", HALF), strict=True):
        near(other, one.double(), 3e-6)
