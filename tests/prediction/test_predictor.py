import contextlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rungwise.augment import Augmentation, Flip, Shift
from rungwise.augment.views import Mirror, RandomCopies, Views
from rungwise.data.images import LabelledImages
from rungwise.errors import ConfigError, DataError, RunError, UsageError
from rungwise.models import CNN, MLP, Compact, Model, Multitask, StridedCNN, TwoBranch
from rungwise.models.base import Output
from rungwise.models.input import ScaledNetwork, input_statistics, network_shape
from rungwise.prediction import predictor as module
from rungwise.prediction.predictor import Predictor, combine, read_artefact
from rungwise.randomness import generator
from rungwise.training.checkpoint import read_tensors, write_tensors
from rungwise.training.recipe import Members, Recipe

NAMES = ("a", "b", "c")
MODELS: list[Model] = [
    MLP(hidden_widths=(5,)),
    CNN(conv_widths=(4,), dense_widths=(6,)),
    Compact(widths=(4,), stem_width=3),
    StridedCNN(conv_widths=(3, 2), dense_widths=(4,)),
    Multitask(conv_width=2, dense_width=4),
    TwoBranch(
        encoder_widths=(4,), decoder_widths=(), conv_widths=(3,), dense_widths=(4,), fusion_width=3
    ),
]


def pixels(n: int = 6, channels: int = 2) -> torch.Tensor:
    return torch.randint(0, 256, (n, 8, 8, channels), generator=generator("pixels", n)).byte()


def labelled(pixels: torch.Tensor) -> LabelledImages:
    return LabelledImages(pixels, torch.zeros(len(pixels), dtype=torch.int64), NAMES)


def untrained(model: Model, seed: int = 0, **settings: object) -> Predictor:
    recipe = Recipe(model=model, precision="float32", **settings)  # type: ignore[arg-type]
    net = ScaledNetwork(
        model.build((2, 8, 8), 3, generator("net", seed)),
        *input_statistics("standardized", labelled(pixels(20))),
    )
    net.to(memory_format=torch.channels_last)
    return Predictor(recipe, (recipe,), (net.eval(),), NAMES, (2, 8, 8))


def reload(predictor: Predictor, folder: Path) -> Predictor:
    predictor.save(folder / "model.safetensors")
    return Predictor.load(folder / "model.safetensors")


class Rule(nn.Module):
    """Gives logits by a rule, so that probabilities can be worked by hand."""

    def __init__(self, rule: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.rule = rule

    def forward(self, images: torch.Tensor) -> Output:
        return Output(self.rule(images).log())


def of_rules(
    *rules: Callable[[torch.Tensor], torch.Tensor],
    views: Views | None = None,
    augment: tuple[Augmentation, ...] = (Flip(),),
) -> Predictor:
    recipe = Recipe(model=MLP(), augment=augment, views=views, precision="float32")
    nets = tuple(Rule(rule) for rule in rules)
    return Predictor(recipe, (recipe,) * len(nets), nets, ("dark", "light"), (1, 1, 2))


def first_pixel(images: torch.Tensor) -> torch.Tensor:
    light = images[:, 0, 0, 0]
    return torch.stack([1 - light, light], 1)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_probabilities_sum_to_one(model: Model) -> None:
    given = untrained(model).probabilities(pixels())

    assert given.shape == (6, 3)
    assert given.dtype == torch.float32
    assert given.min() >= 0
    torch.testing.assert_close(given.sum(1), torch.ones(6))


def test_no_images_have_no_probabilities() -> None:
    assert untrained(MODELS[0]).probabilities(pixels(0)).shape == (0, 3)
    assert untrained(MODELS[0]).probabilities_of(labelled(pixels(0))).shape == (0, 3)


def test_a_view_is_predicted_like_its_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVALUATION_BATCH", 4)
    copies = RandomCopies(copies=2)
    predictor = untrained(MODELS[0], augment=(Shift(pixels=1),), views=copies)
    view = labelled(pixels(20)).take(torch.arange(19, -1, -2))

    assert torch.equal(predictor.probabilities_of(view), predictor.probabilities(view.images))


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(2, 8, 8, 1).byte(),
        torch.zeros(2, 8, 7, 2).byte(),
        torch.zeros(2, 2, 8, 8).byte(),
        torch.zeros(8, 8, 2).byte(),
        torch.zeros(2, 8, 8, 2),
    ],
    ids=lambda tensor: f"{tensor.dtype} {tuple(tensor.shape)}",
)
def test_images_of_another_kind_are_refused_in_three_parts(wrong: torch.Tensor) -> None:
    for ask in (untrained(MODELS[0]).probabilities, untrained(MODELS[0]).reconstructions):
        with pytest.raises(DataError, match="the images are torch") as caught:
            ask(wrong)
        assert "uint8 of shape (N, 8, 8, 2)" in str(caught.value.expected)
        assert caught.value.fix


def test_members_are_averaged_by_their_probabilities() -> None:
    always = torch.tensor([[0.5, 0.5]])
    predictor = of_rules(first_pixel, lambda images: always.expand(len(images), 2))

    given = predictor.probabilities(torch.tensor([[[[51], [0]]]], dtype=torch.uint8))

    # (0.8 + 0.5) / 2 dark, (0.2 + 0.5) / 2 light
    torch.testing.assert_close(given, torch.tensor([[0.65, 0.35]]))


def test_logits_are_divided_by_each_nets_own_temperature_before_the_softmax() -> None:
    predictor = replace(of_rules(first_pixel, first_pixel), temperatures=(2.0, 0.5))
    image = torch.tensor([[[[51], [0]]]], dtype=torch.uint8)

    given = predictor.with_temperature_scaling(True).probabilities(image)

    # Odds of 4 to 1 for dark become 2 to 1 and 16 to 1.
    torch.testing.assert_close(given[0, 0].item(), (2 / 3 + 16 / 17) / 2)
    torch.testing.assert_close(predictor.probabilities(image), torch.tensor([[0.8, 0.2]]))


def test_temperatures_are_fitted_to_each_net() -> None:
    """One net gives odds of 4 to 1, the other of 16 to 1; both are right 3 times of 4."""
    predictor = of_rules(first_pixel, lambda images: first_pixel(images) ** 2)
    dark = torch.full((400, 1, 2, 1), 51, dtype=torch.uint8)
    held_out = LabelledImages(dark, torch.tensor([0, 0, 0, 1] * 100), ("dark", "light"))

    first, second = predictor.calibrated_on(held_out).temperatures

    assert first == pytest.approx(math.log(4) / math.log(3), rel=0.01)
    assert second == pytest.approx(math.log(16) / math.log(3), rel=0.01)


@pytest.mark.parametrize("temperatures", [(), (None,)], ids=str)
def test_temperatures_that_are_not_there_are_refused(
    temperatures: tuple[None, ...],
) -> None:
    predictor = replace(of_rules(first_pixel), temperatures=temperatures)

    with pytest.raises(RunError, match="a net has no temperature") as caught:
        predictor.with_temperature_scaling(True)

    assert caught.value.expected
    assert caught.value.fix


def test_mirror_views_are_averaged() -> None:
    predictor = of_rules(first_pixel, views=Mirror())

    given = predictor.probabilities(torch.tensor([[[[51], [204]]]], dtype=torch.uint8))

    # light 0.2 as it is, 0.8 mirrored
    torch.testing.assert_close(given, torch.tensor([[0.5, 0.5]]))


def test_only_unsure_images_get_the_views() -> None:
    sure, unsure = [[[0], [51]]], [[[153], [51]]]  # light 0.0 and 0.6 as they are, 0.2 mirrored

    given = of_rules(first_pixel, views=Mirror(below=0.7)).probabilities(
        torch.tensor([sure, unsure], dtype=torch.uint8)
    )

    torch.testing.assert_close(given[:, 1], torch.tensor([0.0, (0.6 + 0.2) / 2]))


def test_an_ensemble_is_unsure_where_its_mean_is() -> None:
    predictor = of_rules(
        first_pixel, lambda images: first_pixel(images).flip(1), views=Mirror(below=0.7)
    )
    seen: list[int] = []
    for net in predictor.nets:
        net.register_forward_pre_hook(lambda _, images: seen.append(len(images[0])))

    predictor.probabilities(torch.tensor([[[[0], [51]]]] * 4, dtype=torch.uint8))

    # Each net alone is sure; together they say half and half: plain, image and mirror image.
    assert seen == [4, 4, 4, 4, 4, 4]


def test_the_answer_for_an_image_does_not_hang_on_its_neighbours() -> None:
    predictor = of_rules(first_pixel, views=Mirror(below=0.8))
    images = torch.randint(1, 255, (9, 1, 2, 1), generator=generator("neighbours")).byte()

    together = predictor.probabilities(images)

    alone = torch.cat([predictor.probabilities(images[i : i + 1]) for i in range(9)])
    assert torch.equal(together, alone)
    assert not torch.equal(together, predictor.with_views(None).probabilities(images))
    assert not torch.equal(together, predictor.with_views(Mirror()).probabilities(images))


def test_a_threshold_that_no_image_is_below_is_refused() -> None:
    with pytest.raises(ConfigError, match="have no effect"):
        of_rules(first_pixel, views=Mirror(below=0.5)).probabilities(
            torch.zeros(1, 1, 2, 1, dtype=torch.uint8)
        )


@dataclass(frozen=True)
class Darken(Augmentation):
    def change_images(self, images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        return images * torch.rand(len(images), 1, 1, 1, generator=rng)


def test_random_copies_are_averaged_over_each_members_own_draws() -> None:
    predictor = of_rules(
        first_pixel, first_pixel, views=RandomCopies(copies=3), augment=(Darken(),)
    )

    given = predictor.probabilities(torch.tensor([[[[255], [0]]]], dtype=torch.uint8))

    draws = [
        torch.rand(1, 1, 1, 1, generator=rng).item()
        for rng in (generator("views", member, 0) for member in range(2))
        for _ in range(3)
    ]
    assert len(set(draws)) == 6
    assert given[0, 1].item() == pytest.approx(sum(draws) / 6, rel=1e-5)


@pytest.mark.parametrize("views", [Mirror(pixels=1), RandomCopies(copies=3)], ids=str)
def test_test_time_augmentation_gives_the_same_answer_each_time(views: Views) -> None:
    predictor = untrained(MODELS[1], augment=(Shift(),), views=views)
    before = torch.get_rng_state()

    first = predictor.probabilities(pixels())

    assert torch.equal(first, predictor.probabilities(pixels()))
    assert not torch.equal(first, predictor.with_views(None).probabilities(pixels()))
    assert torch.equal(torch.get_rng_state(), before)


def test_views_without_effect_are_refused() -> None:
    with pytest.raises(ConfigError, match="random-copies has no effect"):
        untrained(MODELS[0]).with_views(RandomCopies())


@pytest.mark.parametrize("n", [2, 3, 4, 6, 7])
def test_chunks_give_the_answers_of_the_whole(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = of_rules(first_pixel, views=Mirror())
    images = torch.randint(1, 255, (n, 1, 2, 1), generator=generator("chunks")).byte()
    whole = predictor.probabilities(images)

    monkeypatch.setattr(module, "EVALUATION_BATCH", 3)

    assert torch.equal(predictor.probabilities(images), whole)


def test_chunks_draw_their_own_random_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVALUATION_BATCH", 1)
    predictor = of_rules(first_pixel, views=RandomCopies(copies=1), augment=(Darken(),))

    given = predictor.probabilities(torch.full((4, 1, 2, 1), 255, dtype=torch.uint8))

    assert len(set(given[:, 1].tolist())) == 4


def test_reconstructions_come_from_nets_that_make_them() -> None:
    made = untrained(MODELS[4]).reconstructions(pixels())

    assert made is not None
    assert made.shape == (6, 2, 8, 8)
    assert 0 <= made.min() <= made.max() <= 1
    assert untrained(MODELS[0]).reconstructions(pixels()) is None


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_saved_predictor_answers_bit_for_bit_alike(model: Model, tmp_path: Path) -> None:
    predictor = replace(untrained(model), resizes=True, temperatures=(1.7,))
    predictor = predictor.with_temperature_scaling(True)

    loaded = reload(predictor, tmp_path)

    assert torch.equal(loaded.probabilities(pixels()), predictor.probabilities(pixels()))
    assert (loaded.recipe, loaded.members) == (predictor.recipe, predictor.members)
    assert (loaded.class_names, loaded.shape, loaded.resizes) == (NAMES, (2, 8, 8), True)
    assert loaded.temperatures == (1.7,)


def test_a_net_for_grey_images_takes_them_with_three_channels(tmp_path: Path) -> None:
    grey = pixels(20, 1)
    train = labelled(grey.repeat(1, 1, 1, 3))
    model = Multitask(conv_width=2, dense_width=4)
    recipe = Recipe(model=model, precision="float32")
    net = ScaledNetwork(
        model.build(network_shape(train), 3, generator("net")),
        *input_statistics("standardized", train),
    )
    net.to(memory_format=torch.channels_last)
    predictor = Predictor(recipe, (recipe,), (net.eval(),), NAMES, (3, 8, 8))

    loaded = reload(predictor, tmp_path)

    answers = loaded.probabilities(train.images)
    assert torch.equal(answers, predictor.probabilities(train.images))
    alone = replace(predictor, shape=(1, 8, 8)).probabilities(grey)
    torch.testing.assert_close(answers, alone)
    drawn = loaded.reconstructions(train.images)
    assert drawn is not None and drawn.shape == (20, 3, 8, 8)


def test_an_ensemble_of_different_nets_with_views_is_saved_whole(tmp_path: Path) -> None:
    members = [untrained(model, seed) for seed, model in enumerate(MODELS[:3])]
    recipe = replace(
        members[0].recipe,
        augment=(Shift(),),
        views=RandomCopies(copies=2),
        ensemble=(Members(count=3),),
    )
    ensemble = combine(members, recipe)

    loaded = reload(ensemble, tmp_path)

    assert torch.equal(loaded.probabilities(pixels()), ensemble.probabilities(pixels()))
    assert loaded.recipe == recipe
    assert [one.model for one in loaded.members] == MODELS[:3]


def test_more_than_ten_members_keep_their_own_weights(tmp_path: Path) -> None:
    ensemble = combine([untrained(MODELS[0], seed) for seed in range(12)])

    loaded = reload(ensemble, tmp_path)

    for mine, theirs in zip(ensemble.nets, loaded.nets, strict=True):
        ours, other = mine.state_dict(), theirs.state_dict()
        assert all(torch.equal(ours[name], other[name]) for name in ours)


def test_a_deep_net_with_batch_statistics_is_saved_whole(tmp_path: Path) -> None:
    predictor = untrained(Compact(widths=(3, 3), stem_width=2))
    net = predictor.nets[0].train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(4, 2, 8, 8))
    net.eval()

    assert torch.equal(
        reload(predictor, tmp_path).probabilities(pixels()), predictor.probabilities(pixels())
    )


def test_combining_averages_the_members() -> None:
    first, second = untrained(MODELS[0], 0), untrained(MODELS[1], 1)

    both = combine([first, second])

    mean = (first.probabilities(pixels()) + second.probabilities(pixels())) / 2
    torch.testing.assert_close(both.probabilities(pixels()), mean)
    assert both.recipe == first.recipe
    assert combine([both, first]).members == (first.recipe, second.recipe, first.recipe)
    assert combine([both, replace(first, temperatures=(2.0,))]).temperatures == (None, None, 2.0)


@pytest.mark.parametrize(
    "change",
    [{"class_names": ("a", "b", "d")}, {"class_names": ("b", "a", "c")}, {"shape": (1, 8, 8)}],
    ids=str,
)
def test_predictors_of_other_data_are_not_combined(change: dict[str, tuple[object, ...]]) -> None:
    first = untrained(MODELS[0])

    with pytest.raises(UsageError, match="different classes or image shapes") as caught:
        combine([first, replace(first, **change)])  # type: ignore[arg-type]

    assert caught.value.expected
    assert caught.value.fix


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    untrained(MODELS[0]).save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_notes_are_kept_beside_the_predictor(saved: Path) -> None:
    predictor, nothing = read_artefact(saved)
    predictor.save(saved, {"by": ["größe", None]})
    again, notes = read_artefact(saved)

    assert (nothing, notes) == ({}, {"by": ["größe", None]})
    assert torch.equal(again.probabilities(pixels()), predictor.probabilities(pixels()))


def test_an_artefact_of_a_newer_format_is_refused(saved: Path) -> None:
    tensors, description = read_tensors(saved)
    write_tensors(saved, tensors, {**description, "format": 2})

    with pytest.raises(RunError, match="is an artefact of format 2") as caught:
        Predictor.load(saved)

    assert caught.value.expected == "format 1"
    assert "install the version" in str(caught.value.fix)


def test_another_file_of_ours_is_no_predictor(saved: Path) -> None:
    write_tensors(saved, {"probabilities": torch.zeros(2, 3)}, {"part": "test"})

    with pytest.raises(RunError, match="it is no trained predictor"):
        Predictor.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"members": []},
        {"members": 3},
        {"members": [{"model": "mlp"}]},
        {"members": [{"model": "unknown"}]},
        {"recipe": None},
        {"shape": [2, 8]},
        {"shape": [2, 8, -8]},
        {"shape": "abc"},
        {"shape": [1, 8, 8]},
        {"class_names": ["a", "b"]},
        {"class_names": 5},
        {"temperatures": [1.0, 2.0]},
        {"temperatures": [0.0]},
        {"temperatures": ["hot"]},
        {"temperatures": 1.0},
    ],
    ids=str,
)
def test_a_description_that_does_not_fit_is_refused(change: dict[str, object], saved: Path) -> None:
    tensors, description = read_tensors(saved)
    write_tensors(saved, tensors, {**description, **change})

    with pytest.raises(RunError, match="is damaged") as caught:
        Predictor.load(saved)

    assert caught.value.expected
    assert caught.value.fix


@pytest.mark.parametrize("key", ["recipe", "members", "class_names", "shape", "resizes"])
def test_a_description_that_lacks_a_part_is_refused(key: str, saved: Path) -> None:
    tensors, description = read_tensors(saved)
    del description[key]
    write_tensors(saved, tensors, description)

    with pytest.raises(RunError, match="is damaged"):
        Predictor.load(saved)


def test_an_older_artefact_without_temperatures_is_read(saved: Path) -> None:
    tensors, description = read_tensors(saved)
    del description["temperatures"]
    write_tensors(saved, tensors, description)

    assert Predictor.load(saved).temperatures == ()


def test_a_missing_weight_is_told(saved: Path) -> None:
    tensors, description = read_tensors(saved)
    tensors.popitem()
    write_tensors(saved, tensors, description)

    with pytest.raises(RunError, match="is damaged"):
        Predictor.load(saved)


def test_a_file_with_one_altered_byte_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    name = content.index(b"crc32")

    for place in range(0, len(content), 29):
        if name <= place < name + len(b"crc32"):
            continue
        altered = bytearray(content)
        altered[place] ^= 1
        saved.write_bytes(altered)
        with pytest.raises(RunError, match="is damaged"):
            Predictor.load(saved)


@pytest.mark.parametrize("flip", [1, 32])
def test_a_damaged_description_never_ends_in_a_traceback(flip: int, saved: Path) -> None:
    tensors, description = read_tensors(saved)
    text = json.dumps(description)

    for place in range(0, len(text), 7):
        altered = text[:place] + chr(ord(text[place]) ^ flip) + text[place + 1 :]
        save_file(tensors, saved, {"rungwise": altered})  # without a checksum
        with contextlib.suppress(RunError):
            Predictor.load(saved)


def test_a_missing_or_cut_off_file_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    for share in (0, 0.1, 0.5, 0.99):
        saved.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(RunError, match="is damaged"):
            Predictor.load(saved)
    with pytest.raises(RunError):
        Predictor.load(saved.parent / "none.safetensors")


@pytest.mark.parametrize("views", [None, Mirror(pixels=1), RandomCopies(copies=3)])
def test_answers_of_views_and_nets_add_up_to_the_probabilities(views: Views | None) -> None:
    nets = [untrained(MODELS[1], seed, augment=(Shift(pixels=1),)) for seed in range(2)]
    predictor = combine(nets).with_views(views)
    images = pixels(4)

    answers = predictor.view_answers(images)

    count = 1 if views is None else views.count
    assert [one.net for one in answers] == [0] * count + [1] * count
    assert sum(one.weight for one in answers) == pytest.approx(1)
    mean = torch.stack([one.weight * one.probabilities for one in answers]).sum(0)
    torch.testing.assert_close(mean, predictor.probabilities(images))
    assert all(one.images.shape == (4, 2, 8, 8) for one in answers)
    if views is None or views.drawn is False:
        assert torch.equal(answers[0].images, images.permute(0, 3, 1, 2) / 255)
