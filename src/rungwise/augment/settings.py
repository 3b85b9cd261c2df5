"""What the settings of the augmentations have in common: limits, and errors that name them."""

import torch

from rungwise.errors import ConfigError


def require_effect(name: str, setting: str, value: float, *, most: float | None = None) -> None:
    """Raise unless `value` is above 0 and at most `most`; 0 would change no image.

    Args:
        name: The augmentation, as the registry calls it.
        setting: The setting's name.
        value: What was given.
        most: The largest value that makes sense; none where only the image's size can tell.

    Raises:
        ConfigError: The value is 0, negative, too large or not a number.
    """
    expected = "a number above 0" if most is None else f"a number above 0, up to {most:g}"
    if value == 0:
        raise ConfigError(
            f"{name} has no effect: its {setting} is 0",
            expected=expected,
            fix=f"raise {setting}, or leave {name} out",
        )
    if not 0 < value <= (value if most is None else most):
        raise ConfigError(
            f"{name}: {setting} is {value}",
            expected=expected,
            fix="pass a share such as 0.2, not a percentage" if most == 1 else f"change {setting}",
        )


def require_below_side(name: str, setting: str, pixels: int, images: torch.Tensor) -> None:
    """Raise unless `pixels` is less than the shorter side of `images` (N, C, H, W).

    Raises:
        ConfigError: The setting is too large for images of this size.
    """
    height, width = images.shape[-2:]
    if pixels >= min(height, width):
        raise ConfigError(
            f"{name}: {setting} is {pixels}, and the images are {height}×{width} pixels",
            expected=f"fewer than {min(height, width)} pixels, the shorter side",
            fix=f"lower {setting}, or leave {name} out for images of this size",
        )
