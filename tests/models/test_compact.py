import torch
from torch import nn

from rungwise.models import Compact
from rungwise.models.summary import summarize
from rungwise.randomness import generator


def test_groups_pool_after_their_first_convolution() -> None:
    summary = summarize(Compact(), (3, 32, 32), 10)
    group = [layer for layer in summary.layers if layer.name.startswith("group2")]
    assert [(layer.kind, layer.output) for layer in group] == [
        ("conv", (256, 16, 16)),
        ("pool", (256, 8, 8)),
        ("norm", (256, 8, 8)),
        ("conv", (256, 8, 8)),
        ("norm", (256, 8, 8)),
    ]
    assert [layer.description for layer in group if layer.kind == "norm"] == 2 * [
        "batch norm, gelu"
    ]


def test_parameters_by_hand() -> None:
    convs = 9 * (3 * 32 + 32 * 64 + 64 * 64 + 64 * 256 + 256 * 256 + 256 * 256 + 256 * 256)
    norms = 2 * (32 + 2 * 64 + 2 * 256 + 2 * 256)
    assert summarize(Compact(), (3, 32, 32), 10).parameters == convs + norms + 256 * 10


def test_no_layer_but_the_normalisation_has_a_bias() -> None:
    network = Compact().build((3, 32, 32), 10, generator(0))
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert all(layer.bias is None for layer in layers)


def test_logits_are_scaled() -> None:
    images = torch.rand(4, 1, 8, 8)
    ninth, whole = (
        Compact(widths=(8,), logit_scale=scale).build((1, 8, 8), 3, generator(0)).eval()
        for scale in (1 / 9, 1.0)
    )
    torch.testing.assert_close(9 * ninth(images).logits, whole(images).logits)


def test_a_built_network_takes_other_sizes_too() -> None:
    network = Compact(widths=(8, 8)).build((3, 32, 32), 10, generator(0))
    assert network(torch.rand(2, 3, 20, 24)).logits.shape == (2, 10)


def test_average_pooling_is_a_setting() -> None:
    layers = summarize(Compact(pooling="average"), (3, 32, 32), 10).layers
    assert "global average" in [layer.description for layer in layers]
