"""What every technique promises, checked for every member of the registry."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from rungwise.models import MLP, Compact, Multitask
from rungwise.models.base import Output
from rungwise.randomness import generator
from rungwise.techniques import (
    TECHNIQUES,
    Batch,
    EpochRecord,
    ProgressiveResizing,
    Technique,
)

HOOKS = (
    *("prepare", "frozen", "choose", "change_batch"),
    *("change_loss", "average", "nets", "stops"),
)
SEEDS = range(6)
SUITED = {
    "freezing": Compact(),
    "whitening": Compact(whitened_patch=2),
    "progressive-resizing": Compact(),
}
"""Models that a technique asks for; the others take one with a decoder."""

# Where the defaults do not fit images of 6×5 pixels.
EXAMPLES: dict[str, Technique] = {
    "progressive-resizing": ProgressiveResizing(sides=(3,), until=(0.5,)),
}

each_name = pytest.mark.parametrize("name", TECHNIQUES)
each_seed = pytest.mark.parametrize("seed", SEEDS)


def example(name: str) -> Technique:
    return EXAMPLES.get(name) or TECHNIQUES[name]()


def random_batch(n: int = 8, classes: int = 3) -> Batch:
    rng = generator("batch")
    images = torch.rand(n, 2, 6, 5, generator=rng)
    labels = torch.randint(classes, (n,), generator=rng)
    return Batch(images, F.one_hot(labels, classes).float())


def random_output(batch: Batch) -> Output:
    rng = generator("output")
    logits = torch.randn(batch.targets.shape, generator=rng)
    return Output(logits, torch.rand(batch.images.shape, generator=rng))


def record(epoch: int, loss: float, accuracy: float) -> EpochRecord:
    return EpochRecord(epoch, 0.5, 0.5, loss, accuracy, 0.1, 1.0)


def test_hooks_of_the_base_change_nothing() -> None:
    batch = random_batch()
    loss = torch.tensor(0.5)
    technique = Technique()

    technique.check(MLP(), validated=False)
    assert technique.change_batch(batch, generator(0), 0.0) is batch
    assert technique.image_size((6, 5), 0.0) == (6, 5)
    assert technique.change_loss(loss, random_output(batch), batch) is loss
    assert technique.average(None, {"w": torch.ones(1)}, 1, 1000) is None
    assert technique.nets() == 1
    assert technique.stops([record(epoch, 1.0, 0.0) for epoch in range(1, 100)]) is False


@each_name
def test_at_least_one_hook_is_overridden(name: str) -> None:
    assert set(HOOKS) & set(vars(TECHNIQUES[name]))


@each_name
def test_settings_are_frozen_and_given_by_name(name: str) -> None:
    kind = TECHNIQUES[name]
    technique = kind()

    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(technique, dataclasses.fields(kind)[0].name, 1)
    assert all(field.kw_only for field in dataclasses.fields(kind))
    assert dataclasses.replace(technique) == technique


@each_name
def test_name_is_the_class_name_in_kebab_case(name: str) -> None:
    words = "".join(word.title() for word in name.split("-"))

    assert TECHNIQUES[name].__name__.lower() == words.lower()


@each_name
def test_a_validated_training_of_a_suited_net_is_accepted(name: str) -> None:
    TECHNIQUES[name]().check(SUITED.get(name) or Multitask(), validated=True)


@each_name
@each_seed
def test_targets_stay_distributions_and_images_in_range(name: str, seed: int) -> None:
    batch = random_batch()

    images, targets = example(name).change_batch(batch, generator(seed), 0.0)

    assert images.shape[:2] == batch.images.shape[:2]
    assert images.shape[2:] == example(name).image_size((6, 5), 0.0)
    assert targets.shape == batch.targets.shape
    assert (images.dtype, targets.dtype) == (torch.float32, torch.float32)
    assert 0 <= images.min() <= images.max() <= 1
    assert targets.min() >= 0
    torch.testing.assert_close(targets.sum(1), torch.ones(8))


@each_name
@each_seed
def test_arguments_are_not_modified(name: str, seed: int) -> None:
    batch = random_batch()
    output = random_output(batch)
    loss = torch.tensor(0.5)
    weights = {"w": torch.ones(3), "n": torch.tensor(4)}
    technique = example(name)

    technique.change_batch(batch, generator(seed), 0.0)
    technique.change_loss(loss, output, batch)
    technique.average(None, weights, 1, 1000)

    assert all(map(torch.equal, batch, random_batch()))
    assert all(map(torch.equal, output, random_output(batch)))
    assert loss == 0.5
    assert weights["w"].tolist() == [1, 1, 1]


@each_name
@each_seed
def test_same_key_gives_the_same_batch(name: str, seed: int) -> None:
    technique = example(name)

    first = technique.change_batch(random_batch(), generator(seed), 0.0)
    second = technique.change_batch(random_batch(), generator(seed), 0.0)

    assert all(map(torch.equal, first, second))


@each_name
def test_global_random_state_is_left_alone(name: str) -> None:
    before = torch.get_rng_state()

    for seed in SEEDS:
        example(name).change_batch(random_batch(), generator(seed), 0.0)

    assert torch.equal(torch.get_rng_state(), before)


@each_name
@each_seed
def test_a_single_image_is_taken(name: str, seed: int) -> None:
    single = random_batch(n=1)

    images, _ = example(name).change_batch(single, generator(seed), 0.9)

    torch.testing.assert_close(images, single.images)


@each_name
def test_loss_stays_a_scalar_that_can_be_derived(name: str) -> None:
    batch = random_batch()
    logits = torch.zeros(8, 3, requires_grad=True)
    loss = F.cross_entropy(logits, batch.targets)

    changed = example(name).change_loss(
        loss, Output(logits, random_output(batch).reconstruction), batch
    )
    changed.backward()

    assert changed.shape == ()
    assert logits.grad is not None
    assert logits.grad.abs().sum() > 0
