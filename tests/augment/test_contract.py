"""What every augmentation promises, checked for every member of the registry."""

import dataclasses

import pytest
import torch

from rungwise.augment import (
    AUGMENTATIONS,
    Affine,
    Augmentation,
    Cutout,
    Flip,
    RandomErasing,
    Turn,
    VerticalFlip,
)
from rungwise.data.images import LabelledImages
from rungwise.randomness import generator

# Where the defaults do nothing, or do not fit images of 9×7 pixels.
EXAMPLES: dict[str, Augmentation] = {
    "affine": Affine(rotate_degrees=20, shift=0.2, zoom=0.2, shear_degrees=15),
    "cutout": Cutout(size=3),
}
SEEDS = range(5)
CHANNELS = {"grey": 1, "colour": 3, "five": 5}


def example(name: str) -> Augmentation:
    return EXAMPLES.get(name) or AUGMENTATIONS[name]()


RANDOM = [name for name, kind in AUGMENTATIONS.items() if "change_images" in vars(kind)]
each_random = pytest.mark.parametrize("name", RANDOM)
each_channels = pytest.mark.parametrize("channels", CHANNELS.values(), ids=CHANNELS.keys())
each_seed = pytest.mark.parametrize("seed", SEEDS)


def random_images(channels: int, n: int = 16) -> torch.Tensor:
    return torch.rand(n, channels, 9, 7, generator=generator("images", channels))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_exactly_one_hook_is_overridden(name: str) -> None:
    hooks = {"change_images", "enlarge"} & set(vars(AUGMENTATIONS[name]))

    assert len(hooks) == 1


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_settings_are_frozen_and_given_by_name(name: str) -> None:
    kind = AUGMENTATIONS[name]

    assert kind.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(kind))
    assert dataclasses.replace(example(name)) == example(name)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_name_is_the_class_name_in_kebab_case(name: str) -> None:
    assert AUGMENTATIONS[name].__name__ == "".join(word.title() for word in name.split("-"))


@each_random
@each_channels
@each_seed
def test_images_keep_shape_dtype_and_range(name: str, channels: int, seed: int) -> None:
    images = random_images(channels)
    before = images.clone()

    changed = example(name).change_images(images, generator(seed))

    assert changed.shape == images.shape
    assert changed.dtype == images.dtype
    assert changed.isfinite().all()
    assert 0 <= changed.min() <= changed.max() <= 1
    assert torch.equal(images, before)
    assert changed.data_ptr() != images.data_ptr()


@each_random
@each_seed
def test_black_and_white_stay_in_range(name: str, seed: int) -> None:
    for value in (0.0, 1.0):
        images = torch.full((16, 3, 9, 7), value)

        changed = example(name).change_images(images, generator(seed))

        assert 0 <= changed.min() <= changed.max() <= 1


@each_random
@each_seed
def test_same_key_gives_the_same_images_and_another_key_others(name: str, seed: int) -> None:
    images = random_images(3)

    first = example(name).change_images(images, generator(seed))

    assert torch.equal(first, example(name).change_images(images, generator(seed)))
    assert not torch.equal(first, example(name).change_images(images, generator(seed, "other")))


@each_random
@each_channels
@each_seed
def test_images_of_one_batch_have_draws_of_their_own(name: str, channels: int, seed: int) -> None:
    images = random_images(channels, n=1).expand(32, -1, -1, -1)

    changed = example(name).change_images(images, generator(seed))

    kinds = changed.flatten(1).unique(dim=0)
    assert len(kinds) == 2 if name.endswith("flip") else len(kinds) > 8


@each_random
@each_channels
def test_channels_last_gives_the_same_images_and_stays(name: str, channels: int) -> None:
    images = random_images(channels)
    channels_last = images.contiguous(memory_format=torch.channels_last)

    expected = example(name).change_images(images, generator(0))
    changed = example(name).change_images(channels_last, generator(0))

    assert changed.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(changed, expected)


@each_random
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_float_types_come_back_as_they_are(name: str, dtype: torch.dtype) -> None:
    images = random_images(3).to(dtype)

    changed = example(name).change_images(images, generator(0))

    assert changed.dtype == dtype
    close = example(name).change_images(images.float(), generator(0))
    torch.testing.assert_close(changed.float(), close, atol=0.02, rtol=0)


@each_random
@pytest.mark.parametrize("n", [0, 1])
def test_empty_and_single_batches_are_taken(name: str, n: int) -> None:
    changed = example(name).change_images(random_images(3, n), generator(0))

    assert changed.shape == (n, 3, 9, 7)


@pytest.mark.parametrize("name", sorted(set(RANDOM) - {"alternating-flip"}))
def test_a_turn_changes_images_as_without_one(name: str) -> None:
    images = random_images(3)
    turn = Turn(2, torch.arange(16), torch.ones(16, dtype=torch.bool))

    changed = example(name).change_turn(images, generator(0), turn)

    assert torch.equal(changed, example(name).change_images(images, generator(0)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_random
def test_generator_may_stay_on_the_cpu_while_images_are_elsewhere(name: str) -> None:
    images = random_images(3)

    changed = example(name).change_images(images.cuda(), generator(0))

    expected = example(name).change_images(images, generator(0))
    torch.testing.assert_close(changed.cpu(), expected, atol=1e-4, rtol=0)


def test_whole_batch_changes_where_probability_is_one() -> None:
    images = random_images(3)

    for augmentation in (Flip(probability=1), VerticalFlip(probability=1)):
        changed = augmentation.change_images(images, generator(0))
        assert (changed != images).flatten(1).any(1).all()
    erased = RandomErasing(probability=1).change_images(images, generator(0))
    assert (erased != images).flatten(1).any(1).all()


LEFT = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 0.5]).expand(8, 1, 6, 6)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_what_mirrors_says_so(name: str) -> None:
    augmentation = example(name)
    changed = [augmentation.change_images(LEFT, generator(seed)) for seed in SEEDS]
    labels = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1])
    data = LabelledImages(
        (LEFT * 255).to(torch.uint8).permute(0, 2, 3, 1), labels, class_names=("a", "b")
    )
    enlarged = augmentation.enlarge(data).images.permute(0, 3, 1, 2) / 255
    is_mirror_image = (torch.cat([*changed, enlarged]) - LEFT[:1].flip(3)).abs().amax((1, 2, 3))

    assert augmentation.mirrors == bool((is_mirror_image < 0.01).any())
