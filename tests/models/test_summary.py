import torch

from rungwise.models import CNN, MLP, StridedCNN, TwoBranch, VGGDeep
from rungwise.models.summary import INPUT, summarize, training_flops_per_image


def test_rows_of_a_chain_read_like_the_network() -> None:
    summary = summarize(CNN(conv_widths=(4,)), (3, 6, 6), 2)

    rows = [
        (layer.name, layer.kind, layer.description, layer.output, layer.parameters)
        for layer in summary.layers
    ]
    assert rows == [
        ("conv", "conv", "3×3 valid, 4, relu", (4, 4, 4), 4 * 27 + 4),
        ("pool", "pool", "max 2×2", (4, 2, 2), 0),
        ("dropout1", "dropout", "rate 0.25", (4, 2, 2), 0),
        ("flatten", "flatten", "", (16,), 0),
        ("dense", "dense", "128, relu", (128,), 16 * 128 + 128),
        ("dropout2", "dropout", "rate 0.5", (128,), 0),
        ("logits", "dense", "2", (2,), 258),
    ]


def test_operations_are_two_for_each_multiply_add() -> None:
    summary = summarize(CNN(conv_widths=(4,)), (3, 6, 6), 2)
    flops = {layer.name: layer.flops for layer in summary.layers if layer.flops}
    assert flops == {"conv": 2 * 16 * 27 * 4, "dense": 2 * 16 * 128, "logits": 2 * 128 * 2}
    assert summary.flops == sum(flops.values())


def test_training_adds_two_passes_but_none_to_the_image() -> None:
    # Backward: the weights' gradients of both layers, the inputs' gradient of the second alone.
    first, second = 2 * 4 * 128, 2 * 128 * 2
    assert training_flops_per_image(MLP(), (1, 2, 2), 2) == 2 * first + 3 * second


def test_training_flops_of_convolutions_count_both_gradients() -> None:
    summary = summarize(StridedCNN(), (1, 28, 28), 10)
    first = summary.layers[0].flops
    assert summary.training_flops_per_image == 3 * summary.flops - first


def test_deep_net_of_article_b_costs_what_the_article_s_page_counted() -> None:
    summary = summarize(VGGDeep(), (3, 32, 32), 10)
    assert round(summary.flops / 1e9, 2) == 1.14


def test_branches_fork_and_join() -> None:
    summary = summarize(TwoBranch(), (1, 28, 28), 10)
    inputs = {layer.name: layer.inputs for layer in summary.layers}

    assert inputs["encoder.flatten"] == inputs["cnn.conv1"] == (INPUT,)
    assert inputs["decoder.dense"] == inputs["code.dense1"] == ("encoder.dense3",)
    assert inputs["add"] == ("code.dense2", "cnn.dense2")
    assert summary.heads == {"logits": "fusion.logits", "reconstruction": "decoder.reshape"}


def test_summarizing_works_without_gradients_and_draws_nothing() -> None:
    before = torch.random.get_rng_state()
    with torch.no_grad():
        summary = summarize(CNN(), (1, 28, 28), 10)
    assert summary.training_flops_per_image > 2 * summary.flops
    assert torch.equal(before, torch.random.get_rng_state())
