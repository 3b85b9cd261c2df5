import numpy as np
import pytest
import torch
from torch import nn

from rungwise.data import images
from rungwise.data.images import LabelledImages
from rungwise.models.base import Output
from rungwise.models.input import (
    InputScaling,
    ScaledNetwork,
    input_statistics,
    network_shape,
)


class Seen(nn.Module):
    """Returns what it is fed as logits."""

    def forward(self, images: torch.Tensor) -> Output:
        return Output(images.flatten(1))


def labelled(pixels: torch.Tensor) -> LabelledImages:
    return LabelledImages(pixels, torch.zeros(len(pixels), dtype=torch.int64), ("a",))


def test_unit_scaling_leaves_pixels_as_they_are() -> None:
    network = ScaledNetwork(
        Seen(), *input_statistics("unit", labelled(torch.zeros(1, 1, 2, 1).byte()))
    )

    assert network(torch.tensor([[[[0.0, 0.25]]]])).logits.tolist() == [[0.0, 0.25]]


def test_raw_scaling_gives_0_to_255() -> None:
    network = ScaledNetwork(
        Seen(), *input_statistics("raw", labelled(torch.zeros(1, 1, 2, 1).byte()))
    )

    seen = network(torch.tensor([[[[1.0, 51 / 255]]]])).logits
    torch.testing.assert_close(seen, torch.tensor([[255.0, 51.0]]))


def test_standardized_statistics_by_hand() -> None:
    # first channel 0 and 255: mean 0.5, deviation 0.5; second channel 51 alone
    pixels = torch.tensor([[0, 51], [255, 51]], dtype=torch.uint8).view(2, 1, 1, 2)

    mean, std = input_statistics("standardized", labelled(pixels))

    torch.testing.assert_close(mean, torch.tensor([0.5, 0.2]))
    assert std.tolist() == [0.5, 1.0]  # a constant channel is not divided by 0


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_standardized_statistics_are_numpys(channels: int) -> None:
    pixels = torch.randint(0, 256, (20, 7, 5, channels), dtype=torch.uint8)

    mean, std = input_statistics("standardized", labelled(pixels))

    unit = pixels.numpy() / 255.0
    np.testing.assert_allclose(mean.numpy(), unit.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(std.numpy(), unit.std((0, 1, 2)), rtol=1e-6)
    assert (mean.dtype, std.dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize("scaling", ["unit", "raw", "standardized"])
def test_statistics_do_not_depend_on_the_chunks(
    scaling: InputScaling, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = labelled(torch.randint(0, 256, (11, 2, 2, 3), dtype=torch.uint8))
    at_once = input_statistics(scaling, data)
    monkeypatch.setattr(images, "CHUNK_BYTES", 2 * 12)  # two images

    for one, other in zip(at_once, input_statistics(scaling, data), strict=True):
        assert torch.equal(one, other)


def test_grey_images_of_three_channels_have_a_net_for_one() -> None:
    grey = torch.randint(0, 256, (30, 4, 5, 1), dtype=torch.uint8)
    colour = labelled(grey.repeat(1, 1, 1, 3))
    mean, std = input_statistics("standardized", colour)
    alone = input_statistics("standardized", labelled(grey))

    assert network_shape(colour) == (1, 4, 5)
    assert (mean, std) == alone
    unit = colour.images.permute(0, 3, 1, 2) / 255
    network = ScaledNetwork(Seen(), mean, std)
    torch.testing.assert_close(network(unit).logits, network(unit[:, :1]).logits)


def test_one_colour_pixel_makes_images_colour() -> None:
    pixels = torch.full((9, 4, 5, 3), 7, dtype=torch.uint8)
    pixels[8, 3, 4, 2] = 8

    assert network_shape(labelled(pixels)) == (3, 4, 5)


def test_training_images_become_mean_0_and_deviation_1() -> None:
    pixels = torch.randint(0, 100, (50, 4, 4, 2), dtype=torch.uint8)
    network = ScaledNetwork(Seen(), *input_statistics("standardized", labelled(pixels)))

    seen = network(pixels.permute(0, 3, 1, 2) / 255).logits.view(50, 2, -1)

    torch.testing.assert_close(seen.mean((0, 2)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.std((0, 2), correction=0), torch.ones(2))


def test_scaling_is_part_of_the_weights_but_not_trained() -> None:
    network = ScaledNetwork(nn.Linear(2, 2), torch.zeros(1), torch.ones(1))

    assert {"mean", "std"} <= set(network.state_dict())
    assert {name for name, _ in network.named_parameters()} == {"net.weight", "net.bias"}
