"""Which trainings count as collapsed, by figures worked out by hand."""

import math
from dataclasses import replace

import pytest
import torch

from rungwise.data import LabelledImages, Parts
from rungwise.prediction.collapse import collapse_of
from rungwise.prediction.metrics import evaluate
from rungwise.techniques import EpochRecord

RECORD = EpochRecord(
    epoch=3, train_loss=0.1, train_acc=0.98, val_loss=0.2, val_acc=0.97, lr=0.1, seconds=1.0
)


def images(*counts: int) -> LabelledImages:
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    pixels = torch.zeros(len(labels), 4, 4, 1, dtype=torch.uint8)
    return LabelledImages(pixels, labels, tuple(map(str, range(len(counts)))))


def ends(record: EpochRecord, answers: torch.Tensor, held_out: LabelledImages) -> str | None:
    probabilities = torch.eye(held_out.classes)[answers]
    parts = Parts(train=held_out, validation=held_out, test=None)
    return collapse_of(record, evaluate(probabilities, held_out), parts, steps=100)


def test_one_answer_for_all_images_is_a_collapse_however_high_the_training_accuracy() -> None:
    held_out = images(*[30] * 10)

    told = ends(RECORD, torch.full((300,), 4), held_out)

    assert told is not None
    assert "10.0% of the validation images" in told
    assert "training accuracy 98.0%" in told


def test_a_net_that_is_right_is_none() -> None:
    held_out = images(*[30] * 10)
    assert ends(RECORD, held_out.labels, held_out) is None


def test_a_little_better_than_one_answer_by_chance_is_a_collapse_and_clearly_better_is_not() -> (
    None
):
    held_out = images(*[100] * 10)
    # One standard error of 10% of 1,000 images is 0.95 points.
    by_chance, clearly = torch.full((1000,), 4), torch.full((1000,), 4)
    by_chance[:15] = 0  # 11.5% right
    clearly[:40] = 0  # 14% right

    assert ends(RECORD, by_chance, held_out) is not None
    assert ends(RECORD, clearly, held_out) is None


def test_what_so_few_images_cannot_tell_from_a_success_is_no_collapse() -> None:
    few, many = images(10, 9, 8, 8), images(100, 90, 80, 80)
    of_few, of_many = torch.zeros(35, dtype=torch.long), torch.zeros(350, dtype=torch.long)
    of_few[10], of_many[100:110] = 1, 1  # 31.4% right; always answering class 0 gives 28.6%

    assert ends(RECORD, of_many, many) is not None
    assert ends(RECORD, of_few, few) is None


def test_few_images_do_not_turn_a_good_net_into_a_collapsed_one() -> None:
    held_out = images(1, 1)
    assert ends(RECORD, held_out.labels, held_out) is None


def test_a_net_that_finds_some_of_the_rare_class_has_not_collapsed() -> None:
    held_out = images(950, 50)
    answers = torch.zeros(1000, dtype=torch.int64)
    answers[950:980] = 1
    answers[:28] = 1

    assert ends(RECORD, answers, held_out) is None  # 95.2% right, 78.5% balanced
    assert ends(RECORD, torch.zeros(1000, dtype=torch.int64), held_out) is not None


@pytest.mark.parametrize("loss", [1000.0, math.inf, math.nan])
def test_a_loss_far_above_guessing_is_a_collapse(loss: float) -> None:
    held_out = images(*[30] * 10)
    half = held_out.labels.clone()
    half[::2] = 0

    assert ends(RECORD, half, held_out) is None
    told = ends(replace(RECORD, val_loss=loss), half, held_out)
    assert told is not None
    assert "guessing gives 2.30" in told


def test_without_validation_images_the_training_accuracy_counts() -> None:
    parts = Parts(train=images(*[30] * 10), validation=None, test=None)
    record = replace(RECORD, val_loss=None, val_acc=None)

    assert collapse_of(record, None, parts, steps=100) is None
    told = collapse_of(replace(record, train_acc=0.11), None, parts, steps=100)
    assert told is not None
    assert "11.0% of its training images" in told


def test_a_net_that_has_hardly_begun_to_learn_has_not_collapsed() -> None:
    parts = Parts(train=images(*[30] * 10), validation=None, test=None)
    record = replace(RECORD, val_loss=None, val_acc=None, train_acc=0.11)

    assert collapse_of(record, None, parts, steps=29) is None
    assert collapse_of(record, None, parts, steps=30) is not None


def test_one_class_alone_cannot_collapse() -> None:
    held_out = images(20)
    assert ends(RECORD, held_out.labels, held_out) is None
