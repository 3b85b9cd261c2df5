import pytest
import torch
from torch import nn

from rungwise.errors import ConfigError
from rungwise.models import CNN
from rungwise.models.summary import summarize
from rungwise.randomness import generator

FIRST_CNN = CNN(
    conv_widths=(16, 32),
    conv_edge="same",
    pooling_place="each",
    dropout_conv=0,
    dropout_dense=0,
    dense_widths=(128, 128),
)


def names(model: CNN) -> list[str]:
    return [layer.name for layer in summarize(model, (1, 28, 28), 10).layers]


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (CNN(), 320 + 18_496 + (12 * 12 * 64 * 128 + 128) + 1_290),
        (
            CNN(conv_widths=(32, 64, 128)),
            320 + 18_496 + 73_856 + (11 * 11 * 128 * 128 + 128) + 1290,
        ),
        (
            CNN(conv_widths=(32, 64, 128, 256)),
            320 + 18_496 + 73_856 + 295_168 + (10 * 10 * 256 * 128 + 128) + 1_290,
        ),
        (
            CNN(conv_widths=(32, 64, 128), border=2),
            320 + 18_496 + 73_856 + (13 * 13 * 128 * 128 + 128) + 1_290,
        ),
        (
            CNN(conv_widths=(32, 64, 128), border=2, dense_widths=(128, 128)),
            320 + 18_496 + 73_856 + (13 * 13 * 128 * 128 + 128) + 16_512 + 1_290,
        ),
    ],
)
def test_parameters_of_article_c(model: CNN, parameters: int) -> None:
    assert summarize(model, (1, 28, 28), 10).parameters == parameters


def test_first_cnn_of_article_c() -> None:
    expected = "conv1 conv2 pool dropout1 flatten dense dropout2 logits"
    assert names(CNN()) == expected.split()


def test_a_border_comes_before_the_first_convolution() -> None:
    layers = summarize(CNN(conv_widths=(32, 64, 128), border=2), (1, 28, 28), 10).layers
    assert [layer.output for layer in layers[:5]] == [
        (1, 32, 32),
        (32, 30, 30),
        (64, 28, 28),
        (128, 26, 26),
        (128, 13, 13),
    ]


def test_the_one_dense_dropout_follows_the_last_hidden_layer() -> None:
    assert names(CNN(dense_widths=(128, 128)))[-4:] == ["dense1", "dense2", "dropout2", "logits"]


def test_rates_of_0_remove_the_dropouts() -> None:
    model = CNN(dropout_conv=0, dropout_dense=0)
    assert names(model) == ["conv1", "conv2", "pool", "flatten", "dense", "logits"]


def test_average_pooling_averages() -> None:
    network = CNN(pooling="average").build((1, 8, 8), 2, generator(0))
    assert isinstance(network.pool, nn.AvgPool2d)
    assert network.pool(torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])).item() == 3.0


def test_first_network_of_article_d() -> None:
    summary = summarize(FIRST_CNN, (1, 28, 28), 10)
    assert [(layer.name, layer.output, layer.parameters) for layer in summary.layers] == [
        ("conv1", (16, 28, 28), 160),
        ("pool1", (16, 14, 14), 0),
        ("conv2", (32, 14, 14), 4_640),
        ("pool2", (32, 7, 7), 0),
        ("flatten", (1568,), 0),
        ("dense1", (128,), 200_832),
        ("dense2", (128,), 16_512),
        ("logits", (10,), 1_290),
    ]
    assert summary.parameters == 223_434


@pytest.mark.parametrize(
    ("model", "smallest"),
    [
        (CNN(), 6),  # 6 → 4 → 2 → pooled 1
        (CNN(conv_widths=(8, 8, 8), border=2), 4),  # 4 + 4 → 6 → 4 → 2 → pooled 1
        (CNN(conv_widths=(8, 8), pooling_place="each"), 10),  # 10 → 8, 4 → 2, 1
        (FIRST_CNN, 4),
        (CNN(conv_edge="same", border=3), 1),
    ],
)
def test_the_smallest_image_leaves_one_pixel(model: CNN, smallest: int) -> None:
    assert model.smallest_side() == smallest
    output = model.build((1, smallest, smallest), 2, generator(0))(
        torch.rand(2, 1, smallest, smallest)
    )
    assert output.logits.shape == (2, 2)
    if smallest > 1:
        with pytest.raises(ConfigError, match=f"{smallest}×{smallest} pixels"):
            model.build((1, smallest - 1, 28), 2, generator(0))
