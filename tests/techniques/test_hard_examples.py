import pytest
import torch

from rungwise.errors import ConfigError
from rungwise.models import MLP
from rungwise.randomness import generator
from rungwise.techniques import HardExamples
from rungwise.training.recipe import Recipe

LOSSES = torch.tensor([0.1, 3.0, 0.2, 2.0, 0.3, 1.0, 0.4, 0.5])


def test_the_largest_losses_are_chosen() -> None:
    technique = HardExamples(share=0.5, random_share=0)

    assert sorted(technique.choose(LOSSES, 3, generator(0)).tolist()) == [1, 3, 5]
    assert sorted(technique.choose(-LOSSES, 3, generator(0)).tolist()) == [0, 2, 4]


def test_what_was_never_seen_comes_first_and_of_equals_the_earlier() -> None:
    technique = HardExamples(share=0.5, random_share=0)
    losses = torch.tensor([1.0, 1.0, 1.0, torch.inf])

    assert sorted(technique.choose(losses, 3, generator(0)).tolist()) == [0, 1, 3]


def test_the_random_part_is_drawn_from_all_that_is_left() -> None:
    technique = HardExamples(share=0.5, random_share=0.5)
    drawn = []
    for seed in range(100):
        chosen = technique.choose(LOSSES, 4, generator(seed)).tolist()
        assert len(set(chosen)) == 4
        assert {1, 3} < set(chosen)
        drawn += sorted({*chosen} - {1, 3})

    # Six images are left, of which each of 100 seeds draws two: 33 times each, give or take 5.
    counts = [drawn.count(image) for image in (0, 2, 4, 5, 6, 7)]
    assert sum(counts) == 200
    assert min(counts) > 15


def test_with_a_random_share_of_1_no_loss_is_looked_at() -> None:
    technique = HardExamples(random_share=1)

    one, other = (technique.choose(losses, 4, generator(7)) for losses in (LOSSES, -LOSSES))

    assert len(set(one.tolist())) == len(set(other.tolist())) == 4
    seen = {i for seed in range(40) for i in technique.choose(LOSSES, 4, generator(seed)).tolist()}
    assert seen == set(range(8))


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (0.5, [10, 7, 10, 10]),  # epochs begin when 0, 1/4, 1/2 and 3/4 of the training are done
        (0.51, [10, 7, 7, 10]),
        (1.0, [10, 7, 7, 7]),
    ],
)
def test_epochs_between_the_first_and_until_are_shorter(until: float, expected: list[int]) -> None:
    technique = HardExamples(share=0.79, until=until)

    assert [technique.epoch_images(10, epoch, 4) for epoch in (1, 2, 3, 4)] == expected
    assert technique.epoch_images(1, 2, 4) == 1


@pytest.mark.parametrize(("epochs", "until"), [(1, 1.0), (2, 0.5), (10, 0.1)])
def test_a_training_without_a_shorter_epoch_is_refused(epochs: int, until: float) -> None:
    with pytest.raises(ConfigError, match="hard-examples has no effect"):
        HardExamples(until=until).epoch_images(100, 1, epochs)


@pytest.mark.parametrize(
    "settings",
    [
        {"share": 0.0},
        {"share": 1.0},
        {"share": 50},
        {"random_share": -0.1},
        {"random_share": 1.1},
        {"until": 0.0},
        {"until": 1.5},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="hard-examples"):
        HardExamples(**settings)


def test_two_choices_in_one_recipe_are_refused() -> None:
    with pytest.raises(ConfigError, match="hard-examples and hard-examples each say which images"):
        Recipe(model=MLP(), techniques=(HardExamples(), HardExamples(share=0.5)))
