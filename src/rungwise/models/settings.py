"""Checks of settings and image sizes that several architectures share."""

from collections.abc import Sequence

from rungwise.errors import ConfigError

MOST_LAYERS = 1_000
LARGEST_WIDTH = 100_000
LARGEST_BORDER = 1_000
"""Limits beyond what any net for small images needs."""

MOST_SHOWN = 20
"""How many widths a message quotes."""


def require_widths(name: str, widths: Sequence[int], *, at_least: int = 1) -> None:
    """Check a tuple of layer widths.

    Args:
        name: The architecture and the setting, as in "cnn conv_widths".
        widths: One number of channels or units for each layer.
        at_least: How many layers there have to be.

    Raises:
        ConfigError: Too few or too many widths, or one that is not positive or is too large.
    """
    within = all(1 <= width <= LARGEST_WIDTH for width in widths)
    if not within or not at_least <= len(widths) <= MOST_LAYERS:
        few = ", ".join(map(str, widths[:MOST_SHOWN]))
        shown = f"({few}, …)" if len(widths) > MOST_SHOWN else str(tuple(widths))
        raise ConfigError(
            f"{name} is {shown}",
            expected=f"{at_least} to {MOST_LAYERS:,} whole numbers, each from 1 to "
            f"{LARGEST_WIDTH:,}",
            fix="give one width for each layer, such as (32, 64)",
        )


def require_positive(name: str, value: int, *, most: int = LARGEST_WIDTH) -> None:
    """Check a width or another count.

    Raises:
        ConfigError: It is less than 1, or more than `most`.
    """
    if not 1 <= value <= most:
        raise ConfigError(
            f"{name} is {value}",
            expected=f"a whole number from 1 to {most:,}",
            fix=f"pass a number like {min(64, most)}",
        )


def require_border(name: str, border: int) -> None:
    """Check a border around the images.

    Raises:
        ConfigError: It is less than 0, or more than 1,000.
    """
    if not 0 <= border <= LARGEST_BORDER:
        raise ConfigError(
            f"{name} is {border}",
            expected=f"0 to {LARGEST_BORDER:,} pixels",
            fix="pass 0 for no border, or 2 as article C does",
        )


def require_rate(name: str, rate: float) -> None:
    """Check a dropout rate.

    Raises:
        ConfigError: It is not in 0..1, or is 1.
    """
    if not 0 <= rate < 1:
        raise ConfigError(
            f"{name} is {rate}",
            expected="a share from 0 up to, but not including, 1",
            fix="pass a share such as 0.25, not a percentage; 0 removes the dropout",
        )


def require_size(name: str, shape: tuple[int, int, int], smallest: int, fix: str) -> None:
    """Check that images are large enough for an architecture.

    Args:
        name: The architecture.
        shape: (C, H, W) of one image.
        smallest: The least height and width it can take, in pixels.
        fix: What the user can do about it.

    Raises:
        ConfigError: The height or the width is less than `smallest`.
    """
    _, height, width = shape
    if min(height, width) < smallest:
        raise ConfigError(
            f"{name} cannot take images of {height}×{width} pixels",
            expected=f"at least {smallest}×{smallest} pixels with these settings",
            fix=fix,
        )
