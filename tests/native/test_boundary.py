"""A kernel touches no memory that is not what it takes: each tensor of each call is spoilt."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch

from rungwise.errors import RunError
from rungwise.native import Kernels, kernels
from rungwise.native.kernels import KEEP_ALL, Normed

HALF = torch.bfloat16


def maps(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype).contiguous(memory_format=torch.channels_last)


def normed(native: Kernels, values: torch.Tensor, *lines: torch.Tensor) -> torch.Tensor:
    return native.norm(Normed(values, *lines[:4]), (lines[4], lines[5]), 0.1, 1e-5, True)


def led_back(native: Kernels, *given: torch.Tensor) -> torch.Tensor:
    gradient, values, *lines = given
    return native.norm_backward(gradient, Normed(values, *lines[:4]), *lines[4:], True, True)


class Call(NamedTuple):
    """A kernel as a function of its tensors alone, and tensors that it takes."""

    run: Callable[..., Any]
    tensors: tuple[torch.Tensor, ...]


def calls() -> dict[str, Call]:
    line, places = torch.ones(16), maps(2, 16, 2, 2, dtype=torch.uint8)
    big, small = maps(2, 16, 4, 4), maps(2, 16, 2, 2)
    pixels, images = torch.zeros(2, 4, 4, 3, dtype=torch.uint8), maps(2, 3, 4, 4)
    taps = torch.ones(3, 3, 3, 16)
    halves, weight = maps(2, 16, 4, 4, dtype=HALF), maps(16, 16, 3, 3)
    sums = torch.zeros(2, dtype=torch.float64)
    return {
        "to_unit": Call(lambda k, p: k.to_unit(p), (pixels,)),
        "scale": Call(
            lambda k, i, m, s: k.scale(i, m, s, HALF), (images, torch.ones(3), torch.ones(3))
        ),
        "cross_entropy": Call(
            lambda k, *t: k.cross_entropy(*t), (torch.ones(2, 5), torch.ones(2, 5), sums)
        ),
        "relu_drop_backward": Call(
            lambda k, g, m: k.relu_drop_backward(g, m, 0.5), (big, big.clone())
        ),
        "drop": Call(lambda k, v: k.drop(v, KEEP_ALL, True), (big,)),
        "pool": Call(lambda k, m: k.pool(m, False, True, KEEP_ALL, KEEP_ALL), (big,)),
        "pool_backward": Call(
            lambda k, g, o: k.pool_backward(g, o, (4, 4), 0.0, 0.0), (small, places)
        ),
        "first_pool": Call(
            lambda k, i, w, b: k.first_pool(i, w, b, 1, KEEP_ALL), (images, taps, line)
        ),
        "first_pool_backward": Call(
            lambda k, i, g, o, w, b: k.first_pool_backward(i, g, o, w, b, 1, 0.0),
            (images, small, places, taps, line),
        ),
        "norm": Call(normed, (big, *[line.clone() for _ in range(6)])),
        "norm_backward": Call(led_back, (big.clone(), big, *[line.clone() for _ in range(6)])),
        "convolve": Call(lambda k, m, w, b: k.convolve(m, w, b, 1, True), (halves, weight, line)),
        "convolve_backward": Call(
            lambda k, g, w, m: k.convolve_backward(g, w, m, 1), (halves.clone(), weight, halves)
        ),
        "convolve_weight": Call(
            lambda k, m, g, w, b: k.convolve_weight(m, g, w, b, 1),
            (halves, halves.clone(), weight, line),
        ),
    }


def apart(tensor: torch.Tensor) -> torch.Tensor:
    """Return the same numbers with a gap behind each."""
    return torch.stack([tensor, tensor], -1)[..., 0]


SPOILT: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "another dtype": lambda tensor: tensor.to(torch.float16),
    "too short": lambda tensor: tensor[..., :-1].clone(memory_format=torch.preserve_format),
    "with gaps": apart,
    "one number for all": lambda tensor: tensor.flatten()[0].expand(tensor.shape),
    "without memory": lambda tensor: tensor.to("meta"),
    "sparse": lambda tensor: tensor.to_sparse(),
}
OWN_SIZE = ("convolve", "drop", "first_pool", "norm", "pool", "scale", "to_unit")
"""Kernels whose first tensor gives the sizes: a shorter one makes another call, and a right one."""


@pytest.fixture
def native() -> Kernels:
    found = kernels()
    if found is None:
        pytest.skip("this machine has no C++ compiler")
    return found


@pytest.mark.parametrize("name", calls())
def test_the_tensors_of_these_tests_are_taken_as_they_are(native: Kernels, name: str) -> None:
    if name.startswith("convolve") and not native.has_convolutions:
        pytest.skip("this processor does not multiply bfloat16 in vectors")
    run, tensors = calls()[name]

    run(native, *tensors)


@pytest.mark.parametrize("way", SPOILT)
@pytest.mark.parametrize("name", calls())
def test_a_spoilt_tensor_is_refused_with_what_it_is(native: Kernels, name: str, way: str) -> None:
    if name.startswith("convolve") and not native.has_convolutions:
        pytest.skip("this processor does not multiply bfloat16 in vectors")
    run, tensors = calls()[name]
    for place in range(len(tensors)):
        if way == "too short" and place == 0 and name in OWN_SIZE:
            continue
        spoilt = [SPOILT[way](t) if i == place else t for i, t in enumerate(tensors)]

        with pytest.raises(RunError, match="a compiled operation was given a tensor"):
            run(native, *spoilt)


def test_no_channel_no_class_and_no_pixel_are_refused(native: Kernels) -> None:
    line = [torch.ones(16) for _ in range(6)]
    empty: list[Callable[[], Any]] = [
        lambda: native.cross_entropy(
            torch.ones(2, 0), torch.ones(2, 0), torch.zeros(2, dtype=torch.float64)
        ),
        lambda: normed(native, maps(0, 16, 4, 4), *line),
        lambda: native.first_pool(maps(1, 3, 2, 4), torch.ones(3, 3, 3, 8), None, 0, KEEP_ALL),
        lambda: native.first_pool(maps(1, 2, 4, 4), torch.ones(3, 3, 2, 8), None, 0, KEEP_ALL),
    ]
    for call in empty:
        with pytest.raises(RunError, match="a compiled operation was given a tensor"):
            call()
