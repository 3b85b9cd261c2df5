"""The quick benchmark: shares worked by hand, with a tiny program in place of a training."""

import sys
from collections.abc import Callable

import pytest

from rungwise.bench import quick
from rungwise.bench.contestants import Contestant
from rungwise.bench.machine import Product
from rungwise.bench.nets import NETS
from rungwise.bench.process import ContestantLost

PROGRAM = """
import json, sys
print(json.dumps({"batch_size": 500, "precision": "bfloat16"}), flush=True)
for line in sys.stdin:
    print(json.dumps({"seconds": int(line) / 2000, "peak_memory": 1000000, "product": 1e13}),
          flush=True)
"""


def measured(monkeypatch: pytest.MonkeyPatch, *names: str) -> quick.QuickResult:
    products = [Product("float32", 256, 1e9), Product("bfloat16", 256, 1e13)]
    monkeypatch.setattr(quick, "OURS", (sys.executable, "-c", PROGRAM))
    monkeypatch.setattr(quick, "measure_products", lambda: products)
    monkeypatch.setattr(quick, "augmentation_seconds", lambda: 0.01)
    return quick.measure([NETS[name] for name in names], {}, "", 1, lambda line: None)


def test_share_is_of_the_product_that_was_timed_beside_the_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = measured(monkeypatch, "B-benchmark")

    (net,) = result.nets
    flops = NETS["B-benchmark"].summary().training_flops_per_image
    assert (net.format, net.batch_size, net.images_per_second) == ("bfloat16", 500, 2000)
    assert net.share == pytest.approx(2000 * flops / 1e13)
    assert net.startup_seconds > 0
    # A step takes 0.25 s, the augmentation 0.01 s.
    assert result.augmentation_share == pytest.approx(0.04)


def test_without_its_net_the_augmentation_has_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    result = measured(monkeypatch, "C-mlp")

    assert (result.augmentation_seconds, result.augmentation_share) == (0.01, None)
    assert result.to_dict().keys() >= {"machine", "date", "products", "nets"}


def test_a_training_that_dies_is_an_error(
    monkeypatch: pytest.MonkeyPatch, fake: Callable[..., Contestant]
) -> None:
    dies = fake("rungwise", 400, "sys.exit('no memory left')")
    monkeypatch.setattr(quick, "OURS", dies.program)

    with pytest.raises(ContestantLost, match="no memory left"):
        quick.measure_net(NETS["C-mlp"], 1)
