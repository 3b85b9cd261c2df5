"""How many operations a training takes, where its images change size or number on the way."""

from collections import Counter

from rungwise.errors import ConfigError
from rungwise.models.summary import summarize
from rungwise.training.course import course_of
from rungwise.training.recipe import Recipe

Shape = tuple[int, int, int]
"""(C, H, W) of one image."""


def shape_at(recipe: Recipe, shape: Shape, progress: float) -> Shape:
    """Return the shape that images of `shape` enter the net with at a point of the training.

    Raises:
        ConfigError: A technique cannot make that of images of this shape.
    """
    channels, *size = shape
    height, width = size
    for technique in recipe.techniques:
        height, width = technique.image_size((height, width), progress)
    return channels, height, width


def require_sizes(recipe: Recipe, shape: Shape, classes: int) -> None:
    """Check that the net takes the training's smallest images, which are its first.

    Raises:
        ConfigError: It does not, or images of `shape` cannot be made so small.
    """
    first = shape_at(recipe, shape, 0.0)
    try:
        summarize(recipe.model, first, classes)
    except ConfigError as error:
        if first == shape:
            raise
        raise ConfigError(
            f"{error.problem}, the size with which the training begins",
            expected=error.expected,
            fix=f"let it begin with larger images, or {error.fix}",
        ) from None


def training_operations(
    recipe: Recipe, shape: Shape, classes: int, *, images: int, epochs: int
) -> int:
    """Return the floating-point operations of the first epochs of a training.

    Args:
        recipe: How it is trained; its own number of epochs is the whole training.
        shape: Of the training images.
        classes: K.
        images: Number of training images, copies counted.
        epochs: How many of the recipe's epochs to count.
    """
    seen = images_of_each_shape(recipe, shape, images=images, epochs=epochs)
    return sum(
        summarize(recipe.model, at, classes).training_flops_per_image * count
        for at, count in seen.items()
    )


def images_of_each_shape(
    recipe: Recipe, shape: Shape, *, images: int, epochs: int
) -> Counter[Shape]:
    """Count the images of the steps by the shape with which they enter the net."""
    course = course_of(recipe, images)
    if not any(technique.acts_on("image_size") for technique in recipe.techniques):
        return Counter({shape: course.images_in(epochs)})
    seen: Counter[Shape] = Counter()
    for progress, size in course.each_step(epochs):
        seen[shape_at(recipe, shape, progress)] += size
    return seen
