import pytest
import scipy.stats
import torch

from rungwise.errors import ConfigError
from rungwise.randomness import generator
from rungwise.techniques import Batch, Mixup
from rungwise.techniques.mixup import beta, mix


def test_images_and_targets_are_weighted_means_of_two() -> None:
    batch = Batch(torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1), torch.eye(3))

    mixed = mix(batch, torch.tensor([1, 2, 2]), torch.tensor([0.25, 0.75, 0.5]))

    # 0.25·0 + 0.75·0.5, 0.75·0.5 + 0.25·1, 1 with itself
    assert mixed.images.flatten().tolist() == [0.375, 0.625, 1.0]
    assert mixed.targets.tolist() == [[0.25, 0.75, 0], [0, 0.75, 0.25], [0, 0, 1]]


@pytest.mark.parametrize("seed", range(4))
def test_targets_tell_what_the_images_hold(seed: int) -> None:
    images = torch.arange(6.0).view(6, 1, 1, 1) / 6
    batch = Batch(images, torch.eye(6))

    mixed = Mixup(alpha=1).change_batch(batch, generator(seed), 0.0)

    torch.testing.assert_close(mixed.images.flatten(), mixed.targets @ images.flatten())


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_weights_have_the_moments_of_the_beta_distribution(alpha: float) -> None:
    draws = beta(alpha, 50_000, generator("beta", str(alpha))).double()

    expected = scipy.stats.beta(alpha, alpha)
    assert draws.mean().item() == pytest.approx(expected.mean(), abs=0.01)
    assert draws.var().item() == pytest.approx(expected.var(), rel=0.03)
    assert (draws < 0.1).double().mean().item() == pytest.approx(expected.cdf(0.1), abs=0.01)
    assert (draws < 0.75).double().mean().item() == pytest.approx(expected.cdf(0.75), abs=0.01)


@pytest.mark.parametrize("alpha", [1e-1, 1e-2, 1e-4, 1e-8])
def test_a_tiny_alpha_gives_numbers(alpha: float) -> None:
    draws = beta(alpha, 10_000, generator("tiny"))

    assert draws.dtype == torch.float32
    assert draws.isfinite().all()
    assert 0 <= draws.min() <= draws.max() <= 1


@pytest.mark.parametrize("alpha", [0, -1, float("nan"), float("inf")])
def test_an_impossible_alpha_is_refused_in_three_parts(alpha: float) -> None:
    with pytest.raises(ConfigError, match="mixup alpha") as caught:
        Mixup(alpha=alpha)

    assert caught.value.expected
    assert caught.value.fix
