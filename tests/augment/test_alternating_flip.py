"""Alternating flip, by hand and through a training."""

import itertools
from dataclasses import dataclass, field

import torch

from rungwise.augment import AlternatingFlip, Augmentation, MirroredCopies, Turn
from rungwise.data.images import LabelledImages
from rungwise.models import MLP
from rungwise.randomness import generator
from rungwise.training.loop import Training
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

TWO_PIXELS = torch.tensor([0.2, 0.4]).expand(2, 1, 1, 2)
MIRRORED = [0.4, 0.2]
COINS = torch.tensor([True, False])


def in_epoch(epoch: int) -> list[list[float]]:
    turn = Turn(epoch, torch.tensor([0, 1]), COINS)
    changed = AlternatingFlip().change_turn(TWO_PIXELS, generator(epoch), turn)
    return [[round(value, 6) for value in image] for image in changed.flatten(1).tolist()]


def test_first_epoch_follows_the_coins_and_each_later_one_mirrors_the_one_before() -> None:
    plain = [0.2, 0.4]

    assert in_epoch(1) == in_epoch(3) == in_epoch(5) == [MIRRORED, plain]
    assert in_epoch(2) == in_epoch(4) == [plain, MIRRORED]


def test_nothing_is_drawn_in_training() -> None:
    rng = generator(0)
    before = rng.get_state()

    AlternatingFlip().change_turn(TWO_PIXELS, rng, Turn(1, torch.tensor([0, 1]), COINS))

    assert torch.equal(rng.get_state(), before)


def test_a_copy_to_predict_with_is_mirrored_at_random() -> None:
    copies = AlternatingFlip().change_images(TWO_PIXELS[:1].expand(2000, 1, 1, 2), generator(0))

    assert 0.45 < (copies[:, 0, 0, 0] > 0.3).float().mean() < 0.55


@dataclass(frozen=True)
class Watch(Augmentation):
    """Notes in which epoch which image was seen, and how."""

    seen: dict[tuple[int, int], float] = field(default_factory=dict)

    def change_turn(self, images: torch.Tensor, rng: torch.Generator, turn: Turn) -> torch.Tensor:
        places = [(turn.epoch, place) for place in turn.indices.tolist()]
        self.seen.update(zip(places, images[:, 0, 0, 0].tolist(), strict=True))
        return images


def first_pixels(seed: Seed, augment: tuple[Augmentation, ...] = ()) -> torch.Tensor:
    """Return the first pixel of 60 images in each of 4 epochs: (4, 60), or twice as many."""
    # The left pixel tells the image, the right one is white.
    pixels = torch.stack([torch.arange(60), torch.full((60,), 255)], 1).byte().view(60, 1, 2, 1)
    data = LabelledImages(pixels, torch.arange(60) % 2, ("even", "odd"))
    watch = Watch()
    recipe = Recipe(
        model=MLP(hidden_widths=()),
        augment=(*augment, AlternatingFlip(), watch),
        epochs=4,
        batch_size=7,
        precision="float32",
    )
    training = Training(recipe, data, None, seed, torch.device("cpu"))
    for _ in training.steps():
        pass
    seen = [watch.seen[place] for place in sorted(watch.seen)]
    return torch.tensor(seen).view(4, len(training.supply.images))


def test_a_training_shows_each_image_from_both_sides_in_turn() -> None:
    seen = first_pixels(Seed())

    left = torch.arange(60) / 255
    mirrored = seen == 1
    torch.testing.assert_close(seen[~mirrored], left.expand(4, 60)[~mirrored])
    assert 15 < mirrored[0].sum() < 45
    for before, after in itertools.pairwise(mirrored):
        assert torch.equal(after, ~before)


def test_the_seed_chooses_who_is_mirrored_first() -> None:
    assert torch.equal(first_pixels(Seed(3)), first_pixels(Seed(3)))
    assert not torch.equal(first_pixels(Seed(3)), first_pixels(Seed(4)))


def test_mirrored_copies_have_coins_of_their_own() -> None:
    seen = first_pixels(Seed(), (MirroredCopies(),)) == 1

    images, copies = seen[0, :60], ~seen[0, 60:]  # a copy that is white first is not mirrored again
    assert not torch.equal(images, copies)
    assert torch.equal(seen[1], ~seen[0])
