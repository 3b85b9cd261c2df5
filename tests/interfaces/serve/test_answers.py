from typing import Any

import numpy as np
import pytest
import torch

from rungwise.augment import Shift
from rungwise.augment.views import Mirror, RandomCopies
from rungwise.errors import RunError
from rungwise.interfaces.serve.answers import Answerer, Question, data_url
from rungwise.models import Multitask

Make = Any


def pixels(n: int, channels: int = 1, seed: int = 0) -> torch.Tensor:
    noise = np.random.default_rng(seed).integers(0, 256, (n, 8, 8, channels), dtype=np.uint8)
    return torch.from_numpy(noise)


def test_answers_are_the_predictor_s_whoever_else_asks(untrained: Make) -> None:
    predictor = untrained()
    images = pixels(6)

    first, second = Answerer(predictor)([Question(images[:2]), Question(images[2:])])

    rows = predictor.probabilities(images)
    found = torch.tensor([list(answer["probabilities"].values()) for answer in [*first, *second]])
    assert (len(first), len(second)) == (2, 4)
    torch.testing.assert_close(found, rows)
    for answer, row in zip(first, rows[:2], strict=True):
        assert answer["class"] == predictor.class_names[int(row.argmax())]
        assert answer["probability"] == max(answer["probabilities"].values())


def test_random_views_do_not_hang_on_who_else_asks(untrained: Make) -> None:
    predictor = untrained(augment=(Shift(pixels=2),), views=RandomCopies(copies=3))
    images = pixels(3)
    alone = [Answerer(predictor)([Question(image[None])])[0][0] for image in images]

    together = Answerer(predictor)([Question(images[:1]), Question(images[1:])])

    assert [*together[0], *together[1]] == alone
    assert alone[2]["probability"] == predictor.probabilities(images[2:]).max().item()


def test_an_explanation_shows_what_the_net_sees_and_its_views(untrained: Make, shown: Make) -> None:
    predictor = untrained(shape=(3, 8, 8), views=Mirror())
    image = pixels(1, channels=3)

    answer = Answerer(predictor)([Question(image, explain=True)])[0][0]

    assert (shown(answer["picture"]) == image[0].numpy()).all()
    assert [view["weight"] for view in answer["views"]] == [0.5, 0.5]
    assert (shown(answer["views"][1]["picture"]) == image[0].flip(1).numpy()).all()
    mean = [
        sum(v["weight"] * v["probabilities"][n] for v in answer["views"]) for n in ("cat", "dog")
    ]
    assert mean == pytest.approx([answer["probabilities"][n] for n in ("cat", "dog")])
    assert answer["reconstruction"] is None


def test_a_reconstruction_is_a_picture(untrained: Make, shown: Make) -> None:
    predictor = untrained(Multitask(conv_width=2, dense_width=4))
    image = pixels(1)

    answer = Answerer(predictor)([Question(image, explain=True)])[0][0]

    made = predictor.reconstructions(image)
    assert (
        np.abs(shown(answer["reconstruction"]) / 255 - made[0, 0].numpy()).max() <= 0.5 / 255 + 1e-6
    )


def test_data_urls_keep_every_level(shown: Make) -> None:
    levels = torch.arange(256).view(1, 16, 16)

    assert (shown(data_url(levels / 255)) == levels[0].numpy()).all()


def test_images_that_no_file_holds_are_refused_at_the_start(untrained: Make) -> None:
    with pytest.raises(RunError, match="images of 2 channels"):
        Answerer(untrained(shape=(2, 8, 8)))


def test_a_net_that_answers_with_no_numbers_is_refused_at_the_start(untrained: Make) -> None:
    predictor = untrained()
    with torch.no_grad():
        next(predictor.nets[0].parameters()).fill_(float("nan"))

    with pytest.raises(RunError, match="what is no number"):
        Answerer(predictor).check()
