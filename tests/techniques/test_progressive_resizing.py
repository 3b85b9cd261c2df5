"""Progressive resizing, by hand, against a slow reference, and through whole trainings."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from rungwise.data.images import LabelledImages
from rungwise.errors import ConfigError
from rungwise.models import CNN, MLP, MODELS, Compact, Model, VGGBenchmark, VGGDeep
from rungwise.randomness import generator
from rungwise.techniques import Batch, CutMix, ProgressiveResizing
from rungwise.techniques.progressive_resizing import shrink
from rungwise.training import loop
from rungwise.training.loop import Training
from rungwise.training.optimizer import SGD
from rungwise.training.passes import Recorded
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

HALF_THEN_MORE = ProgressiveResizing(sides=(4, 6), until=(0.25, 0.75))
SMALL: dict[str, Model] = {
    "compact": Compact(widths=(16, 32), stem_width=8),
    "vgg-benchmark": VGGBenchmark(widths=(8, 8, 8), dense_width=16, dropout_conv=0),
    "vgg-deep": VGGDeep(widths=(8, 8, 8, 8), dense_width=16, dropout_conv=0, dropout_dense=0),
}


def batch_of(height: int, width: int) -> Batch:
    images = torch.rand(3, 2, height, width, generator=generator("images"))
    return Batch(images.contiguous(memory_format=torch.channels_last), torch.eye(3))


def training(recipe: Recipe, n: int = 10) -> Training:
    rng = generator("pixels")
    pixels = torch.randint(256, (n, 8, 8, 3), generator=rng).byte()
    data = LabelledImages(pixels, torch.arange(n) % 3, ("a", "b", "c"))
    return Training(recipe, data, data, Seed(), torch.device("cpu"))


@pytest.mark.parametrize(
    ("progress", "side"), [(0, 4), (0.2499, 4), (0.25, 6), (0.7499, 6), (0.75, 8), (0.999, 8)]
)
def test_each_side_lasts_until_its_share_of_the_training(progress: float, side: int) -> None:
    batch = batch_of(8, 8)

    images, targets = HALF_THEN_MORE.change_batch(batch, generator(0), progress)

    assert images.shape == (3, 2, side, side)
    assert HALF_THEN_MORE.image_size((8, 8), progress) == (side, side)
    assert targets is batch.targets


def test_whole_images_are_left_as_they_are() -> None:
    batch = batch_of(8, 8)

    assert HALF_THEN_MORE.change_batch(batch, generator(0), 0.8) is batch


@pytest.mark.parametrize(("size", "expected"), [((8, 12), (4, 6)), ((15, 10), (6, 4))])
def test_the_shorter_side_is_set_and_the_longer_one_follows(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    images, _ = HALF_THEN_MORE.change_batch(batch_of(*size), generator(0), 0.0)

    assert images.shape[2:] == expected


def test_half_the_side_weighs_the_pixels_by_their_distance() -> None:
    # A new pixel is two old ones wide: weights fall from its centre to 0 two old pixels away.
    dot = torch.zeros(1, 1, 8, 8)
    dot[0, 0, 3, 3] = 1

    shrunk = shrink(dot, (4, 4))[0, 0]

    # Old centre 3.5; new centres 1, 3, 5, 7: distances 2.5, 0.5, 1.5, 3.5. (2 - d) / 4 of it.
    shares = torch.tensor([0, 1.5 / 4, 0.5 / 4, 0])
    torch.testing.assert_close(shrunk, shares[:, None] * shares)


def test_grey_stays_grey_and_a_fine_pattern_becomes_grey() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(8).expand(2, 3, 16, 16)

    shrunk = shrink(stripes, (8, 8))

    # At the border the window is cut.
    torch.testing.assert_close(shrunk[..., 1:-1], torch.full((2, 3, 8, 6), 0.5))
    torch.testing.assert_close(
        shrink(torch.full((1, 1, 9, 9), 0.3), (5, 7)), torch.full((1, 1, 5, 7), 0.3)
    )


def test_channels_last_stays() -> None:
    images, _ = HALF_THEN_MORE.change_batch(batch_of(8, 8), generator(0), 0.0)

    assert images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"sides": (), "until": ()}, "has the sides"),
        ({"sides": (20,)}, "has the sides"),
        ({"sides": (0, 24)}, "has the sides"),
        ({"sides": (24, 20)}, "has the sides"),
        ({"sides": (20, 20)}, "has the sides"),
        ({"until": (0.5, 0.5)}, "until is"),
        ({"until": (0.0, 0.5)}, "until is"),
        ({"until": (0.5, 1.0)}, "until is"),
        ({"until": (15.0, 50.0)}, "until is"),
        ({"until": (0.1, float("nan"))}, "until is"),
    ],
    ids=str,
)
def test_impossible_settings_are_refused_in_three_parts(
    settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=f"progressive-resizing {problem}") as caught:
        ProgressiveResizing(**settings)

    assert caught.value.expected
    assert caught.value.fix


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_is_refused_unless_its_nets_take_any_size(name: str) -> None:
    model = SMALL.get(name) or MODELS[name]()
    network = model.build((3, 8, 8), 5, generator(0)).eval()

    try:
        # Larger ones too: what rounds its last map up to one pixel takes other small images.
        shapes = [network(torch.rand(2, 3, *size)).logits.shape for size in ((5, 7), (140, 130))]
        taken = set(shapes) == {(2, 5)}
    except RuntimeError:
        taken = False

    assert taken == model.any_size
    if model.any_size:
        HALF_THEN_MORE.check(model, validated=False)
        return
    with pytest.raises(ConfigError, match="images of one size only") as caught:
        HALF_THEN_MORE.check(model, validated=True)
    assert caught.value.expected
    assert caught.value.fix


@pytest.mark.parametrize("side", [8, 9])
def test_a_side_that_is_not_below_the_images_is_refused_at_the_start(side: int) -> None:
    resizing = ProgressiveResizing(sides=(4, side), until=(0.2, 0.5))
    recipe = Recipe(model=SMALL["compact"], techniques=(resizing,), precision="float32")

    with pytest.raises(ConfigError, match=f"side {side}, and the images are 8×8") as caught:
        training(recipe)

    assert caught.value.expected == "sides of fewer than 8 pixels, the shorter side"


def test_a_side_that_is_too_small_for_the_net_is_refused_at_the_start() -> None:
    resizing = ProgressiveResizing(sides=(3,), until=(0.5,))
    recipe = Recipe(model=SMALL["compact"], techniques=(resizing,), precision="float32")

    with pytest.raises(ConfigError, match="images of 3×3 pixels, the size with which") as caught:
        training(recipe)

    assert caught.value.expected
    assert "larger images" in str(caught.value.fix)


class Watched(nn.Module):
    """Notes the sides of what a layer is given while it trains and while it does not."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.sides: dict[bool, list[int]] = {True: [], False: []}
        layer.register_forward_pre_hook(self._note)

    def _note(self, layer: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        self.sides[layer.training].append(args[0].shape[-1])


def test_a_training_grows_its_images_and_validates_with_whole_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "make_pass", Recorded)
    recipe = Recipe(
        model=SMALL["compact"], techniques=(HALF_THEN_MORE, CutMix()), batch_size=5, epochs=4
    )
    made = training(replace(recipe, precision="float32"))
    watched = Watched(made.net)

    for _ in made.steps():
        pass

    assert watched.sides[True] == [4, 4, 6, 6, 6, 6, 8, 8]  # 0 and 1/8 are below 0.25
    assert [record.epoch for record in made.history] == [1, 2, 3, 4]


@pytest.mark.parametrize("model", SMALL.values(), ids=SMALL.keys())
@pytest.mark.parametrize("sides", [(4, 6), (5, 7)], ids=str)
def test_the_program_and_pytorchs_own_pass_train_alike_on_all_sizes(
    model: Model, sides: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(model, VGGBenchmark):
        model = replace(model, dropout_dense=0)
    recipe = Recipe(
        model=model,
        techniques=(replace(HALF_THEN_MORE, sides=sides),),
        optimizer=SGD(lr=0.01, momentum=0, nesterov=False),
        batch_size=5,
        epochs=2,
        precision="float32",
    )
    fast = training(recipe)
    monkeypatch.setattr(loop, "make_pass", Recorded)
    slow = training(recipe)

    for one in (fast, slow):
        for _ in one.steps():
            pass

    theirs = slow.net.state_dict()
    for name, tensor in fast.net.state_dict().items():
        torch.testing.assert_close(tensor, theirs[name], atol=1e-4, rtol=1e-3)


def test_nets_of_one_size_are_refused_by_the_recipe() -> None:
    for model in (MLP(), CNN()):
        with pytest.raises(ConfigError, match="one size only"):
            Recipe(model=model, techniques=(ProgressiveResizing(),))
