"""What holds for every architecture of the registry."""

import pytest
import torch

from rungwise.errors import ConfigError
from rungwise.models import (
    CNN,
    MODELS,
    Compact,
    Model,
    Multitask,
    VGGBenchmark,
    VGGDeep,
)
from rungwise.models.layers import Classifier
from rungwise.models.summary import summarize
from rungwise.randomness import generator

SMALL: dict[str, Model] = {
    "compact": Compact(widths=(16, 32)),
    "cnn": CNN(conv_widths=(8, 8)),
    "multitask": Multitask(conv_width=8, dense_width=16),
    "vgg-benchmark": VGGBenchmark(widths=(8, 8, 8), dense_width=16),
    "vgg-deep": VGGDeep(widths=(8, 8, 8, 8), dense_width=16),
}
"""Settings for quick tests on images of 8×8 pixels, where the defaults are made for larger ones."""

members = pytest.mark.parametrize("name", sorted(MODELS))
seeds = pytest.mark.parametrize("seed", [0, 1, 2])


def small(name: str) -> Model:
    return SMALL.get(name) or MODELS[name]()


@members
@seeds
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_network_returns_logits_and_maybe_a_reconstruction(
    name: str, seed: int, channels: int
) -> None:
    model = small(name)
    network = model.build((channels, 8, 8), 7, generator(seed, "model"))
    images = torch.rand(4, channels, 8, 8, generator=generator(seed, "images"))

    output = network(images.contiguous(memory_format=torch.channels_last))

    assert output.logits.shape == (4, 7)
    assert output.logits.isfinite().all()
    assert (output.reconstruction is not None) == model.reconstructs
    if output.reconstruction is not None:
        assert output.reconstruction.shape == images.shape
        assert 0 <= output.reconstruction.min() <= output.reconstruction.max() <= 1


@members
def test_a_chain_says_so(name: str) -> None:
    model = small(name)

    assert isinstance(model.build((3, 8, 8), 4, generator(0)), Classifier) == model.is_chain


@members
@seeds
def test_every_weight_receives_a_gradient(name: str, seed: int) -> None:
    network = small(name).build((3, 8, 8), 4, generator(seed, "model"))
    output = network(torch.rand(6, 3, 8, 8, generator=generator(seed, "images")))
    loss = output.logits.logsumexp(1).sum() + output.logits[:, 0].sum()
    if output.reconstruction is not None:
        loss = loss + output.reconstruction.square().sum()
    loss.backward()

    without = [key for key, weight in network.named_parameters() if weight.grad is None]
    assert without == []


@members
@seeds
def test_the_key_of_the_generator_alone_determines_the_weights(name: str, seed: int) -> None:
    torch.manual_seed(1)
    first = small(name).build((1, 8, 8), 4, generator(seed, "model")).state_dict()
    torch.manual_seed(2)
    second = small(name).build((1, 8, 8), 4, generator(seed, "model")).state_dict()
    other = small(name).build((1, 8, 8), 4, generator(seed, "another")).state_dict()

    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


@members
def test_building_leaves_the_global_generator_alone(name: str) -> None:
    before = torch.random.get_rng_state()
    small(name).build((1, 8, 8), 4, generator(0))
    assert torch.equal(before, torch.random.get_rng_state())


@members
def test_memory_order_of_the_images_does_not_change_the_prediction(name: str) -> None:
    network = small(name).build((3, 8, 8), 4, generator(0)).eval()
    images = torch.rand(2, 3, 8, 8, generator=generator(1))
    with torch.no_grad():
        plain = network(images).logits
        last = network(images.contiguous(memory_format=torch.channels_last)).logits
    torch.testing.assert_close(plain, last)


@members
def test_weights_survive_a_state_dict(name: str) -> None:
    source = small(name).build((1, 8, 8), 4, generator(0)).eval()
    copy = small(name).build((1, 8, 8), 4, generator(1)).eval()
    copy.load_state_dict(source.state_dict())
    images = torch.rand(2, 1, 8, 8, generator=generator(2))
    assert torch.equal(source(images).logits, copy(images).logits)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"multitask"}))
@pytest.mark.parametrize(("height", "width"), [(13, 9), (9, 28), (31, 17)])
def test_odd_and_oblong_images_are_taken(name: str, height: int, width: int) -> None:
    model = small(name)
    output = model.build((2, height, width), 3, generator(0))(torch.rand(2, 2, height, width))
    assert output.logits.shape == (2, 3)
    if output.reconstruction is not None:
        assert output.reconstruction.shape == (2, 2, height, width)


@members
def test_summary_adds_up(name: str) -> None:
    summary = summarize(small(name), (3, 8, 8), 4)
    assert sum(layer.parameters for layer in summary.layers) == summary.parameters
    assert sum(layer.flops for layer in summary.layers) == summary.flops
    assert 2 * summary.flops < summary.training_flops_per_image < 3 * summary.flops


@pytest.mark.parametrize(
    ("name", "smallest"),
    [("cnn", 6), ("compact", 8), ("vgg-benchmark", 4), ("vgg-deep", 4), ("multitask", 4)],
)
def test_too_small_images_are_told_the_smallest_size(name: str, smallest: int) -> None:
    model = MODELS[name]()
    model.build((1, smallest, smallest), 2, generator(0))
    with pytest.raises(ConfigError) as caught:
        model.build((1, smallest, smallest - 1), 2, generator(0))
    assert f"{smallest}×{smallest}" in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("cnn", "conv_widths", ()),
        ("cnn", "conv_widths", (32, 0)),
        ("cnn", "dense_widths", (-1,)),
        ("cnn", "dropout_conv", 25),
        ("cnn", "dropout_dense", -0.1),
        ("cnn", "conv_edge", "full"),
        ("cnn", "pooling", "min"),
        ("cnn", "pooling_place", "middle"),
        ("cnn", "border", -1),
        ("compact", "widths", ()),
        ("compact", "stem_width", 0),
        ("compact", "pooling", "min"),
        ("compact", "logit_scale", 0.0),
        ("compact", "norm_momentum", 0.0),
        ("compact", "depth", 0),
        ("compact", "depth", (2, 0, 2)),
        ("compact", "depth", (3, 2)),
        ("compact", "whitened_patch", 0),
        ("mlp", "hidden_widths", (0,)),
        ("multitask", "conv_width", 0),
        ("multitask", "dense_width", 0),
        ("multitask", "dropout", 1.0),
        ("strided-cnn", "conv_widths", ()),
        ("strided-cnn", "dense_widths", (0,)),
        ("two-branch", "encoder_widths", ()),
        ("two-branch", "decoder_widths", (0,)),
        ("two-branch", "conv_widths", ()),
        ("two-branch", "dense_widths", ()),
        ("two-branch", "fusion_width", 0),
        ("vgg-benchmark", "widths", (64, 128)),
        ("vgg-benchmark", "dropout_dense", 1.0),
        ("vgg-deep", "widths", (64, 128, 256)),
        ("vgg-deep", "dense_width", 0),
        ("vgg-deep", "dropout_conv", float("nan")),
    ],
)
def test_an_impossible_setting_is_named(name: str, setting: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{name} {setting} is ") as caught:
        MODELS[name](**{setting: value})
    assert caught.value.expected
    assert caught.value.fix
