"""How sure an accuracy is that was measured on a finite number of images."""

import math

INTERVAL = 1.959964
"""Quantile of the normal distribution that a two-sided 95% interval reaches to."""

SURELY = 3.090232
"""The quantile for a chance of error of 0.1% to one side."""

OVERFITTING = 0.05
"""By how much the training accuracy has to exceed the validation accuracy, at the least."""


def wilson_interval(
    accuracy: float, images: int, quantile: float = INTERVAL
) -> tuple[float, float]:
    """Return the interval that holds the true accuracy with a chance of 95%.

    It is of the images alone: another training of the same recipe moves the accuracy, too.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    Args:
        accuracy: Share of right answers, 0..1.
        images: Of how many, 1 or more.
        quantile: Of the normal distribution; decides how sure the interval is.

    >>> [round(bound, 4) for bound in wilson_interval(48 / 82, 82)]
    [0.4773, 0.6858]
    """
    spread = quantile**2 / images
    centre = (accuracy + spread / 2) / (1 + spread)
    half = quantile / (1 + spread) * math.sqrt((accuracy * (1 - accuracy) + spread / 4) / images)
    return max(0.0, centre - half), min(1.0, centre + half)


def overfits(
    train_accuracy: float, train_images: int, val_accuracy: float, val_images: int
) -> bool:
    """Tell whether a net answers the images that it was trained on clearly better than others.

    The lower end of an interval for the difference, with a chance of error of 0.1%, has to be above
    5 points, so that the luck of few validation images does not look like overfitting.

    Source: Newcombe 1998, "Interval estimation for the difference between independent proportions".

    >>> overfits(0.83, 328, 0.5854, 82), overfits(0.83, 328, 0.72, 82)
    (True, False)
    """
    least_in_training = wilson_interval(train_accuracy, train_images, SURELY)[0]
    most_in_validation = wilson_interval(val_accuracy, val_images, SURELY)[1]
    luck = math.hypot(train_accuracy - least_in_training, most_in_validation - val_accuracy)
    return train_accuracy - val_accuracy - luck > OVERFITTING
