from dataclasses import replace
from typing import Any

import pytest
import torch

from rungwise.augment.views import Mirror
from rungwise.data.images import LabelledImages
from rungwise.errors import RunError
from rungwise.interfaces.export.parity import (
    BOUND,
    compare,
    house_precision,
    require_parity,
    spaced,
)
from rungwise.prediction.predictor import Predictor
from rungwise.training import precision


def faithful(predictor: Predictor) -> Any:
    return predictor.in_float32().probabilities


def test_a_file_that_answers_alike_passes(predictor: Predictor, noise: Any) -> None:
    parity = compare(predictor, faithful(predictor), noise(), "images of noise")

    assert parity.holds
    assert parity.exported.other_answers == 0
    assert parity.exported.largest_difference < 1e-6
    assert (parity.images, parity.of) == (40, "images of noise")
    require_parity(parity, "onnx")


def test_one_wrong_probability_among_all_is_refused(plain: Predictor, noise: Any) -> None:
    images = noise()
    last = images.images[-1:]

    def nearly(pixels: torch.Tensor) -> torch.Tensor:
        found = faithful(plain)(pixels)
        is_last = (pixels == last).all((1, 2, 3))
        found[is_last, 0] += 2 * BOUND
        return found

    parity = compare(plain, nearly, images, "images of noise")

    assert parity.exported.largest_difference == pytest.approx(2 * BOUND, rel=1e-2)
    with pytest.raises(RunError, match=r"of 40 images of noise 0 get another answer.*0\.0002"):
        require_parity(parity, "onnx")


def test_a_file_that_is_right_only_for_many_images_at_once_is_refused(
    plain: Predictor, noise: Any
) -> None:
    def fixed(pixels: torch.Tensor) -> torch.Tensor:
        found = faithful(plain)(pixels)
        return found if len(pixels) > 1 else found.flip(1)

    assert not compare(plain, fixed, noise(), "images").holds


def test_what_is_no_number_is_refused(plain: Predictor, noise: Any) -> None:
    parity = compare(plain, lambda pixels: torch.full((len(pixels), 3), torch.nan), noise(), "")

    assert not parity.holds


@pytest.mark.bfloat16
def test_a_file_is_held_to_float32_and_the_way_to_bfloat16_is_told(
    wide: Predictor, noise: Any
) -> None:
    parity = compare(wide, faithful(wide), noise(), "images")

    assert parity.holds
    assert parity.house_precision == "bfloat16"
    assert parity.house.largest_difference > parity.exported.largest_difference


@pytest.mark.bfloat16
def test_precisions_of_members_are_told(plain: Predictor, wide: Predictor) -> None:
    mixed = replace(plain, members=(*plain.members, *wide.members))

    assert house_precision(plain) == "float32"
    assert house_precision(mixed) == "bfloat16 and float32"


def test_where_bfloat16_is_missing_a_predictor_computes_in_float32(
    wide: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "bfloat16_problem", lambda device: "it has no such operation")

    assert house_precision(wide) == "float32"


def at_threshold(predictor: Predictor, image: LabelledImages) -> Predictor:
    """Give the predictor's views a `below` at which the image's first answer stands."""
    first = predictor.with_views(None).probabilities_of(image).max().item()
    return predictor.with_views(Mirror(pixels=1, below=first))


@pytest.mark.parametrize("with_views", [True, False])
def test_at_the_threshold_of_the_views_either_answer_is_right(
    below: Predictor, noise: Any, with_views: bool
) -> None:
    image = noise().take(torch.tensor([3]))
    edge = at_threshold(below, image)
    side = edge.with_views(Mirror(pixels=1) if with_views else None)

    parity = compare(edge, side.probabilities, image, "image")

    assert parity.at_threshold == 1
    assert parity.holds


def test_at_the_threshold_a_third_answer_is_wrong(below: Predictor, noise: Any) -> None:
    image = noise().take(torch.tensor([3]))
    edge = at_threshold(below, image)

    assert not compare(edge, lambda pixels: edge.probabilities(pixels).flip(1), image, "").holds


def test_ties_are_counted(plain: Predictor, noise: Any) -> None:
    net = plain.nets[0]
    with torch.no_grad():
        for parameter in list(net.parameters())[-2:]:
            parameter.zero_()  # every class is as likely as any other

    assert compare(plain, faithful(plain), noise(), "images").ties == 40


def test_images_are_taken_evenly(noise: Any) -> None:
    images = noise(10)

    chosen = spaced(images, 4)

    assert torch.equal(chosen.images, images.images[[0, 2, 5, 7]])
    assert len(spaced(images, 99)) == 10
