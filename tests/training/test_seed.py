import pytest

from rungwise.errors import ConfigError
from rungwise.training.seed import Seed


@pytest.mark.parametrize("seed", [Seed(), Seed(3), Seed(3, 1), Seed(0, 12)])
def test_text_of_a_seed_is_read_back(seed: Seed) -> None:
    assert Seed.parse(str(seed)) == seed


def test_member_0_is_the_draw_itself() -> None:
    assert str(Seed(7, 0)) == "7"
    assert Seed.parse("7.0") == Seed(7)


@pytest.mark.parametrize("text", ["", "-1", "1.", ".1", "1.2.3", "one", "1e3", " 1"])
def test_anything_else_is_refused_in_three_parts(text: str) -> None:
    with pytest.raises(ConfigError, match="the seed is") as caught:
        Seed.parse(text)

    assert caught.value.expected
    assert caught.value.fix
