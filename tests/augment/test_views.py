from dataclasses import dataclass

import pytest
import torch

from rungwise.augment import Augmentation, Flip, MirroredCopies, Shift
from rungwise.augment.views import VIEWS, Mirror, RandomCopies, Views, unsure
from rungwise.errors import ConfigError
from rungwise.randomness import generator

IMAGE = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]).view(1, 1, 3, 3)


@dataclass(frozen=True, kw_only=True)
class Brighter(Augmentation):
    by: float

    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        return images + self.by


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("seed", range(3))
def test_weights_sum_to_one_and_images_stay_as_they_are(name: str, seed: int) -> None:
    images = torch.rand(4, 3, 6, 5)
    before = images.clone()

    views = list(VIEWS[name]().of(images, [Flip()], generator(seed)))

    assert sum(weight for _, weight in views) == pytest.approx(1)
    assert all(view.shape == images.shape for view, _ in views)
    assert torch.equal(images, before)


@pytest.mark.parametrize("views", [*(kind() for kind in VIEWS.values()), Mirror(pixels=1)])
def test_there_are_as_many_views_as_their_count(views: Views) -> None:
    assert len(list(views.of(torch.rand(1, 1, 6, 6), [Flip()], generator(0)))) == views.count


@pytest.mark.parametrize("name", VIEWS)
def test_same_key_gives_the_same_views(name: str) -> None:
    images = torch.rand(4, 3, 6, 5)

    first = [view for view, _ in VIEWS[name]().of(images, [Flip()], generator(1))]
    second = [view for view, _ in VIEWS[name]().of(images, [Flip()], generator(1))]

    assert all(map(torch.equal, first, second))


def test_mirror_gives_the_image_and_its_mirror_image() -> None:
    (image, half), (mirrored, other_half) = Mirror().of(IMAGE, [], generator(0))

    assert (half, other_half) == (0.5, 0.5)
    assert torch.equal(image, IMAGE)
    assert mirrored[0, 0].tolist() == [[3, 2, 1], [6, 5, 4], [9, 8, 7]]


def test_mirror_with_shifts_moves_over_reflected_borders() -> None:
    views = list(Mirror(pixels=1).of(IMAGE, [], generator(0)))

    assert [weight for _, weight in views] == [0.25, 0.125, 0.125] * 2
    first, moved_down, moved_up = (view[0, 0].tolist() for view, _ in views[:3])
    assert first == IMAGE[0, 0].tolist()
    assert moved_down == [[5, 4, 5], [2, 1, 2], [5, 4, 5]]
    assert moved_up == [[5, 6, 5], [8, 9, 8], [5, 6, 5]]
    assert views[4][0][0, 0].tolist() == [[5, 6, 5], [2, 3, 2], [5, 6, 5]]


def test_mirror_needs_images_that_are_larger_than_its_shifts() -> None:
    with pytest.raises(ConfigError, match="mirror: pixels is 3"):
        list(Mirror(pixels=3).of(IMAGE, [], generator(0)))


def test_random_copies_pass_through_all_augmentations_in_order() -> None:
    copies = list(RandomCopies(copies=4).of(IMAGE, [Brighter(by=1), Brighter(by=2)], generator(0)))

    assert [weight for _, weight in copies] == [0.25] * 4
    assert all(torch.equal(copy, IMAGE + 3) for copy, _ in copies)


def test_random_copies_differ_from_one_another() -> None:
    images = torch.rand(8, 1, 6, 6)

    copies = [copy for copy, _ in RandomCopies(copies=5).of(images, [Shift()], generator(0))]

    assert len({tuple(copy.flatten().tolist()) for copy in copies}) == 5


def test_random_copies_need_an_augmentation_that_changes_images() -> None:
    RandomCopies().check([MirroredCopies(), Flip()])
    for augment in ([], [MirroredCopies()]):
        with pytest.raises(ConfigError, match="random-copies has no effect"):
            RandomCopies().check(augment)


def test_impossible_settings_are_refused_in_three_parts() -> None:
    impossible: list[tuple[type[Views], dict[str, float]]] = [
        (RandomCopies, {"copies": 0}),
        (Mirror, {"pixels": -1}),
        (Mirror, {"below": 0.0}),
        (Mirror, {"below": 1.1}),
        (Mirror, {"below": float("nan")}),
    ]
    for kind, settings in impossible:
        with pytest.raises(ConfigError) as caught:
            kind(**settings)
        assert caught.value.expected
        assert caught.value.fix


def test_an_answer_is_unsure_if_its_likeliest_class_has_less() -> None:
    answers = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.1, 0.75, 0.15]])

    assert unsure(answers, 0.75).tolist() == [True, False, False]
    with pytest.raises(ConfigError, match="the likeliest of 3 classes never has less"):
        unsure(answers, 1 / 3)


@pytest.mark.parametrize("name", VIEWS)
def test_what_mirrors_says_so(name: str) -> None:
    views = VIEWS[name]()
    shown = [view for view, _ in views.of(IMAGE, [Shift(pixels=1)], generator(0))]

    assert views.mirrors == any(torch.equal(view, IMAGE.flip(3)) for view in shown)
