"""What a machine can do: the choice of what to measure, not its speed."""

import pytest

from rungwise.bench import machine
from rungwise.bench.machine import Product, flops


@pytest.mark.parametrize(
    ("speed", "sizes"), [(1e12, [256, 512, 1024, 2048, 4096]), (1e9, [256, 512])]
)
def test_products_that_would_take_too_long_are_left_out(
    monkeypatch: pytest.MonkeyPatch, speed: float, sizes: list[int]
) -> None:
    measured = []

    def timed(name: str, size: int) -> Product:
        measured.append(size)
        return Product(name, size, speed - size)

    monkeypatch.setattr(machine, "_timed", timed)

    assert machine.measure_product("float32").size == 256  # The fastest of them.
    assert measured == sizes


def test_a_product_has_two_operations_for_each_multiply_add() -> None:
    assert flops(1024) == 2_147_483_648
