import pytest

from rungwise.errors import ConfigError
from rungwise.models import Multitask
from rungwise.models.summary import summarize
from rungwise.randomness import generator


def test_network_of_article_e() -> None:
    summary = summarize(Multitask(), (1, 28, 28), 10)
    outputs = {layer.name: layer.output for layer in summary.layers}

    assert outputs["encoder.pool1"] == (64, 14, 14)
    assert outputs["encoder.pool2"] == (64, 7, 7)
    assert outputs["autoencoder.upsample2"] == (64, 28, 28)
    assert summary.heads == {
        "logits": "classification.logits",
        "reconstruction": "autoencoder.pixels",
    }
    encoder = 640 + 5 * 36_928
    classification = (7 * 7 * 64 * 1024 + 1024) + 10_250
    autoencoder = 36_928 + (9 * 64 + 1)
    assert summary.parameters == encoder + classification + autoencoder == 3_445_323


def test_the_encoder_drops_after_all_its_convolutions_but_the_last() -> None:
    layers = summarize(Multitask(), (1, 28, 28), 10).layers
    order = [layer.kind for layer in layers if layer.name.startswith("encoder")]
    assert order == ["conv", "dropout"] * 3 + ["pool"] + ["conv", "dropout"] * 2 + ["conv", "pool"]


def test_both_heads_start_from_the_encoder_s_end() -> None:
    inputs = {layer.name: layer.inputs for layer in summarize(Multitask(), (3, 8, 8), 2).layers}
    assert inputs["classification.flatten"] == ("encoder.pool2",)
    assert inputs["autoencoder.upsample1"] == ("encoder.pool2",)


@pytest.mark.parametrize(("height", "width"), [(30, 28), (28, 27), (2, 4)])
def test_a_size_that_4_does_not_divide_is_refused(height: int, width: int) -> None:
    with pytest.raises(ConfigError, match=f"{height}×{width} pixels"):
        Multitask().build((1, height, width), 10, generator(0))
