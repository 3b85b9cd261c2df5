"""How many images and steps each epoch has, by hand."""

from dataclasses import replace

import pytest

from rungwise.errors import ConfigError
from rungwise.models import MLP
from rungwise.techniques import HardExamples, LabelSmoothing
from rungwise.training.course import Course, course_of
from rungwise.training.recipe import Recipe

PLAIN = Recipe(model=MLP(), epochs=3, batch_size=4)
CHOOSING = replace(PLAIN, techniques=(LabelSmoothing(), HardExamples(share=0.6, until=0.5)))


def test_without_a_choice_every_epoch_sees_all_images() -> None:
    course = course_of(PLAIN, 10)

    assert course == Course(images=10, epochs=3, batch_size=4)
    assert [course.images_of(epoch) for epoch in (1, 2, 3)] == [10, 10, 10]
    assert (course.images_in(2), course.steps_in(2), course.steps_in_all) == (20, 6, 9)


def test_a_training_without_end_has_a_course_at_once() -> None:
    assert course_of(replace(PLAIN, epochs=10**6), 10).steps_in_all == 3 * 10**6


def test_a_technique_that_chooses_makes_shorter_epochs() -> None:
    course = course_of(CHOOSING, 10)

    assert [course.images_of(epoch) for epoch in (1, 2, 3)] == [10, 6, 10]
    assert [course.steps_of(epoch) for epoch in (1, 2, 3)] == [3, 2, 3]
    assert [course.images_in(epochs) for epochs in range(4)] == [0, 10, 16, 26]
    assert [course.steps_in(epochs) for epochs in range(4)] == [0, 3, 5, 8]
    assert course.steps_in_all == 8


def test_steps_are_told_with_the_share_that_is_done_and_their_images() -> None:
    told = list(course_of(CHOOSING, 10).each_step(2))

    assert told == [(0, 4), (1 / 8, 4), (2 / 8, 2), (3 / 8, 4), (4 / 8, 2)]
    # One image left over joins the batch before it.
    course = Course(images=9, epochs=3, batch_size=4, chosen=(9, 5, 1))
    assert list(course.each_step(3)) == [(0, 4), (1 / 4, 5), (2 / 4, 5), (3 / 4, 1)]


def test_a_choice_without_effect_is_refused() -> None:
    with pytest.raises(ConfigError, match="hard-examples has no effect"):
        course_of(replace(CHOOSING, epochs=2), 10)
