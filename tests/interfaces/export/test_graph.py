import copy
from typing import Any

import pytest
import torch

from rungwise.augment.views import RandomCopies
from rungwise.errors import UsageError
from rungwise.interfaces.export.graph import Graph, silence
from rungwise.prediction.predictor import Predictor


def test_the_graph_gives_the_predictors_answers(predictor: Predictor, noise: Any) -> None:
    pixels = noise().images

    with torch.no_grad():
        found = Graph(predictor)(pixels)

    expected = predictor.in_float32().probabilities(pixels)
    assert torch.allclose(found, expected, atol=1e-6)
    assert found.dtype == torch.float32
    assert expected.std(0).max() > 0.01  # or the nets would tell nothing apart


def test_the_threshold_of_the_views_divides_the_images(below: Predictor, noise: Any) -> None:
    pixels = noise().images
    with_all = below.with_views(type(below.recipe.views)(pixels=1))  # type: ignore[call-arg, misc]

    changed = (below.probabilities(pixels) != with_all.probabilities(pixels)).any(1)

    assert 0 < changed.sum() < len(pixels)


@pytest.mark.bfloat16
def test_the_graph_computes_in_float32_whatever_the_nets_were_trained_in(
    wide: Predictor, noise: Any
) -> None:
    pixels = noise().images

    with torch.no_grad():
        found = Graph(wide)(pixels)

    assert torch.allclose(found, wide.in_float32().probabilities(pixels), atol=1e-6)
    assert not torch.allclose(found, wide.probabilities(pixels), atol=1e-6)


def test_making_a_graph_leaves_the_predictor_as_it_is(plain: Predictor, noise: Any) -> None:
    before = copy.deepcopy(plain.nets[0])
    answers = plain.probabilities(noise().images)

    Graph(plain)

    assert repr(plain.nets[0]) == repr(before)  # says what works in place
    for tensor, was in zip(plain.nets[0].parameters(), before.parameters(), strict=True):
        assert tensor.stride() == was.stride()
    assert torch.equal(plain.probabilities(noise().images), answers)


def test_random_copies_are_refused_with_a_way_out(plain: Predictor) -> None:
    with pytest.raises(UsageError, match="random-copies cannot be exported") as error:
        Graph(plain.with_views(RandomCopies(copies=3)))

    assert "--views none" in str(error.value)


def test_silence_swallows_words_and_lets_errors_through(capsys: Any) -> None:
    with pytest.raises(ValueError, match="heard"), silence():
        print("not heard")
        raise ValueError("heard")

    assert capsys.readouterr() == ("", "")
