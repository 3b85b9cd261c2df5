from rungwise.models import MLP
from rungwise.models.summary import summarize


def test_first_classifier_of_article_c() -> None:
    summary = summarize(MLP(), (1, 28, 28), 10)
    assert [layer.output for layer in summary.layers] == [(784,), (128,), (10,)]
    assert summary.parameters == (784 * 128 + 128) + (128 * 10 + 10) == 101_770


def test_all_dense_rival_of_article_d() -> None:
    summary = summarize(MLP(hidden_widths=(128, 128)), (1, 28, 28), 10)
    assert [layer.name for layer in summary.layers] == ["flatten", "dense1", "dense2", "logits"]
    assert summary.parameters == 100_480 + 16_512 + 1_290


def test_no_hidden_layer_makes_a_linear_classifier() -> None:
    assert summarize(MLP(hidden_widths=()), (1, 28, 28), 10).parameters == 7_850
