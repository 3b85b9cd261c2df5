import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rungwise.errors import ConfigError
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


def test_a_border_comes_before_the_stem() -> None:
    layers = summarize(Compact(whitened_patch=3, border=1), (1, 28, 28), 10).layers

    assert [layer.output for layer in layers if layer.kind in ("border", "pool")] == [
        (1, 30, 30),
        (64, 14, 14),
        (256, 7, 7),
        (256, 3, 3),
        (256,),
    ]


@pytest.mark.parametrize(
    ("border", "smallest"),
    [
        (0, 10),  # 10 → 8 → 4, 2, 1
        (1, 8),
        (5, 3),  # the patch itself
    ],
)
def test_a_border_lets_smaller_images_in(border: int, smallest: int) -> None:
    model = Compact(widths=(4, 4, 4), whitened_patch=3, border=border)
    network = model.build((1, smallest, smallest), 2, generator(0))

    assert network(torch.rand(2, 1, smallest, smallest)).logits.shape == (2, 2)
    with pytest.raises(ConfigError, match=f"at least {smallest}×{smallest} pixels"):
        model.build((1, smallest - 1, smallest - 1), 2, generator(0))


def test_a_border_below_0_is_refused() -> None:
    with pytest.raises(ConfigError, match="compact border is -1"):
        Compact(border=-1)


def test_a_whitened_stem_is_fixed_but_for_its_bias() -> None:
    network = Compact(whitened_patch=2).build((3, 32, 32), 10, generator(0))
    stem = dict(network.stem.named_parameters())

    assert stem["conv.weight"].shape == (24, 3, 2, 2)
    assert not stem["conv.weight"].requires_grad and stem["conv.bias"].requires_grad
    assert network.stem(torch.rand(1, 3, 32, 32)).shape == (1, 24, 31, 31)


def test_a_whitened_stem_may_keep_fewer_pairs_of_filters() -> None:
    network = Compact(whitened_patch=3, whitened_pairs=8).build((1, 28, 28), 10, generator(0))

    assert network.stem(torch.rand(1, 1, 28, 28)).shape == (1, 16, 26, 26)


@pytest.mark.parametrize("pairs", [0, 10])
def test_more_pairs_than_a_patch_has_numbers_are_refused(pairs: int) -> None:
    with pytest.raises(ConfigError, match="1 to 9"):
        Compact(whitened_patch=3, whitened_pairs=pairs).build((1, 28, 28), 10, generator(0))


def test_pairs_without_a_whitened_patch_are_refused() -> None:
    with pytest.raises(ConfigError, match="whitened_pairs 8 has no effect"):
        Compact(whitened_pairs=8)


def test_whitened_patches_and_a_stem_width_are_refused_together() -> None:
    with pytest.raises(ConfigError, match="stem_width 16 has no effect"):
        Compact(whitened_patch=2, stem_width=16)


def test_identity_filters_hand_the_first_channels_on() -> None:
    network = Compact(widths=(6, 4), stem_width=3, identity_init=True).build(
        (3, 8, 8), 4, generator(0)
    )
    maps = torch.rand(2, 3, 8, 8)
    made = network.group1.conv1(maps)
    wide = torch.rand(2, 6, 8, 8)

    torch.testing.assert_close(made[:, :3], maps)
    assert made.shape[1] == 6 and not torch.equal(made[:, 3:], maps)
    torch.testing.assert_close(network.group2.conv1(wide), wide[:, :4])
    plain = Compact(widths=(6, 4), stem_width=3).build((3, 8, 8), 4, generator(0))
    assert torch.equal(network.stem.conv.weight, plain.stem.conv.weight)


def test_further_convolutions_of_a_group_are_added_to_their_input() -> None:
    network = Compact(widths=(5,), depth=3).build((1, 8, 8), 2, generator(0)).eval()
    maps = torch.rand(2, 5, 4, 4)
    block = network.group.residual

    expected = maps + F.gelu(block.layers.norm(block.layers.conv(maps)))
    torch.testing.assert_close(block(maps), expected)


def test_each_group_may_have_a_depth_of_its_own() -> None:
    layers = summarize(Compact(widths=(5, 6), depth=(3, 1)), (1, 8, 8), 2).layers
    convs = [layer.name.split(".")[0] for layer in layers if layer.kind == "conv"]
    assert convs == ["stem", "group1", "group1", "group1", "group2"]


def test_a_group_may_have_a_single_convolution() -> None:
    layers = summarize(Compact(widths=(5,), depth=1), (1, 8, 8), 2).layers
    kinds = [layer.kind for layer in layers if layer.name.startswith("group")]
    assert kinds == ["conv", "pool", "norm"]


def test_rounding_is_no_gradient_where_channels_hardly_vary() -> None:
    """A plain grey image makes constant channels; six normalisations in a row see nothing else."""
    model = Compact(widths=(8, 8, 8), whitened_patch=2, identity_init=True, norm_scale=False)
    images = torch.full((20, 1, 32, 32), 0.7)
    images[:, :, 16, 16] += torch.linspace(0, 1, 20)[:, None]
    labels = torch.arange(20) % 4
    gradients = []
    for dtype in (torch.float32, torch.float64):
        network = model.build((1, 32, 32), 4, generator(0)).to(dtype)
        F.cross_entropy(network(images.to(dtype)).logits, labels).backward()
        gradients.append(network.stem.conv.bias.grad.double())

    single, double = gradients
    assert (single - double).abs().max() < 0.01 * double.abs().max()


def test_a_normalisation_without_scale_learns_its_shift_alone() -> None:
    network = Compact(widths=(5,), norm_scale=False).build((1, 8, 8), 2, generator(0))
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    assert "group.norm1.bias" in trained and "group.norm1.weight" not in trained
