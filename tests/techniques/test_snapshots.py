import pytest

from rungwise.errors import ConfigError
from rungwise.techniques import Snapshots


def test_as_many_nets_are_kept_as_count_says() -> None:
    assert Snapshots(count=4).nets() == 4


@pytest.mark.parametrize("count", [1, 0, -1])
def test_fewer_than_two_are_refused_in_three_parts(count: int) -> None:
    with pytest.raises(ConfigError, match=f"snapshots has count {count}") as caught:
        Snapshots(count=count)

    assert caught.value.expected
    assert caught.value.fix
