import torch

from rungwise.models import TwoBranch
from rungwise.models.summary import summarize
from rungwise.randomness import generator

PARTS = {
    "encoder": (784 * 256 + 256) + (256 * 128 + 128) + (128 * 128 + 128),
    "decoder": (128 * 128 + 128) + (128 * 784 + 784),
    "code": (128 * 128 + 128) + (128 * 64 + 64),
    "cnn": 160 + 2064 + 520 + 264 + 1152 + 8256,
    "add": 0,
    "fusion": (64 * 32 + 32) + (32 * 10 + 10),
}


def test_parameters_of_article_a() -> None:
    summary = summarize(TwoBranch(), (1, 28, 28), 10)
    counted = dict.fromkeys(PARTS, 0)
    for layer in summary.layers:
        counted[layer.name.split(".")[0]] += layer.parameters
    assert counted == PARTS
    assert summary.parameters == sum(PARTS.values()) == 407_610


def test_the_prediction_adds_both_branches() -> None:
    network = TwoBranch().build((1, 28, 28), 10, generator(0)).eval()
    images = torch.rand(2, 1, 28, 28)

    code = network.encoder(images)
    expected = network.fusion(network.code(code) + network.cnn(images))

    output = network(images)
    assert torch.equal(output.logits, expected)
    assert torch.equal(output.reconstruction, network.decoder(code))


def test_the_reconstruction_has_the_pixels_in_their_places() -> None:
    network = TwoBranch().build((3, 4, 6), 2, generator(0)).eval()
    images = torch.rand(2, 3, 4, 6).contiguous(memory_format=torch.channels_last)

    flat = network.decoder.sigmoid(
        network.decoder.pixels(network.decoder.relu(network.decoder.dense(network.encoder(images))))
    )

    assert torch.equal(network(images).reconstruction[1, 2, 3], flat[1, (2 * 4 + 3) * 6 :])
