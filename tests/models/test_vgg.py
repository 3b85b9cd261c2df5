from torch import nn

from rungwise.models import VGGBenchmark, VGGDeep
from rungwise.models.summary import summarize
from rungwise.randomness import generator


def kinds(model: VGGBenchmark | VGGDeep) -> str:
    """Write a network as words, each layer with its width where it has one."""
    words = []
    for layer in summarize(model, (3, 32, 32), 10).layers:
        width = layer.output[0] if layer.kind in ("conv", "dense") else ""
        words.append(f"{layer.kind}{width}")
    return " ".join(words)


def test_benchmark_net_of_article_b() -> None:
    assert kinds(VGGBenchmark()) == (
        "conv64 conv64 dropout pool conv128 conv128 dropout pool conv256 conv256 pool "
        "dense1024 dropout dense10"
    )
    convs = 1_792 + 36_928 + 73_856 + 147_584 + 295_168 + 590_080
    summary = summarize(VGGBenchmark(), (3, 32, 32), 10)
    assert summary.parameters == convs + 263_168 + 10_250 == 1_418_826


def test_deep_net_of_article_b() -> None:
    assert kinds(VGGDeep()) == (
        "conv64 conv64 norm conv64 pool dropout "
        "conv128 conv128 norm conv128 pool dropout "
        "conv256 conv256 norm conv256 conv256 conv256 norm conv512 conv512 pool "
        "dense1024 dropout dense1024 dropout dense10"
    )
    first = 1_792 + 2 * 36_928
    second = 73_856 + 2 * 147_584
    third = 295_168 + 4 * 590_080 + 1_180_160 + 2_359_808
    norms = 2 * (64 + 128 + 256 + 256)
    dense = 525_312 + 1_049_600 + 10_250
    summary = summarize(VGGDeep(), (3, 32, 32), 10)
    assert summary.parameters == first + second + third + norms + dense == 8_226_698


def test_normalization_stands_after_the_activation() -> None:
    network = VGGDeep().build((3, 8, 8), 10, generator(0))
    layers = list(network)
    before = [type(layers[i - 1]) for i, layer in enumerate(layers) if "Norm" in str(layer)]
    assert before == [nn.ReLU] * 4


def test_article_s_dropout_rates_are_the_defaults_and_0_removes_them() -> None:
    layers = summarize(VGGDeep(), (3, 32, 32), 10).layers
    rates = [layer.description for layer in layers if layer.kind == "dropout"]
    assert rates == ["rate 0.25", "rate 0.25", "rate 0.5", "rate 0.5"]
    assert "dropout" not in kinds(VGGDeep(dropout_conv=0, dropout_dense=0))


def test_normalization_can_be_left_out() -> None:
    assert "norm" not in kinds(VGGDeep(normalization=False))
