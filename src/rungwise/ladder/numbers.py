"""How figures are written."""

import math
from typing import Any

PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"))


def percent(share: float) -> str:
    """Write a share of 0..1 as a percentage.

    >>> percent(0.98765)
    '98.77%'
    """
    return f"{100 * share:.2f}%"


def percent_interval(interval: tuple[float, float]) -> str:
    """Write an interval of shares.

    >>> percent_interval((0.4773, 0.6858))
    '47.73% to 68.58%'
    """
    return " to ".join(map(percent, interval))


def points(share: float) -> str:
    """Write a difference of two shares in percentage points, with its sign.

    >>> points(-0.0123), points(0), points(0.00125), points(0.00125 + 1e-15)
    ('−1.23', '+0.00', '+0.12', '+0.12')
    """
    return f"{round(100 * share, 9):+.2f}".replace("-", "−")


def operations(count: float) -> str:
    """Write a number of floating-point operations with a prefix.

    >>> operations(2.347e11)
    '235 G'
    """
    for size, prefix in PREFIXES:
        if abs(count) >= size:
            return f"{count / size:.3g} {prefix}".replace("-", "−")
    return f"{count:.3g}".replace("-", "−")


def seconds(value: float) -> str:
    """Write a duration.

    >>> seconds(2.625), seconds(400)
    ('2.6 s', '400 s')
    """
    return f"{value:.1f} s" if abs(value) < 100 else f"{value:.0f} s"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    >>> counted(1, "seed"), counted(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def times(count: int) -> str:
    """Write how often.

    >>> times(1), times(3)
    ('once', '3 times')
    """
    return "once" if count == 1 else f"{count} times"


def spread(accuracy: dict[str, Any] | None) -> str:
    """Write mean and standard deviation over the seeds, or a dash."""
    if accuracy is None:
        return "–"
    deviation = f" ± {100 * accuracy['std']:.2f}" if accuracy["std"] is not None else ""
    return f"{percent(accuracy['mean'])}{deviation}"


def duration(seconds: float) -> str:
    """Write a duration as `--budget` takes it.

    >>> duration(7.4), duration(90), duration(1200), duration(9000)
    ('8s', '1m30s', '20m', '2h30m')
    """
    whole = math.ceil(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [(hours, "h"), (minutes, "m"), (0 if hours else rest, "s")]
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
