"""What is told before a training that mirrors images which change their class in a mirror."""

from collections.abc import Iterable

from rungwise.data import LabelledImages
from rungwise.data.mirroring import check_mirroring
from rungwise.training.recipe import Recipe

IMAGES_BEFORE_TRAINING = 1000
"""How many images are looked at before a training: enough to tell, and a tenth of a second."""


def mirroring_warning(recipes: Iterable[Recipe], images: LabelledImages) -> str | None:
    """Return what to warn of if recipes mirror images that look like other classes in a mirror.

    Args:
        recipes: What is to be trained.
        images: To train on; none are looked at where no recipe mirrors.
    """
    means = dict.fromkeys(name for recipe in recipes for name in recipe.mirrors)
    if not means:
        return None
    found = check_mirroring(images, most_images=IMAGES_BEFORE_TRAINING)
    if found is None or found.keeps_class:
        return None
    return (
        f"{found.contradiction}\n"
        "  expected: augmentation and views that leave an image in its class\n"
        f"  fix: leave out what mirrors images here: {', '.join(means)}"
    )
