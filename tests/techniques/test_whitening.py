import pytest
import torch
import torch.nn.functional as F

from rungwise.data.images import LabelledImages
from rungwise.errors import ConfigError
from rungwise.models import MLP, Compact
from rungwise.models.input import ScaledNetwork, input_statistics
from rungwise.models.layers import WhitenedConv2d
from rungwise.randomness import generator
from rungwise.techniques import Whitening
from rungwise.techniques.whitening import whitening_filters

CLASSES = ("a", "b")


def smooth_images(count: int, channels: int) -> torch.Tensor:
    """Return images (N, C, 12, 12) in 0..1 whose neighbouring pixels are alike."""
    noise = torch.rand(count, channels, 14, 14, generator=generator("noise"))
    return F.avg_pool2d(noise, 3, stride=1)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_outputs_are_uncorrelated_and_of_one_size(size: int, channels: int) -> None:
    images = smooth_images(200, channels)
    filters = whitening_filters(images.split(30), size, 1e-12)

    made = F.conv2d(images, filters.view(-1, channels, size, size)).transpose(0, 1).flatten(1)
    moments = made @ made.t() / made.shape[1]
    torch.testing.assert_close(moments, torch.eye(len(moments)), atol=2e-3, rtol=0)


def test_eps_keeps_directions_without_content_small() -> None:
    images = torch.rand(50, 1, 8, 1, generator=generator("x")).expand(50, 1, 8, 8)
    filters = whitening_filters([images], 2, 1e-2)
    # Equal columns: of the four directions two hold nothing, and would be divided by 0.
    assert filters.norm(dim=1).max() <= 1 / 1e-2**0.5 + 1e-4


def prepared(
    technique: Whitening, images: torch.Tensor, seed: int = 0, pairs: int | None = None
) -> ScaledNetwork:
    pixels = (255 * images).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    labels = torch.zeros(len(images), dtype=torch.int64)
    train = LabelledImages(pixels, labels, CLASSES)
    model = Compact(widths=(4,), whitened_patch=2, whitened_pairs=pairs)
    net = model.build(train.shape, 2, generator(0))
    network = ScaledNetwork(net, *input_statistics("standardized", train))
    technique.prepare(network, train, generator(seed))
    return network


def test_the_first_layer_whitens_the_scaled_images_and_has_each_filter_twice() -> None:
    images = smooth_images(100, 3)
    net = prepared(Whitening(eps=1e-12), images)
    layer = net.net.stem.conv

    with torch.no_grad():
        made = layer((images - net.mean) / net.std).transpose(0, 1).flatten(1)
    moments = (made @ made.t() / made.shape[1])[:12, :12]
    torch.testing.assert_close(moments, torch.eye(12), atol=0.02, rtol=0)
    assert torch.equal(layer.weight[:12], -layer.weight[12:])
    assert (layer.bias == 0).all()


def test_fewer_pairs_of_filters_are_those_along_which_patches_vary_most() -> None:
    images = smooth_images(50, 3)
    net = prepared(Whitening(), images)
    every = net.net.stem.conv.weight
    few = prepared(Whitening(), images, pairs=4).net.stem.conv.weight
    directions = F.normalize(every[:12].flatten(1))
    patches = F.unfold((images - net.mean) / net.std, 2).transpose(1, 2).flatten(0, 1)
    spread = (patches @ directions.t()).square().mean(0)

    assert torch.equal(few, torch.cat([every[8:12], every[20:]]))
    assert spread[:8].max() < spread[8:].min()


@pytest.mark.parametrize("shown", [[0, 1], [2]])
def test_directions_in_which_no_patch_varies_have_others_filters(shown: list[int]) -> None:
    """Channels that are always 0, and one that equals another, leave filters without a variance."""
    images = torch.zeros(60, 3, 12, 12)
    images[:, shown] = smooth_images(60, 1)
    filters = whitening_filters([images], 2, 1e-7)
    patches = F.unfold(images, 2).transpose(1, 2).flatten(0, 1)
    spread = (patches @ filters.t()).square().mean(0)

    assert len(filters) == 12
    torch.testing.assert_close(spread, torch.ones(12), atol=0.1, rtol=0)
    torch.testing.assert_close(filters[4:8], filters[8:])
    torch.testing.assert_close(filters[:4], filters[8:])


def test_images_that_show_nothing_leave_finite_filters() -> None:
    assert whitening_filters([torch.zeros(9, 1, 5, 5)], 2, 5e-4).isfinite().all()


def test_only_so_many_images_are_looked_at() -> None:
    one = smooth_images(40, 1)
    few = prepared(Whitening(images=3), one, seed=1).net.stem.conv.weight
    other = prepared(Whitening(images=3), one, seed=2).net.stem.conv.weight
    every = [prepared(Whitening(images=40), one, s).net.stem.conv.weight.abs() for s in (1, 2)]

    assert not torch.allclose(few.abs(), other.abs(), atol=1e-3)
    torch.testing.assert_close(*every, atol=1e-3, rtol=1e-3)


def test_the_bias_is_fixed_after_its_share_of_the_training() -> None:
    technique, net = Whitening(bias_until=0.25), prepared(Whitening(), smooth_images(9, 1))

    assert technique.frozen(net, 0.24) == []
    assert [type(module) for module in technique.frozen(net, 0.25)] == [WhitenedConv2d]


@pytest.mark.parametrize("model", [MLP(), Compact()])
def test_a_model_without_a_fixed_first_layer_is_refused(model: MLP | Compact) -> None:
    with pytest.raises(ConfigError, match="whitened_patch"):
        Whitening().check(model, validated=True)


@pytest.mark.parametrize("settings", [{"images": 0}, {"eps": 0.0}, {"bias_until": 1.5}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="whitening"):
        Whitening(**settings)  # type: ignore[arg-type]
