from dataclasses import replace

import pytest

from rungwise.errors import ConfigError
from rungwise.models import CNN, Compact, Model, Multitask, TwoBranch
from rungwise.techniques import Freezing
from rungwise.training.operations import frozen_at, require_work, training_operations
from rungwise.training.recipe import Recipe

SHAPE = (1, 8, 8)
CHAIN = CNN(conv_widths=(2, 4), dense_widths=(3,), dropout_conv=0.5)


def names(model: Model, at: tuple[float, ...], progress: float) -> set[str]:
    recipe = Recipe(model=model, techniques=(Freezing(at=at),))
    return set(frozen_at(recipe, SHAPE, 5, progress))


def test_blocks_freeze_one_by_one_from_the_input() -> None:
    at = (0.0, 0.25, 0.25, 0.5)
    model = Compact(widths=(2, 3, 4), stem_width=2)

    assert names(model, at, 0.0) == {"stem"}
    assert names(model, at, 0.24) == {"stem"}
    assert names(model, at, 0.25) == {"stem", "group1", "group2"}
    assert names(model, at, 0.5) == {"stem", "group1", "group2", "group3"}


def test_layers_without_parameters_are_no_blocks() -> None:
    assert names(CHAIN, (0.1, 0.2, 0.3), 0.9) == {"conv1", "conv2", "dense"}


def test_operations_of_the_way_back_fall_step_by_step_by_hand() -> None:
    # One image a step, four steps; maps of 6×6, 4×4 and, pooled, 2×2.
    technique = Freezing(at=(0.25, 0.5, 0.75))
    recipe = Recipe(model=CHAIN, techniques=(technique,), epochs=4, batch_size=1)
    conv1 = 2 * (9 * 1) * 2 * 6 * 6
    conv2 = 2 * (9 * 2) * 4 * 4 * 4
    dense, logits = 2 * 16 * 3, 2 * 3 * 5
    forward = conv1 + conv2 + dense + logits

    found = [
        training_operations(recipe, SHAPE, 5, images=1, epochs=epochs) for epochs in (1, 2, 3, 4)
    ]

    every = forward + conv1 + 2 * (conv2 + dense + logits)
    without_conv1 = forward + conv2 + 2 * (dense + logits)
    without_conv2 = forward + dense + 2 * logits
    without_dense = forward + logits
    assert found[0] == every
    assert found[1] - found[0] == without_conv1
    assert found[2] - found[1] == without_conv2
    assert found[3] - found[2] == without_dense


@pytest.mark.parametrize("model", [TwoBranch(), Multitask()])
def test_nets_with_branches_are_refused(model: Model) -> None:
    with pytest.raises(ConfigError, match="no chain of layers"):
        Recipe(model=model, techniques=(Freezing(),))


def test_a_net_of_which_nothing_would_be_trained_is_refused() -> None:
    technique = Freezing(at=(0.1, 0.2, 0.3, 0.4))
    recipe = Recipe(model=CHAIN, techniques=(technique,))

    with pytest.raises(ConfigError, match="4 shares, and the net 4 blocks"):
        require_work(recipe, SHAPE, 5)
    require_work(replace(recipe, model=Compact(widths=(2, 3, 4))), SHAPE, 5)


@pytest.mark.parametrize("at", [(), (-0.1,), (1.0,), (0.5, 0.4), (float("nan"),)])
def test_shares_out_of_range_or_order_are_refused(at: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="freezing at is"):
        Freezing(at=at)
