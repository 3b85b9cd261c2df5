import os
import subprocess
import sys

import pytest
import torch

from rungwise.errors import ConfigError
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
        ("bfloat16", False, CPU, LITTLE, "bfloat16"),  # Slow, but possible.
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
    monkeypatch.setattr(precision, "bfloat16_problem", lambda device: None)

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
    monkeypatch.setattr(precision, "bfloat16_problem", lambda device: None)

    assert precision.bfloat16_is_fast.__wrapped__(CPU) is fast


def test_a_format_that_the_processor_refuses_is_not_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(precision, "bfloat16_problem", lambda device: "no such convolution")

    assert precision.bfloat16_is_fast.__wrapped__(CPU) is False


def test_a_recipe_in_a_format_that_the_processor_refuses_is_a_named_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "bfloat16_problem", lambda device: "no such convolution")

    with pytest.raises(ConfigError, match=r"no such convolution(.|\n)*precision=auto"):
        precision.resolve("bfloat16", CPU, MUCH)

    assert precision.resolve("float32", CPU, MUCH) == "float32"


@pytest.mark.parametrize(
    ("own", "problem", "expected"),
    [
        ("bfloat16", None, "bfloat16"),
        ("bfloat16", "no such convolution", "float32"),
        ("float32", "no such convolution", "float32"),
    ],
)
def test_a_net_from_another_machine_predicts_in_a_format_that_is_here(
    own: Precision, problem: str | None, expected: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "bfloat16_problem", lambda device: problem)

    assert precision.to_predict_in(own, CPU) == expected


@pytest.mark.parametrize("isa", ["AVX2", "ALL"])
def test_an_operation_that_the_library_refuses_is_found_before_a_training(isa: str) -> None:
    """oneDNN takes orders not to use what a processor has, as if it had AVX2 alone."""
    program = (
        "import torch, rungwise.training.precision as p; "
        "print(p.bfloat16_problem(torch.device('cpu')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa},
        capture_output=True,
        text=True,
        check=True,
    )

    refused = done.stdout.strip() != "None"
    assert refused or isa == "ALL"
    assert ("bf16" in done.stdout) == refused


@pytest.mark.parametrize(
    ("wish", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_products_run_in_the_precision(wish: Precision, expected: torch.dtype) -> None:
    with precision.autocast(wish, CPU):
        product = torch.ones(2, 2) @ torch.ones(2, 2)

    assert product.dtype == expected
