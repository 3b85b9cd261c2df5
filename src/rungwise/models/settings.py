"""Checks of settings and image sizes that several architectures share."""

from collections.abc import Sequence

from rungwise.errors import ConfigError


def require_widths(name: str, widths: Sequence[int], *, at_least: int = 1) -> None:
    """Check a tuple of layer widths.

    Args:
        name: The architecture and the setting, as in "cnn conv_widths".
        widths: One number of channels or units for each layer.
        at_least: How many layers there have to be.

    Raises:
        ConfigError: Too few widths, or one that is not positive.
    """
    if len(widths) < at_least or any(width < 1 for width in widths):
        raise ConfigError(
            f"{name} is {tuple(widths)}",
            expected=f"at least {at_least} whole numbers, each 1 or more",
            fix="give one width for each layer, such as (32, 64)",
        )


def require_positive(name: str, value: int) -> None:
    """Check a width or another count.

    Raises:
        ConfigError: It is less than 1.
    """
    if value < 1:
        raise ConfigError(
            f"{name} is {value}", expected="a whole number, 1 or more", fix="pass a number like 64"
        )


def require_border(name: str, border: int) -> None:
    """Check a border around the images.

    Raises:
        ConfigError: It is less than 0.
    """
    if border < 0:
        raise ConfigError(
            f"{name} is {border}",
            expected="0 or more pixels",
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
