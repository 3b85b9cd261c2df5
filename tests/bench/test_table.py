"""The tables' cells and the lines beneath them."""

from dataclasses import replace

import pytest

from rungwise.bench.machine import Product
from rungwise.bench.process import Turn
from rungwise.bench.quick import QuickNet, QuickResult
from rungwise.bench.result import BenchResult, Entry, NetResult
from rungwise.bench.table import NOTE, notes, tables

BENCH = BenchResult(
    machine={},
    date="2026-01-01T00:00:00+00:00",
    repeats=1,
    nets=(
        NetResult(
            "C-cnn",
            (
                Entry("rungwise", {}, (Turn(12_000, 1.0, 300_000_000),)),
                Entry("keras", {}, (Turn(50, 2.0, 1_250_000_000),)),
                Entry("torch-eager", {}, (), "no memory left"),
            ),
        ),
    ),
)
QUICK = QuickResult(
    machine={},
    date="2026-01-01T00:00:00+00:00",
    products=(Product("float32", 2048, 1.04e11),),
    nets=(
        QuickNet(
            net="B-benchmark",
            format="float32",
            batch_size=500,
            images_per_second=250.0,
            flops_per_image=10**8,
            share=0.2404,
            startup_seconds=1.66,
            peak_memory=400_000_000,
        ),
    ),
    augmentation_seconds=0.0146,
    augmentation_share=0.0073,
)


def test_a_benchmark_has_tables_of_speed_memory_and_ratios() -> None:
    speeds, memory, ratios = tables(BENCH)

    assert speeds == [
        ["images/s", "rungwise", "keras", "torch-eager"],
        ["C-cnn", "12,000", "25", "-"],
    ]
    assert memory[1] == ["C-cnn", "300", "1,250", "-"]
    assert ratios[1] == ["C-cnn", "480.00", "-", "-", "-", "-"]
    assert notes(BENCH) == [NOTE, "C-cnn: torch-eager is missing: no memory left"]


def test_a_quick_benchmark_has_one_table() -> None:
    ((header, row),) = tables(QUICK)

    assert len(header) == len(row)
    assert row == ["B-benchmark", "float32", "500", "250", "24%", "1.7", "400"]
    assert notes(QUICK) == [
        "Matrix product, float32: 104 GFLOP/s (2048×2048)",
        "Article B's augmentation of a batch: 14.6 ms, 0.7% of a training step of B-benchmark",
    ]


@pytest.mark.parametrize("share", [None])
def test_without_the_augmented_net_the_share_is_left_out(share: None) -> None:
    assert notes(replace(QUICK, augmentation_share=share))[-1].endswith("14.6 ms")
