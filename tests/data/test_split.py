"""Tests of the stratified split."""

import pytest
import torch

from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.parts import draw
from rungwise.data.split import stratified_split, with_test_share
from rungwise.errors import ConfigError, DataError
from rungwise.randomness import generator


def of_counts(*counts: int) -> LabelledImages:
    """Images of two pixels that hold their position, classes in turns as long as they last."""
    order = sorted((turn, label) for label, n in enumerate(counts) for turn in range(n))
    labels = torch.tensor([label for _, label in order], dtype=torch.int64)
    position = torch.arange(len(labels))
    images = torch.stack([position // 256, position % 256], 1).to(torch.uint8)
    names = tuple(map(str, range(len(counts))))
    return LabelledImages(images.reshape(-1, 1, 2, 1), labels, names)


def positions(data: LabelledImages) -> list[int]:
    return (data.images[:, 0, 0, 0].long() * 256 + data.images[:, 0, 1, 0]).tolist()


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ((10, 10, 10), 0.1, [1, 1, 1]),
        ((100, 50, 10), 0.2, [20, 10, 2]),
        ((7, 5, 3), 0.3, [2, 1, 1]),  # 2.1, 1.5, 0.9: total round(4.5) = 4 → 2, 1, 1 by remainder
        ((1, 9), 0.5, [0, 5]),  # 0.5, 4.5: the single image stays for training
        ((2, 2), 0.9, [1, 1]),  # 1.8 each, but one of each stays
        ((0, 8), 0.25, [0, 2]),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_counts_are_rounded_by_largest_remainder(
    counts: tuple[int, ...], share: float, expected: list[int], seed: int
) -> None:
    train, aside = stratified_split(of_counts(*counts), share, generator(seed))
    assert aside.class_counts() == expected
    assert train.class_counts() == [n - e for n, e in zip(counts, expected, strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_share_nothing_and_lose_nothing(seed: int) -> None:
    data = of_counts(40, 300, 9)
    train, aside = stratified_split(data, 0.23, generator(seed))
    assert sorted(positions(train) + positions(aside)) == list(range(349))
    assert positions(train) == sorted(positions(train))
    assert positions(aside) == sorted(positions(aside))


def test_equal_remainders_are_decided_by_chance() -> None:
    counts = [
        stratified_split(of_counts(5, 5, 5, 5), 0.1, generator(seed))[1].class_counts()
        for seed in range(30)
    ]
    assert all(sum(c) == 2 for c in counts)  # 0.5 each, 2 together
    assert [max(column) for column in zip(*counts, strict=True)] == [1, 1, 1, 1]


def test_the_same_generator_gives_the_same_parts() -> None:
    first, again, other = (
        stratified_split(of_counts(20, 20), 0.3, generator(seed))[1] for seed in (0, 0, 1)
    )
    assert positions(first) == positions(again) != positions(other)


@pytest.mark.parametrize("counts", [(1, 1, 1), (1,), ()])
def test_an_empty_part_is_a_data_error(counts: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="no image is left for validation"):
        stratified_split(of_counts(*counts), 0.05, generator(0))


@pytest.mark.parametrize("counts", [(2, 1), (2, 2), (4, 4), (1, 3, 1)])
def test_of_a_few_images_one_is_held_out(counts: tuple[int, ...]) -> None:
    fitted, held_out = stratified_split(of_counts(*counts), 0.05, generator(0))
    assert len(held_out) == 1
    assert min(fitted.class_counts()) >= 1


@pytest.mark.parametrize("share", [0, 1, -0.1, 10, float("nan")])
def test_an_impossible_share_is_a_config_error(share: float) -> None:
    with pytest.raises(ConfigError, match="validation share"):
        stratified_split(of_counts(10, 10), share, generator(0))


# --- a share for testing


def test_a_test_share_is_stratified_and_the_same_for_every_seed() -> None:
    whole = Dataset("own", of_counts(50, 20, 10))

    first, again = with_test_share(whole, 0.2), with_test_share(whole, 0.2)
    drawn = [draw(first, 0.1, seed) for seed in (0, 1)]

    assert first.test is not None
    assert first.test.class_counts() == [10, 4, 2]
    assert sorted(positions(first.train) + positions(first.test)) == list(range(80))
    assert first.fingerprint == again.fingerprint
    for parts in drawn:
        assert parts.test is first.test
        assert parts.validation is not None
        in_training = {*positions(parts.train), *positions(parts.validation)}
        assert not in_training & {*positions(first.test)}


def test_a_test_share_is_part_of_the_fingerprint() -> None:
    whole = Dataset("own", of_counts(50, 50))
    shares = [with_test_share(whole, share) for share in (0.2, 0.3)]

    assert len({data.fingerprint for data in (whole, *shares)}) == 3


def test_a_test_share_where_there_is_a_test_part_is_an_error() -> None:
    tested = Dataset("own", of_counts(5, 5), test=of_counts(5, 5))

    with pytest.raises(ConfigError, match=r"a test share of 0.2 has no effect on own") as caught:
        with_test_share(tested, 0.2)
    assert caught.value.fix == "leave the test share out"


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 20, float("nan")])
def test_an_impossible_test_share_is_an_error(share: float) -> None:
    with pytest.raises(ConfigError, match="the test share is"):
        with_test_share(Dataset("own", of_counts(5, 5)), share)


def test_a_test_share_of_too_few_images_is_an_error() -> None:
    with pytest.raises(DataError, match="no image is left for test"):
        with_test_share(Dataset("own", of_counts(1, 1)), 0.2)
