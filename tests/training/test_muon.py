import pytest
import torch
from torch import nn

from rungwise.randomness import generator
from rungwise.training.muon import OrthogonalMomentum, as_matrix, orthogonal

SHAPES = [(6, 4, 3, 3), (40, 2, 3, 3), (5, 5, 1, 1)]


def step_of(weight: torch.Tensor, gradient: torch.Tensor, **settings: object) -> torch.Tensor:
    """Return filters after one step with a rate of 0.5."""
    parameter = nn.Parameter(weight.clone(memory_format=torch.preserve_format))
    parameter.grad = gradient.clone(memory_format=torch.preserve_format)
    usual = {"lr": 0.5, "momentum": 0.6, "renormalize": False, "iterations": 6}
    fixed = {"other_momentum": 0.9, "weight_decay": 0.0}
    OrthogonalMomentum([parameter], [], **{**usual, **fixed, **settings}).step()  # type: ignore[arg-type]
    return parameter.detach()


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (7, 7)])
@pytest.mark.parametrize("seed", range(3))
def test_all_singular_values_come_near_1(shape: tuple[int, int], seed: int) -> None:
    matrix = torch.randn(shape, generator=generator("matrix", seed))
    made = orthogonal(matrix, 8).float()

    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.6 and values.max() < 1.3
    # The same singular vectors, so near the nearest orthogonal matrix, left . right.
    assert (made * (left @ right)).sum() / made.norm() / min(shape) ** 0.5 > 0.96


def test_a_step_is_orthogonal_whatever_the_size_of_the_gradient() -> None:
    weight = torch.zeros(4, 3, 3, 3)
    gradient = torch.randn(weight.shape, generator=generator("gradient"))

    small, large = step_of(weight, 1e-3 * gradient), step_of(weight, 1e3 * gradient)

    torch.testing.assert_close(small, large, rtol=0.02, atol=0.005)
    values = torch.linalg.svdvals(small.flatten(1))
    assert values.min() > 0.25 and values.max() < 0.65  # About the rate, 0.5.


@pytest.mark.parametrize("shape", SHAPES)
def test_the_memory_order_of_the_filters_does_not_matter(shape: tuple[int, ...]) -> None:
    rng = generator("filters")
    weight, gradient = torch.randn(shape, generator=rng), torch.randn(shape, generator=rng)
    last = [t.contiguous(memory_format=torch.channels_last) for t in (weight, gradient)]

    torch.testing.assert_close(step_of(*last), step_of(weight, gradient), rtol=0.03, atol=0.01)


def test_a_matrix_is_a_view_of_the_filters() -> None:
    for order in (torch.contiguous_format, torch.channels_last):
        filters = torch.zeros(2, 3, 4, 5).contiguous(memory_format=order)
        as_matrix(filters)[1] = 1
        assert filters.sum() == filters[1].sum() == 60


def test_renormalized_filters_have_the_root_of_their_number_as_norm_before_the_step() -> None:
    weight = torch.randn(9, 2, 3, 3, generator=generator("weight"))
    gradient = torch.randn(weight.shape, generator=generator("gradient"))

    moved = step_of(weight, gradient, renormalize=True)
    plain = step_of(3 * weight / weight.norm(), gradient)

    torch.testing.assert_close(moved, plain)


def test_a_gradient_of_zeros_changes_nothing() -> None:
    weight = torch.ones(3, 2, 3, 3)
    assert torch.equal(step_of(weight, torch.zeros_like(weight)), weight)


def test_the_momentum_is_kept_over_steps() -> None:
    parameter = nn.Parameter(torch.zeros(1, 1, 1, 1))
    made = OrthogonalMomentum(
        [], [{"params": [parameter], "lr": 1.0}], lr=1.0, momentum=0.0, renormalize=False,
        iterations=1, other_momentum=0.5, weight_decay=0.0,
    )  # fmt: skip
    seen = []
    for gradient in (1.0, 0.0, 0.0):
        parameter.grad = torch.full_like(parameter, gradient)
        made.step()
        seen.append(parameter.item())
    assert seen == [-1.5, -1.75, -1.875]
