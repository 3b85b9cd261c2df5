import math

import pytest
import torch
from sklearn import metrics as reference

from rungwise.data.images import LabelledImages
from rungwise.errors import DataError
from rungwise.prediction.metrics import confusion_matrix, evaluate
from rungwise.randomness import generator

NAMES = ("ant", "bee", "cat", "dog")


def data(labels: torch.Tensor) -> LabelledImages:
    return LabelledImages(torch.zeros(len(labels), 2, 2, 1).byte(), labels, NAMES)


def answers(*classes: int) -> torch.Tensor:
    """Return probabilities of 0.7 for the answer and 0.1 for each other class."""
    return torch.full((len(classes), 4), 0.1).index_put(
        (torch.arange(len(classes)), torch.tensor(classes)), torch.tensor(0.7)
    )


def test_figures_by_hand() -> None:
    # ants: 2 of 3 right, one taken for a bee; bee: right; no cat; dog: taken for a cat
    labels = torch.tensor([0, 0, 0, 1, 3])

    result = evaluate(answers(0, 0, 1, 1, 2), data(labels))

    assert result.accuracy == 3 / 5
    assert result.balanced_accuracy == pytest.approx((2 / 3 + 1 + 0) / 3)  # without the cats
    assert result.loss == pytest.approx(-(3 * math.log(0.7) + 2 * math.log(0.1)) / 5)
    assert result.calibration_error == pytest.approx(0.7 - 0.6)
    assert result.confusion == ((2, 1, 0, 0), (0, 1, 0, 0), (0, 0, 0, 0), (0, 0, 1, 0))
    ant, bee, cat, dog = result.per_class
    assert (ant.name, ant.images, ant.precision) == ("ant", 3, 1.0)
    assert (ant.recall, ant.f1) == pytest.approx((2 / 3, 0.8))
    assert (bee.images, bee.precision, bee.recall) == (1, 0.5, 1.0)
    assert bee.f1 == pytest.approx(2 / 3)
    assert (cat.images, cat.precision, cat.recall, cat.f1) == (0, 0.0, 0.0, 0.0)
    assert (dog.images, dog.precision, dog.recall, dog.f1) == (1, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    rng = generator("metrics", seed)
    labels = torch.cat([torch.arange(4), torch.randint(4, (96,), generator=rng)])
    probabilities = torch.randn(100, 4, generator=rng).double().softmax(1)
    given = probabilities.argmax(1)

    result = evaluate(probabilities, data(labels))

    assert result.accuracy == pytest.approx(reference.accuracy_score(labels, given))
    assert result.balanced_accuracy == pytest.approx(
        reference.balanced_accuracy_score(labels, given)
    )
    assert result.loss == pytest.approx(reference.log_loss(labels, probabilities))
    assert result.confusion == tuple(map(tuple, reference.confusion_matrix(labels, given).tolist()))
    per_class = reference.precision_recall_fscore_support(labels, given, zero_division=0)
    for index, figures in enumerate(result.per_class):
        assert (figures.precision, figures.recall, figures.f1, figures.images) == pytest.approx(
            tuple(column[index] for column in per_class)
        )


def test_one_sure_mistake_stays_finite() -> None:
    sure = torch.tensor([[1.0, 0, 0, 0]])

    assert evaluate(sure, data(torch.tensor([1]))).loss == pytest.approx(-math.log(1e-7))


def test_plain_values_hold_every_figure() -> None:
    plain = evaluate(answers(0, 1), data(torch.tensor([0, 1]))).to_dict()

    assert list(plain) == [
        *("accuracy", "accuracy_interval", "balanced_accuracy", "loss"),
        *("calibration_error", "per_class", "confusion"),
    ]
    assert plain["accuracy_interval"] == pytest.approx([0.342, 1.0], abs=0.001)  # 2 of 2 images
    assert plain["per_class"]["ant"] == {"images": 1, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert list(plain["per_class"]) == list(NAMES)
    assert plain["confusion"][0] == [1, 0, 0, 0]


def test_nothing_to_evaluate_on_is_an_error() -> None:
    with pytest.raises(DataError, match="no images to evaluate on") as caught:
        evaluate(torch.zeros(0, 4), data(torch.zeros(0, dtype=torch.int64)))

    assert caught.value.exit_code == 3


def test_confusion_counts_each_pair() -> None:
    labels, given = torch.tensor([0, 1, 2, 2, 2]), torch.tensor([0, 2, 2, 2, 0])

    assert confusion_matrix(labels, given, 3).tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 2]]
