"""The benchmarked nets, and the same ones in plain PyTorch."""

import pytest
import torch

from rungwise.bench.nets import CLASSES, NETS, choose_nets
from rungwise.bench.peers import torch_eager
from rungwise.errors import UnknownNameError
from rungwise.techniques import EarlyStopping


def test_peers_have_the_same_nets() -> None:
    assert list(torch_eager.NETS) == list(NETS)


@pytest.mark.parametrize("name", NETS)
def test_plain_pytorch_has_the_same_parameters_batches_and_outputs(name: str) -> None:
    net = NETS[name]
    theirs = torch_eager.NETS[name]()
    parameters = sum(tensor.numel() for tensor in theirs.parameters())

    assert parameters == net.summary().parameters
    assert torch_eager.BATCH_SIZES[name[0]] == net.recipe.batch_size
    images = torch.rand(2, *net.shape)
    labels = torch.tensor([0, CLASSES - 1])
    assert torch_eager.loss_of(name, theirs, images, labels).shape == ()


@pytest.mark.parametrize("name", NETS)
def test_a_benchmarked_recipe_neither_augments_nor_stops(name: str) -> None:
    recipe = NETS[name].recipe

    assert recipe.augment == ()
    assert not any(isinstance(one, EarlyStopping) for one in recipe.techniques)


def test_without_names_all_nets_are_chosen() -> None:
    assert choose_nets([]) == list(NETS.values())


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'C-conv3'"):
        choose_nets(["A-cnn", "C-con3"])
