import pytest

from rungwise.errors import ConfigError
from rungwise.interfaces.serve.limits import Limits


@pytest.mark.parametrize("name", ["batch", "images", "megapixels", "receive_seconds", "queue"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_limits_are_numbers_above_0(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name.replace("_", "-")):
        Limits(**{name: value})


def test_a_rate_of_0_stands_for_any_number() -> None:
    assert Limits(rate=0).rate == 0
    with pytest.raises(ConfigError, match="rate is -1"):
        Limits(rate=-1)


def test_a_queue_holds_a_request() -> None:
    with pytest.raises(ConfigError, match="the queue holds 4 images, but a request may have 16"):
        Limits(queue=4)


def test_megabytes_and_megapixels_are_millions() -> None:
    assert (Limits(body_megabytes=0.5).body_bytes, Limits(megapixels=2).pixels) == (
        500_000,
        2_000_000,
    )
