"""Operations of trainings whose steps differ, by hand."""

from collections import Counter
from dataclasses import replace

import pytest

from rungwise.errors import ConfigError
from rungwise.models import MLP, Compact
from rungwise.models.summary import summarize
from rungwise.techniques import HardExamples, LabelSmoothing, ProgressiveResizing, Whitening
from rungwise.training.operations import (
    Shape,
    Work,
    first_operations,
    frozen_at,
    images_of_each_work,
    require_work,
    shape_at,
    training_operations,
)
from rungwise.training.recipe import Recipe

FULL, SMALL = (1, 8, 8), (1, 4, 4)
PLAIN = Recipe(model=Compact(widths=(4,), stem_width=2), epochs=2, batch_size=4)
RESIZED = replace(PLAIN, techniques=(ProgressiveResizing(sides=(4,), until=(0.2,)),))


def by_hand(side: int) -> int:
    """Return the operations of one image of 3 classes through the net above, there and back."""
    pixels = side * side
    stem = 2 * 9 * 1 * 2 * pixels  # two for each multiply-add: 3×3, 1 to 2 channels
    group = 2 * 9 * 2 * 4 * pixels + 2 * 9 * 4 * 4 * pixels // 4
    head = 2 * 4 * 3
    # Back: as much for the weights, and as much for the inputs, but not for the images.
    return 3 * (stem + group + head) - stem


def seen(recipe: Recipe, shape: Shape, *, images: int, epochs: int) -> Counter[Shape]:
    """Return the number of images of each shape."""
    done = images_of_each_work(recipe, shape, 3, images=images, epochs=epochs)
    assert not any(work.frozen for work in done)
    return Counter({work.shape: count for work, count in done.items()})


def test_without_resizing_every_image_counts_alike() -> None:
    smoothed = replace(PLAIN, techniques=(LabelSmoothing(),))

    found = training_operations(smoothed, FULL, 3, images=10, epochs=2)

    assert found == 20 * by_hand(8) == 20 * 46152


def test_small_images_count_by_their_own_size() -> None:
    # Batches of 4, 4 and 2; steps 0 and 1 of 6 lie below a fifth: 8 images small and 12 whole.
    found = training_operations(RESIZED, FULL, 3, images=10, epochs=2)

    assert seen(RESIZED, FULL, images=10, epochs=2) == {SMALL: 8, FULL: 12}
    assert found == 8 * by_hand(4) + 12 * by_hand(8) == 8 * 11592 + 12 * 46152


def test_a_training_that_ends_early_has_seen_more_small_images() -> None:
    half = replace(RESIZED, techniques=(ProgressiveResizing(sides=(4,), until=(0.5,)),))

    assert seen(half, FULL, images=10, epochs=1) == {SMALL: 10}
    assert seen(half, FULL, images=10, epochs=2) == {SMALL: 10, FULL: 10}


def test_a_last_image_that_joins_its_batch_is_counted_with_it() -> None:
    # Nine images make batches of 4 and 5; step 0 of 4 lies below a fifth, step 1 does not.
    assert seen(RESIZED, FULL, images=9, epochs=2) == {SMALL: 4, FULL: 14}
    assert seen(RESIZED, FULL, images=1, epochs=2) == {SMALL: 1, FULL: 1}


def test_shorter_epochs_count_as_what_they_are() -> None:
    # Epochs of 10, 6 and 10 images make 3, 2 and 3 steps; of 8 those below 0.4 are the first four.
    choosing = HardExamples(share=0.6, until=0.5)
    resizing = ProgressiveResizing(sides=(4,), until=(0.4,))
    chosen = replace(PLAIN, epochs=3, techniques=(choosing,))
    both = replace(chosen, techniques=(choosing, resizing))

    assert training_operations(chosen, FULL, 3, images=10, epochs=3) == 26 * by_hand(8)
    assert training_operations(chosen, FULL, 3, images=10, epochs=2) == 16 * by_hand(8)
    assert seen(both, FULL, images=10, epochs=3) == {SMALL: 14, FULL: 12}


WHITENED = replace(
    PLAIN,
    model=Compact(widths=(4,), whitened_patch=2),
    techniques=(Whitening(bias_until=0.5),),
)
STEM = 2 * (2 * 2 * 1) * 8 * 7 * 7  # patches 2×2 of one channel, to twice as many: 8
FIRST = 2 * (3 * 3 * 8) * 4 * 7 * 7
SECOND = 2 * (3 * 3 * 4) * 4 * 3 * 3
HEAD = 2 * 4 * 3


def test_a_fixed_first_layer_has_no_way_back_and_a_frozen_one_ends_it_above() -> None:
    forward = STEM + FIRST + SECOND + HEAD
    # Back: as much for the weights and as much for the inputs; the stem's weights are fixed.
    bias_trained = forward + 2 * (FIRST + SECOND + HEAD)
    # Its bias, too: nobody asks for the gradient of the first convolution's input.
    bias_frozen = forward + FIRST + 2 * (SECOND + HEAD)
    # Two epochs of batches of 4, 4 and 2 images, half of them with the bias.
    found = training_operations(WHITENED, FULL, 3, images=10, epochs=2)

    assert first_operations(WHITENED, FULL, 3) == bias_trained == 95656
    assert found == 10 * bias_trained + 10 * bias_frozen
    assert bias_trained - bias_frozen == FIRST == 28224
    assert training_operations(WHITENED, FULL, 3, images=10, epochs=1) == 10 * bias_trained


def test_frozen_modules_are_told_by_name_and_stay_so() -> None:
    done = images_of_each_work(WHITENED, FULL, 3, images=10, epochs=2)

    assert frozen_at(WHITENED, FULL, 3, 0.49) == frozenset()
    assert frozen_at(WHITENED, FULL, 3, 0.5) == {"stem.conv"}
    assert done == {Work(FULL): 10, Work(FULL, frozenset({"stem.conv"})): 10}


def test_freezing_and_resizing_are_counted_together() -> None:
    resizing = ProgressiveResizing(sides=(4,), until=(0.2,))
    both = replace(WHITENED, techniques=(*WHITENED.techniques, resizing))

    done = images_of_each_work(both, FULL, 3, images=10, epochs=2)

    frozen = frozenset({"stem.conv"})
    assert done == {Work(SMALL): 8, Work(FULL): 2, Work(FULL, frozen): 10}


def test_shape_follows_the_techniques_in_order() -> None:
    assert [shape_at(RESIZED, (3, 8, 12), progress) for progress in (0.0, 0.2)] == [
        (3, 4, 6),
        (3, 8, 12),
    ]


def test_sizes_are_checked_with_the_net_and_with_the_images() -> None:
    deep = replace(RESIZED, model=Compact(widths=(4, 4, 4)))

    require_work(RESIZED, FULL, 3)
    with pytest.raises(ConfigError, match="4×4 pixels, the size with which the training begins"):
        require_work(deep, FULL, 3)
    with pytest.raises(ConfigError, match="the images are 4×4 pixels"):
        require_work(RESIZED, SMALL, 3)
    with pytest.raises(ConfigError, match=r"cannot take images of 4×4 pixels\n"):
        require_work(replace(deep, techniques=()), SMALL, 3)
    require_work(Recipe(model=MLP()), SMALL, 3)


def test_the_summarys_figures_are_those_by_hand() -> None:
    for side in (4, 6, 8):
        shape = (1, side, side)
        assert summarize(PLAIN.model, shape, 3).training_flops_per_image == by_hand(side)
