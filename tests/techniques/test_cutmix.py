import pytest
import torch

from rungwise.errors import ConfigError
from rungwise.randomness import generator
from rungwise.techniques import Batch, CutMix
from rungwise.techniques.cutmix import paste_box, random_box


def black_then_white(size: int = 4) -> Batch:
    images = torch.stack([torch.zeros(1, size, size), torch.ones(1, size, size)])
    return Batch(images, targets=torch.eye(2))


def test_label_share_equals_pasted_area() -> None:
    mixed = paste_box(black_then_white(), torch.tensor([1, 0]), (slice(0, 2), slice(0, 2)))

    assert mixed.images[0].sum() == 4  # 4 of 16 pixels are white
    assert mixed.targets[0].tolist() == [0.75, 0.25]
    assert mixed.images[1].sum() == 12
    assert mixed.targets[1].tolist() == [0.25, 0.75]


def test_box_is_pasted_where_it_was_cut() -> None:
    mixed = paste_box(black_then_white(3), torch.tensor([1, 0]), (slice(1, 3), slice(0, 1)))

    assert mixed.images[0, 0].tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 0]]


def test_an_empty_box_changes_nothing_and_a_whole_one_swaps() -> None:
    batch = black_then_white()
    partner = torch.tensor([1, 0])

    same = paste_box(batch, partner, (slice(2, 2), slice(0, 4)))
    swapped = paste_box(batch, partner, (slice(0, 4), slice(0, 4)))

    assert all(map(torch.equal, same, batch))
    assert torch.equal(swapped.images, batch.images.flip(0))
    assert torch.equal(swapped.targets, batch.targets.flip(0))


@pytest.mark.parametrize("seed", range(6))
def test_target_share_equals_white_share_in_every_mixed_batch(seed: int) -> None:
    mixed = CutMix(probability=1).change_batch(black_then_white(8), generator(seed), 0.0)

    white = mixed.images.flatten(1).mean(1)
    torch.testing.assert_close(mixed.targets[:, 1], white)


def test_boxes_lie_within_the_image() -> None:
    rng = generator("boxes")

    for _ in range(500):
        rows, columns = random_box(7, 12, rng)
        assert 0 <= rows.start <= rows.stop <= 7
        assert 0 <= columns.start <= columns.stop <= 12


def test_boxes_have_the_mean_area_that_clipping_leaves() -> None:
    # For an area a and a uniform centre, a side of √a is cut to √a - a/4 on average. The mean of
    # (√a - a/4)² over a in 0..1 is 1/2 - 1/5 + 1/48.
    rng = generator("areas")
    size, total, count = 1000, 0, 6000

    for _ in range(count):
        rows, columns = random_box(size, size, rng)
        total += (rows.stop - rows.start) * (columns.stop - columns.start)

    assert total / count / size**2 == pytest.approx(1 / 2 - 1 / 5 + 1 / 48, abs=0.01)


def test_a_share_of_the_batches_is_mixed() -> None:
    batch = black_then_white(8)
    technique = CutMix(probability=0.25)

    changed = [
        technique.change_batch(batch, generator(seed), 0.0) is not batch for seed in range(400)
    ]

    assert 0.18 < sum(changed) / 400 < 0.32


@pytest.mark.parametrize("probability", [0, -0.5, 1.01, 50, float("nan")])
def test_an_impossible_probability_is_refused_in_three_parts(probability: float) -> None:
    with pytest.raises(ConfigError, match="cutmix probability") as caught:
        CutMix(probability=probability)

    assert caught.value.expected
    assert caught.value.fix
