import torch
import torch.nn.functional as F

from rungwise.models import StridedCNN
from rungwise.models.summary import summarize
from rungwise.randomness import generator


def test_layers_and_parameters_of_article_a() -> None:
    summary = summarize(StridedCNN(), (1, 28, 28), 10)

    assert [(layer.name, layer.output, layer.parameters) for layer in summary.layers] == [
        ("conv1", (32, 14, 14), 4 * 32 + 32),
        ("conv2", (16, 7, 7), 4 * 32 * 16 + 16),
        ("pool1", (16, 4, 4), 0),
        ("conv3", (8, 2, 2), 4 * 16 * 8 + 8),
        ("pool2", (8, 1, 1), 0),
        ("conv4", (8, 1, 1), 4 * 8 * 8 + 8),
        ("pool3", (8, 1, 1), 0),
        ("flatten", (8,), 0),
        ("dense1", (128,), 8 * 128 + 128),
        ("dense2", (64,), 128 * 64 + 64),
        ("logits", (10,), 64 * 10 + 10),
    ]
    assert summary.parameters == 13_066


def test_convolutions_have_no_activation() -> None:
    summary = summarize(StridedCNN(), (1, 28, 28), 10)
    convs = [layer.description for layer in summary.layers if layer.kind == "conv"]
    assert convs == ["2×2 stride 2, 32", "2×2 stride 2, 16", "2×2 stride 2, 8", "2×2 stride 2, 8"]


def test_a_pooling_pads_with_minus_infinity_below_and_on_the_right() -> None:
    network = StridedCNN(conv_widths=(2, 3), dense_widths=()).build((1, 9, 9), 2, generator(0))
    images = -torch.rand(2, 1, 9, 9)

    maps = network.conv2(network.conv1(images))  # 9 → 5 → 3
    padded = F.pad(maps, (0, 1, 0, 1), value=-torch.inf)

    assert maps.shape == (2, 3, 3, 3)
    assert torch.equal(network.pool(maps), F.max_pool2d(padded, 2))
    assert network.logits.in_features == 3 * 2 * 2


def test_the_smallest_image_is_a_pixel() -> None:
    network = StridedCNN().build((1, 1, 1), 2, generator(0))
    assert network(torch.rand(3, 1, 1, 1)).logits.shape == (3, 2)
