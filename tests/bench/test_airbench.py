"""The peer airbench94: what its techniques do to images, rates and weights."""

import pytest
import torch

from rungwise.bench.peers import airbench
from rungwise.bench.peers.airbench import (
    BATCH_SIZE,
    WHITENING_FLOOR,
    Airbench,
    conv,
    is_mirrored,
    make_optimizer,
    rate_factor,
    six_views,
    whitening_filters,
)


def correlated_images(count: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(count, 3, 9, 9, generator=rng)
    grey = torch.randn(count, 1, 9, 9, generator=rng)
    # Each pixel resembles its neighbours and the other channels.
    return torch.nn.functional.avg_pool2d(noise + 2 * grey, 2, stride=1)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Airbench:
    monkeypatch.setattr(airbench, "BATCH_SIZE", 4)
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (10, 32, 32, 3), generator=rng, dtype=torch.uint8)
    return Airbench(pixels, torch.arange(10), seed=0)


def test_whitening_gives_uncorrelated_outputs_and_their_negatives() -> None:
    images = correlated_images(500)
    outputs = torch.nn.functional.conv2d(images, whitening_filters(images))
    first, second = outputs.transpose(0, 1).flatten(1).split(12)
    values = torch.linalg.eigvalsh(patch_moments(images))

    # An eigenvalue v becomes v / (v + floor).
    expected = torch.diag(values / (values + WHITENING_FLOOR))
    torch.testing.assert_close(first @ first.T / first.shape[1], expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(second, -first)


def patch_moments(images: torch.Tensor) -> torch.Tensor:
    patches = torch.nn.functional.unfold(images, 2).transpose(1, 2).reshape(-1, 12)
    return patches.T @ patches / len(patches)


def test_each_image_is_mirrored_in_every_other_epoch() -> None:
    first = torch.tensor([True, False])

    seen = [is_mirrored(first, epoch).tolist() for epoch in range(4)]

    assert seen == [[True, False], [False, True], [True, False], [False, True]]


def test_an_image_of_the_next_epoch_is_the_mirror_image_at_its_own_shift(
    training: Airbench,
) -> None:
    everyone = torch.arange(10)
    training._begin(0)
    training._shifts = torch.full((2, 10), 2)  # no shift
    even, odd = training._images(everyone, 0), training._images(everyone, 1)

    assert torch.equal(odd, even.flip(3))


def test_a_shift_reflects_at_the_border(training: Airbench) -> None:
    training._begin(0)
    training._first_mirrored[:] = False
    training._shifts = torch.full((2, 10), 2)
    centre = training._images(torch.tensor([3]), 0)
    training._shifts = torch.tensor([0, 3])[:, None].expand(2, 10)  # 2 rows up, 1 column right
    moved = training._images(torch.tensor([3]), 0)

    assert torch.equal(moved[:, :, 2:, :-1], centre[:, :, :-2, 1:])
    assert torch.equal(moved[:, :, :2, :-1], centre[:, :, [2, 1], 1:])


def test_the_first_filters_pass_channels_on() -> None:
    images = torch.rand(1, 4, 5, 5)

    torch.testing.assert_close(conv(4, 6)(images)[:, :4], images)


def test_the_rate_rises_to_its_peak_and_falls() -> None:
    factors = [rate_factor(progress) for progress in (0.0, 0.115, 0.23, 0.615, 1.0)]

    assert factors == pytest.approx([0.2, 0.6, 1.0, 0.535, 0.07])


def test_shifts_learn_64_times_as_fast_and_decay_alike() -> None:
    shifts, others = make_optimizer(airbench.Net()).param_groups

    assert shifts["lr"] == pytest.approx(64 * others["lr"])
    assert others["lr"] == pytest.approx(11.5 / (1024 * (1 + 1 / 0.15)))
    decays = [one["lr"] * one["weight_decay"] for one in (shifts, others)]
    assert decays == pytest.approx([0.0153 * BATCH_SIZE / (1024 * (1 + 1 / 0.15))] * 2)
    assert (len(shifts["params"]), len(others["params"])) == (6, 8)  # 6 convs, stem's bias, head


def test_the_stem_learns_for_three_epochs_and_only_its_bias(training: Airbench) -> None:
    assert (training.steps_per_epoch, training.steps) == (2, 20)
    filters = training.net.stem.weight.clone()
    biases = []
    for step in range(8):
        training.take(step)
        biases.append(training.net.stem.bias.clone())

    assert [training.learns_stem(step) for step in (0, 5, 6)] == [True, True, False]
    assert not torch.equal(biases[4], biases[5])
    assert torch.equal(biases[5], biases[7])
    assert torch.equal(training.net.stem.weight, filters)


def test_looking_ahead_moves_slow_weights_a_part_of_the_way(training: Airbench) -> None:
    slow = training._slow["head.weight"].clone()
    with torch.no_grad():
        training.net.head.weight.add_(1.0)
    training._look_ahead(0.75)

    torch.testing.assert_close(training.net.head.weight.detach(), slow + 0.25)
    torch.testing.assert_close(training._slow["head.weight"], slow + 0.25)


def test_six_views_weigh_one() -> None:
    images = torch.rand(2, 3, 8, 8)
    views = list(six_views(images))

    assert sum(weight for _, weight in views) == 1
    assert torch.equal(views[1][0][:, :, 1:, 1:], images[:, :, :-1, :-1])  # the window: up-left
    assert torch.equal(views[2][0][:, :, :-1, :-1], images[:, :, 1:, 1:])
    assert torch.equal(views[3][0], images.flip(3))


def test_a_whole_training_ends_with_the_slow_weights(training: Airbench) -> None:
    training.train()

    assert all(torch.equal(training._slow[n], value) for n, value in training._floats().items())
    assert training.logits(torch.zeros(3, 32, 32, 3, dtype=torch.uint8)).isfinite().all()
