import pytest
import torch

from rungwise.training import precision
from rungwise.training.precision import Precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")
LITTLE, MUCH = 1e6, 1e10


@pytest.mark.parametrize(
    ("wish", "fast", "device", "flops", "expected"),
    [
        ("auto", True, CPU, MUCH, "bfloat16"),
        ("auto", True, CPU, LITTLE, "float32"),
        ("auto", False, CPU, MUCH, "float32"),
        ("auto", False, CPU, LITTLE, "float32"),
        ("auto", True, GPU, LITTLE, "bfloat16"),
        ("auto", False, GPU, MUCH, "float32"),
        ("float32", True, GPU, MUCH, "float32"),
        ("bfloat16", False, CPU, LITTLE, "bfloat16"),
    ],
)
def test_auto_is_bfloat16_where_it_is_fast_and_pays(
    wish: Precision,
    fast: bool,
    device: torch.device,
    flops: float,
    expected: Precision,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda device: fast)

    assert precision.resolve(wish, device, flops) == expected


@pytest.mark.parametrize(
    ("avx512", "amx", "fast"),
    [(False, False, False), (True, False, True), (False, True, True)],
)
def test_processors_tell_whether_bfloat16_is_fast(
    avx512: bool, amx: bool, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)

    assert precision.bfloat16_is_fast(CPU) is fast


@pytest.mark.parametrize(
    ("wish", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_products_run_in_the_precision(wish: Precision, expected: torch.dtype) -> None:
    with precision.autocast(wish, CPU):
        product = torch.ones(2, 2) @ torch.ones(2, 2)

    assert product.dtype == expected
