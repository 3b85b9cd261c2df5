import itertools
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rungwise.augment import Augmentation, Flip, MirroredCopies, Shift
from rungwise.data.images import LabelledImages
from rungwise.errors import RunError
from rungwise.models import CNN, MLP, Compact, Multitask
from rungwise.models.base import Model, Output
from rungwise.models.input import to_unit
from rungwise.models.layers import Classifier
from rungwise.randomness import generator
from rungwise.techniques import (
    Batch,
    EarlyStopping,
    Freezing,
    HardExamples,
    LabelSmoothing,
    Mixup,
    Reconstruction,
    Snapshots,
    Technique,
    WeightAveraging,
    Whitening,
)
from rungwise.training import loop, passes
from rungwise.training.loop import Progress, Training
from rungwise.training.optimizer import SGD, Adam, AdamW
from rungwise.training.precision import Precision
from rungwise.training.recipe import Recipe
from rungwise.training.schedule import Cosine, CyclicCosine, OneCycle, StepDecay
from rungwise.training.seed import Seed

CPU = torch.device("cpu")
LINEAR = Recipe(
    model=MLP(hidden_widths=()),
    optimizer=SGD(lr=0.1, momentum=0, nesterov=False),
    precision="float32",
    epochs=2,
    batch_size=4,
)
SMALL_CNN = CNN(conv_widths=(4,), dense_widths=(8,))


def labelled(n: int, size: int = 8, channels: int = 1, key: str = "images") -> LabelledImages:
    """Return random images of three classes; class 2 is the brightest."""
    rng = generator(key, n)
    labels = torch.randint(3, (n,), generator=rng)
    pixels = torch.randint(0, 100, (n, size, size, channels), generator=rng)
    return LabelledImages((pixels + 70 * labels.view(-1, 1, 1, 1)).byte(), labels, ("a", "b", "c"))


def training(
    recipe: Recipe, *, n: int = 10, validation: int = 6, seed: Seed | None = None
) -> Training:
    held_out = labelled(validation, key="validation") if validation else None
    return Training(recipe, labelled(n), held_out, seed or Seed(), CPU)


def finished(recipe: Recipe, **settings: object) -> Training:
    made = training(recipe, **settings)  # type: ignore[arg-type]
    for _ in made.steps():
        pass
    return made


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    theirs = second.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in first.state_dict().items())


RECIPES = {
    "linear": LINEAR,
    "dropout and adam": replace(LINEAR, model=SMALL_CNN, optimizer=Adam(lr=0.01)),
    "batch norm": replace(LINEAR, model=Compact(widths=(4,), stem_width=4), optimizer=AdamW()),
    "augmented and mixed": replace(
        LINEAR,
        augment=(Shift(pixels=1), Flip()),
        techniques=(Mixup(), WeightAveraging(decay=0.5)),
        input="standardized",
    ),
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_same_seed_gives_the_same_weights_bit_for_bit(recipe: Recipe) -> None:
    first, second = finished(recipe), finished(recipe)

    assert same_weights(first.net, second.net)
    assert same_weights(first.trained_network(), second.trained_network())
    for one, other in zip(first.history, second.history, strict=True):
        assert replace(one, seconds=0) == replace(other, seconds=0)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
@pytest.mark.parametrize("seed", [Seed(1), Seed(0, 1)], ids=str)
def test_another_seed_gives_other_weights(recipe: Recipe, seed: Seed) -> None:
    assert not same_weights(finished(recipe).net, finished(recipe, seed=seed).net)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_the_global_random_state_neither_matters_nor_changes(recipe: Recipe) -> None:
    first = finished(recipe)
    torch.manual_seed(12345)
    before = torch.get_rng_state()

    second = finished(recipe)

    assert torch.equal(torch.get_rng_state(), before)
    assert same_weights(first.net, second.net)


def test_a_step_and_an_epochs_figures_follow_by_hand() -> None:
    recipe = replace(LINEAR, epochs=1, batch_size=3)
    data = labelled(5)
    made = Training(recipe, data, labelled(4, key="validation"), Seed(7), CPU)
    weight, bias = (one.detach().clone() for one in made.net.parameters())
    order = torch.randperm(5, generator=generator("7", "order", 1))
    loss_sum, correct = 0.0, 0

    for indices in (order[:3], order[3:]):  # the last batch has two images
        flat = data.images[indices].flatten(1) / 255
        logits = flat @ weight.T + bias
        targets = F.one_hot(data.labels[indices], 3)
        loss_sum += -(logits.log_softmax(1) * targets).sum().item()
        correct += (logits.argmax(1) == data.labels[indices]).sum().item()
        slope = (logits.softmax(1) - targets) / len(indices)
        weight -= 0.1 * slope.T @ flat
        bias -= 0.1 * slope.sum(0)
    last = list(made.steps())[-1]

    record = made.history[0]
    assert last == Progress(1, 2, 2, record, steps_done=2, steps_in_all=2)
    assert record.train_loss == pytest.approx(loss_sum / 5, rel=1e-5)
    assert record.train_acc == correct / 5
    assert record.lr == 0.1
    torch.testing.assert_close(list(made.net.parameters()), [weight, bias])
    held_out = labelled(4, key="validation")
    logits = held_out.images.flatten(1) / 255 @ weight.T + bias
    assert record.val_loss == pytest.approx(F.cross_entropy(logits, held_out.labels).item())
    assert record.val_acc == (logits.argmax(1) == held_out.labels).double().mean().item()


def test_every_step_is_told_and_the_last_of_an_epoch_has_its_record() -> None:
    made = training(LINEAR, n=10)

    told = list(made.steps())

    assert [(one.epoch, one.step, one.steps) for one in told] == [
        (1, 1, 3), (1, 2, 3), (1, 3, 3), (2, 1, 3), (2, 2, 3), (2, 3, 3)
    ]  # fmt: skip
    assert [one.record is not None for one in told] == [False, False, True] * 2
    assert [record.epoch for record in made.history] == [1, 2]
    assert made.finished
    assert list(made.steps()) == []


@pytest.mark.parametrize("schedule", [StepDecay(at=(0.5,), divide_by=(10,)), Cosine(), OneCycle()])
def test_each_step_has_the_rate_that_the_schedule_gives(schedule) -> None:
    made = training(replace(LINEAR, schedule=schedule, epochs=2), n=10)

    rates = [made.optimizer.param_groups[0]["lr"] for _ in made.steps()]

    assert rates == pytest.approx([0.1 * schedule.factor(step / 6) for step in range(6)])
    assert [record.lr for record in made.history] == [rates[2], rates[5]]


def test_every_image_is_seen_once_an_epoch_in_a_new_order() -> None:
    seen: list[list[float]] = []

    @dataclass(frozen=True)
    class Watch(Augmentation):
        def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
            seen.extend(images.flatten(1).tolist())
            return images

    finished(replace(LINEAR, augment=(Watch(),)), n=10)

    first, second = seen[:10], seen[10:]
    assert (
        sorted(first) == sorted(second) == sorted(to_unit(labelled(10).images).flatten(1).tolist())
    )
    assert first != second


@dataclass(frozen=True)
class Blacken(Augmentation):
    """Zeroes every training image; a validation image that is black would tell of it."""

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        assert torch.is_grad_enabled()
        return torch.zeros_like(images)


def test_validation_images_are_not_augmented_and_targets_not_changed() -> None:
    recipe = replace(
        LINEAR, epochs=1, augment=(Blacken(),), techniques=(LabelSmoothing(amount=0.5),)
    )

    made = finished(recipe)

    held_out = labelled(6, key="validation")
    logits = made.net(to_unit(held_out.images)).logits
    by_hand = F.cross_entropy(logits, held_out.labels)
    assert made.history[0].val_loss == pytest.approx(by_hand.item())
    weight = next(iter(made.net.parameters()))
    assert torch.equal(weight, next(iter(training(recipe).net.parameters())))  # black has no slope


def test_without_validation_images_there_are_no_validation_figures() -> None:
    made = finished(replace(LINEAR, keep="best-val-loss"), validation=0)

    assert [(record.val_loss, record.val_acc) for record in made.history] == [(None, None)] * 2
    assert same_weights(made.trained_network(), made.net)
    assert made.kept_record() is made.history[-1]


def test_validation_in_chunks_gives_the_figures_of_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = finished(LINEAR, validation=7).history[-1]
    monkeypatch.setattr(loop, "EVALUATION_BATCH", 3)

    chunked = finished(LINEAR, validation=7).history[-1]

    assert chunked.val_acc == whole.val_acc
    assert chunked.val_loss == pytest.approx(whole.val_loss, rel=1e-6)


def test_the_reconstruction_counts_in_training_and_validation_loss() -> None:
    model = Multitask(conv_width=2, dense_width=4, dropout=0)
    recipe = replace(
        LINEAR, model=model, techniques=(Reconstruction(weight=5, class_weight=0.5),), epochs=1
    )

    made = finished(recipe)

    held_out = labelled(6, key="validation")
    images = to_unit(held_out.images)
    with torch.no_grad():
        output = made.net.eval()(images)
    squares = F.mse_loss(output.reconstruction, images)
    classes = F.cross_entropy(output.logits, held_out.labels)
    assert made.history[0].val_loss == pytest.approx((0.5 * classes + 5 * squares).item(), rel=1e-5)


@dataclass(frozen=True)
class Double(Technique):
    def change_loss(self, loss: torch.Tensor, output: Output, batch: Batch) -> torch.Tensor:
        return loss * 2


@dataclass(frozen=True)
class AddOne(Technique):
    def change_loss(self, loss: torch.Tensor, output: Output, batch: Batch) -> torch.Tensor:
        return loss + 1


def test_techniques_act_in_the_recipes_order() -> None:
    plain, first, second = (
        finished(replace(LINEAR, epochs=1, batch_size=10, techniques=techniques)).history[0]
        for techniques in ((), (Double(), AddOne()), (AddOne(), Double()))
    )

    assert first.train_loss == pytest.approx(2 * plain.train_loss + 1)
    assert second.train_loss == pytest.approx(2 * (plain.train_loss + 1))


def test_augmentation_comes_before_mixing() -> None:
    seen: list[float] = []

    @dataclass(frozen=True)
    class Watch(Technique):
        def change_batch(self, batch: Batch, rng: torch.Generator, progress: float) -> Batch:
            seen.append(batch.images.abs().max().item())
            return batch

    finished(replace(LINEAR, augment=(Blacken(),), techniques=(Watch(),)))

    assert set(seen) == {0.0}


def test_an_enlarged_training_set_makes_longer_epochs() -> None:
    made = training(replace(LINEAR, augment=(MirroredCopies(),)), n=10)

    assert made.course.steps_of(1) == 5
    assert len(made.supply.images) == len(made.supply.labels) == 20


@pytest.mark.parametrize("augment", [(), (MirroredCopies(), Shift(pixels=1))])
def test_mapped_images_give_the_weights_of_images_in_memory(
    augment: tuple[Augmentation, ...], tmp_path: Path
) -> None:
    recipe = replace(LINEAR, augment=augment, input="standardized")
    whole, rows = labelled(20), torch.arange(19, 0, -2)
    np.save(tmp_path / "pixels.npy", whole.pixels.numpy())
    pixels = torch.from_numpy(np.load(tmp_path / "pixels.npy", mmap_mode="c"))
    view = LabelledImages(pixels, whole.labels, whole.class_names).take(rows)
    copy = LabelledImages(whole.pixels[rows], whole.labels[rows], whole.class_names)

    first, second = (Training(recipe, data, data, Seed(), CPU) for data in (view, copy))
    for _ in first.steps():
        pass
    for _ in second.steps():
        pass

    for one, other in zip(first.net.parameters(), second.net.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(first.net.get_buffer("mean"), second.net.get_buffer("mean"))
    assert [r.val_loss for r in first.history] == [r.val_loss for r in second.history]


def test_a_diverging_training_is_an_error_that_names_the_rate() -> None:
    made = training(replace(LINEAR, optimizer=SGD(lr=1e38), epochs=5))

    with pytest.raises(RunError, match="has diverged") as caught:
        list(made.steps())

    assert caught.value.expected == "a finite loss and finite weights"
    assert "lower optimizer.lr (it is 1e+38)" in str(caught.value.fix)


NAN = math.nan


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        ((0.5, 0.4, 0.6), 2),
        ((0.5, 0.5, 0.5), 1),  # the first of equals
        ((NAN, 0.5, 0.6), 2),
        ((0.5, NAN, 0.4), 3),
        ((NAN, NAN, NAN), 0),
    ],
)
def test_the_epoch_with_the_best_validation_is_kept(
    losses: tuple[float, ...], best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Training, "_validate", lambda self: (losses[len(self.history)], 0.0))
    made = training(replace(LINEAR, keep="best-val-loss", epochs=3))
    after = []

    for progress in made.steps():
        if progress.record:
            after.append({name: one.clone() for name, one in made.net.state_dict().items()})

    assert made.best_epoch == best
    assert made.kept_record() is made.history[best - 1]
    kept = made.trained_network().state_dict()
    assert all(torch.equal(kept[name], after[best - 1][name]) for name in kept)


def test_best_accuracy_is_kept_at_its_first_epoch() -> None:
    made = finished(replace(LINEAR, keep="best-val-acc", epochs=6))

    accuracies = [record.val_acc for record in made.history]
    assert made.best_epoch == accuracies.index(max(accuracies)) + 1


def test_averaged_weights_are_validated_each_epoch_and_kept() -> None:
    recipe = replace(LINEAR, techniques=(WeightAveraging(decay=0.9),), epochs=4)
    held_out = labelled(6, key="validation")
    made = training(replace(recipe, keep="best-val-loss"))
    by_hand = []

    for progress in made.steps():
        if progress.record:
            net = training(recipe).net
            net.load_state_dict(made.average)
            logits = net(to_unit(held_out.images)).logits
            by_hand.append(F.cross_entropy(logits, held_out.labels).item())

    losses = [record.val_loss for record in made.history]
    assert losses == pytest.approx(by_hand)
    assert len(set(losses)) == 4
    assert made.best_epoch == losses.index(min(losses)) + 1
    assert not same_weights(made.trained_network(), made.net)


def test_average_follows_the_weights_of_every_step() -> None:
    made = training(replace(LINEAR, techniques=(WeightAveraging(decay=0.3),)))
    expected = None

    for step, _ in enumerate(made.steps(), 1):
        weight = next(iter(made.net.parameters())).detach()
        decay = min(0.3, (1 + step) / (10 + step))
        expected = weight.clone() if expected is None else decay * expected + (1 - decay) * weight

    torch.testing.assert_close(made.average["net.logits.weight"], expected)


def test_early_stopping_ends_the_training() -> None:
    stopping = EarlyStopping(patience=1, min_delta=100)

    made = finished(replace(LINEAR, techniques=(stopping,), epochs=9))

    assert len(made.history) == 2
    assert made.finished


def test_dropout_differs_from_step_to_step_and_is_off_in_validation() -> None:
    seen: list[list[float]] = []

    class Noise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if self.training and not images.is_meta:
                seen.append(torch.rand(4).tolist())
            return images.flatten(1)[:, :3] * self.weight

    @dataclass(frozen=True)
    class Noisy(Model):
        def build(self, shape, classes, rng) -> nn.Module:
            return Classifier(("noise", Noise()))

    finished(replace(LINEAR, model=Noisy()), n=10)

    assert len(seen) == 6  # 2 epochs of 3 steps, none for validation
    assert all(one != other for one, other in itertools.combinations(seen, 2))


def test_pixels_become_numbers_from_0_to_1_with_channels_first() -> None:
    pixels = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)

    images = to_unit(pixels)

    assert images.shape == (1, 3, 1, 1)
    torch.testing.assert_close(images.flatten(), torch.tensor([0, 0.2, 1]))
    assert to_unit(torch.zeros(2, 4, 5, 3).byte()).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.bfloat16
def test_bfloat16_products_train_float32_weights() -> None:
    made = finished(replace(LINEAR, precision="bfloat16"))

    assert {one.dtype for one in made.net.parameters()} == {torch.float32}
    assert not same_weights(made.net, finished(LINEAR).net)


def test_a_single_image_left_over_joins_the_batch_before_it() -> None:
    recipe = Recipe(model=Compact(widths=(8, 8, 8)), epochs=1, batch_size=4, precision="float32")
    images = torch.randint(256, (9, 8, 8, 1), dtype=torch.uint8)
    data = LabelledImages(images, torch.arange(9) % 2, ("a", "b"))
    training = Training(recipe, data, None, Seed(0), torch.device("cpu"))

    steps = list(training.steps())

    assert [progress.step for progress in steps] == [1, 2]


CHOOSING = replace(
    LINEAR, epochs=4, techniques=(HardExamples(share=0.6, random_share=0, until=0.6),)
)
"""Epochs of 10, 6, 6 and 10 images."""


@pytest.mark.parametrize("compiled", [True, False])
def test_losses_are_those_of_each_images_last_step(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(passes, "kernels", lambda: None)
    made, data = training(CHOOSING), labelled(10)
    expected = torch.full((10,), math.inf)
    images = to_unit(data.images).flatten(1)
    chosen = []

    def by_hand() -> torch.Tensor:
        weight, bias = (one.detach() for one in made.net.parameters())
        return F.cross_entropy(images @ weight.T + bias, data.labels, reduction="none")

    before = by_hand()
    for _ in made.steps():
        fresh = made.supply.choice["losses"] != expected
        torch.testing.assert_close(made.supply.choice["losses"][fresh], before[fresh])
        chosen += fresh.nonzero().flatten().tolist()
        expected, before = made.supply.choice["losses"].clone(), by_hand()

    first, second, third, last = chosen[:10], chosen[10:16], chosen[16:22], chosen[22:]
    assert sorted(first) == sorted(last) == list(range(10))
    assert len(set(second)) == len(set(third)) == 6


def test_an_epoch_trains_on_the_largest_losses_and_tells_their_mean() -> None:
    made = training(CHOOSING)
    for progress in made.steps():
        if progress.epoch == 1 and progress.record:
            before = made.supply.choice["losses"].clone()
        if progress.epoch == 2 and progress.record:
            break

    chosen = made.supply.choice["chosen"].nonzero().flatten()
    assert sorted(chosen.tolist()) == sorted(before.topk(6).indices.tolist())
    mean = made.supply.choice["losses"][chosen].mean().item()
    assert made.history[1].train_loss == pytest.approx(mean, rel=1e-5)


def test_shorter_epochs_are_told_and_scheduled_as_such() -> None:
    made = training(replace(CHOOSING, schedule=OneCycle()))
    rates = []

    told = []
    for progress in made.steps():
        told.append(progress)
        rates.append(made.optimizer.param_groups[0]["lr"])

    assert [one.steps for one in told] == [3, 3, 3, 2, 2, 2, 2, 3, 3, 3]
    assert [one.steps_done for one in told] == list(range(1, 11))
    assert {one.steps_in_all for one in told} == {10}
    assert rates == pytest.approx([0.1 * OneCycle().factor(step / 10) for step in range(10)])
    assert [one.epoch for one in told if one.record] == [1, 2, 3, 4]


WHITENED = replace(
    LINEAR,
    model=Compact(widths=(4,), whitened_patch=2),
    techniques=(Whitening(bias_until=0.5),),
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=0.1),
    epochs=4,
)


def test_what_a_technique_prepares_is_there_before_the_first_step() -> None:
    first = training(WHITENED).net.state_dict()["net.stem.conv.weight"]
    other = training(WHITENED, seed=Seed(1)).net.state_dict()["net.stem.conv.weight"]

    assert torch.equal(first[:4], -first[4:])
    # All images are looked at, so the seed decides no more than the signs.
    torch.testing.assert_close(first.abs(), other.abs(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "number_format", ["float32", pytest.param("bfloat16", marks=pytest.mark.bfloat16)]
)
@pytest.mark.parametrize("compiled", [True, False])
def test_what_is_frozen_stays_as_it_was_whatever_the_momentum(
    number_format: Precision, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(passes, "kernels", lambda: None)
    made = training(replace(WHITENED, precision=number_format))
    seen = []
    for _ in made.steps():
        stem = made.net.get_parameter("net.stem.conv.bias").detach().clone()
        seen.append((stem, made.net.get_parameter("net.group.conv1.weight").detach().clone()))
    half = len(seen) // 2
    biases, kernels = [pair[0] for pair in seen], [pair[1] for pair in seen]

    assert not torch.equal(biases[0], biases[half - 1])
    assert all(torch.equal(bias, biases[half - 1]) for bias in biases[half:])
    assert not torch.equal(kernels[half], kernels[-1])


def test_the_way_back_ends_above_what_is_frozen() -> None:
    made = training(WHITENED)
    before = [step.leads_back for step in made._pass._instructions]  # type: ignore[attr-defined]
    for _ in made.steps():
        pass
    after = [step.leads_back for step in made._pass._instructions]  # type: ignore[attr-defined]

    # Scaling, stem, GELU, first convolution of the group, ...
    assert before[:4] == [False, False, True, True]
    assert after[:4] == [False, False, False, False] and all(after[4:])


CYCLIC = replace(LINEAR, epochs=4, schedule=CyclicCosine(cycles=4))


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("averaged", [(), (WeightAveraging(decay=0.5),)], ids=["last", "average"])
def test_snapshots_are_the_nets_at_the_ends_of_the_last_cycles(
    count: int, averaged: tuple[Technique, ...]
) -> None:
    without = training(replace(CYCLIC, techniques=averaged))
    ends = [without.trained_network() for progress in without.steps() if progress.record]

    nets = finished(replace(CYCLIC, techniques=(*averaged, Snapshots(count=count))))

    kept = nets.trained_networks()
    assert len(kept) == count
    assert all(map(same_weights, kept, ends[-count:]))
    assert not same_weights(kept[0], kept[1])
    assert nets.history[-1].val_loss == without.history[-1].val_loss


def test_a_cycle_may_end_within_an_epoch() -> None:
    recipe = replace(CYCLIC, epochs=3, schedule=CyclicCosine(cycles=2))
    without = training(recipe)
    after = [without.trained_network() for _ in without.steps()]

    nets = finished(replace(recipe, techniques=(Snapshots(count=2),)))

    assert len(after) == 9  # of which the first five begin before the middle
    assert all(map(same_weights, nets.trained_networks(), (after[4], after[8])))


def test_without_snapshots_one_net_is_kept() -> None:
    made = finished(CYCLIC)

    [kept] = made.trained_networks()
    assert same_weights(kept, made.net)


@pytest.mark.parametrize("compiled", [True, False])
def test_frozen_blocks_keep_their_weights_and_move_their_statistics(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(passes, "kernels", lambda: None)
    recipe = replace(
        LINEAR,
        model=Compact(widths=(4,), stem_width=4),
        techniques=(Freezing(at=(0.25, 0.5)),),
        optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=0.1),
        epochs=4,
    )
    made = training(recipe)
    states = []
    for _ in made.steps():
        states.append({name: one.clone() for name, one in made.net.state_dict().items()})

    def moves(name: str) -> list[bool]:
        return [
            not torch.equal(one[name], other[name]) for one, other in itertools.pairwise(states)
        ]

    # Twelve steps: of the moves from one to the next, the third is the step at a quarter.
    assert moves("net.stem.conv.weight") == moves("net.stem.norm.bias") == 2 * [True] + 9 * [False]
    assert moves("net.group.conv1.weight") == 5 * [True] + 6 * [False]
    assert all(moves("net.head.weight"))
    assert all(moves("net.stem.norm.running_mean"))


def test_freezing_gives_the_same_weights_with_both_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = replace(
        LINEAR,
        model=CNN(conv_widths=(4, 4), dense_widths=(8,), dropout_conv=0, dropout_dense=0),
        techniques=(Freezing(at=(0.3, 0.3, 0.6)),),
        epochs=3,
    )
    fast = finished(recipe)
    monkeypatch.setattr(passes, "kernels", lambda: None)
    slow = finished(recipe)

    for one, other in zip(fast.net.parameters(), slow.net.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
