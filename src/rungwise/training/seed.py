"""The seed of a run: which data it draws, and which net of that draw it is."""

import re
from dataclasses import dataclass

from rungwise.errors import ConfigError


@dataclass(frozen=True, order=True)
class Seed:
    """`draw` chooses subset and validation split; with `member` it keys all other randomness.

    The members of an ensemble share their draw, so none of them has trained on an image that
    another one is validated with. Written `3` for member 0 of draw 3, `3.1` for member 1.

    >>> str(Seed(3)), str(Seed(3, 1))
    ('3', '3.1')
    """

    draw: int = 0
    member: int = 0

    def __str__(self) -> str:
        return f"{self.draw}.{self.member}" if self.member else str(self.draw)

    @classmethod
    def parse(cls, text: str) -> "Seed":
        """Read what `str` writes.

        Raises:
            ConfigError: The text is no seed.
        """
        match = re.fullmatch(r"(\d+)(?:\.(\d+))?", text)
        if not match:
            raise ConfigError(
                f"the seed is {text!r}",
                expected="a whole number of 0 or more, or DRAW.MEMBER such as 0.3",
                fix="use for example --seed 0",
            )
        return cls(int(match[1]), int(match[2] or 0))
