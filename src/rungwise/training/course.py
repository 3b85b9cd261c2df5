"""The course of a training: how many images and steps each of its epochs has."""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rungwise.training.recipe import Recipe


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return the number of batches; the last one may be smaller, or larger by one image.

    A single image left over joins the batch before it: batch normalisation has no statistics of
    one image.

    >>> steps_per_epoch(10, 4), steps_per_epoch(9, 4), steps_per_epoch(3, 4)
    (3, 2, 1)
    """
    count, left_over = divmod(images, batch_size)
    return max(1, count + (left_over > 1))


@dataclass(frozen=True)
class Course:
    """The epochs of a whole training; they are counted from 1.

    Args:
        images: Number of training images, copies counted.
        epochs: Number of epochs.
        batch_size: Images in a step.
        chosen: How many images each epoch trains on, where a technique chooses; none: all.

    >>> course = Course(images=10, epochs=3, batch_size=4, chosen=(10, 4, 10))
    >>> [course.steps_of(epoch) for epoch in (1, 2, 3)], course.steps_in_all
    ([3, 1, 3], 7)
    """

    images: int
    epochs: int
    batch_size: int
    chosen: tuple[int, ...] = ()

    def images_of(self, epoch: int) -> int:
        """Return how many images an epoch trains on."""
        return self.chosen[epoch - 1] if self.chosen else self.images

    def images_in(self, epochs: int) -> int:
        """Return how many images the first epochs train on, together."""
        return sum(self.chosen[:epochs]) if self.chosen else epochs * self.images

    def steps_of(self, epoch: int) -> int:
        """Return the number of steps of an epoch."""
        return steps_per_epoch(self.images_of(epoch), self.batch_size)

    def steps_in(self, epochs: int) -> int:
        """Return the number of steps of the first epochs, together."""
        return self._steps_in[epochs] if self.chosen else epochs * self.steps_of(1)

    @functools.cached_property
    def _steps_in(self) -> tuple[int, ...]:
        steps = (steps_per_epoch(count, self.batch_size) for count in self.chosen)
        return tuple(itertools.accumulate(steps, initial=0))

    @property
    def steps_in_all(self) -> int:
        """Number of steps of the whole training."""
        return self.steps_in(self.epochs)

    def each_step(self, epochs: int) -> Iterator[tuple[float, int]]:
        """Yield, for each step of the first epochs, the progress and the number of its images."""
        in_all = self.steps_in_all
        for epoch in range(1, epochs + 1):
            before, last = self.steps_in(epoch - 1), self.steps_of(epoch) - 1
            for step in range(last):
                yield (before + step) / in_all, self.batch_size
            yield (before + last) / in_all, self.images_of(epoch) - last * self.batch_size


def course_of(recipe: Recipe, images: int) -> Course:
    """Return the course of a training on so many images, copies counted.

    Raises:
        ConfigError: A technique that chooses images would have no effect.
    """
    course = Course(images, recipe.epochs, recipe.batch_size)
    for technique in recipe.techniques:
        if technique.acts_on("choose"):
            epochs = range(1, recipe.epochs + 1)
            counts = (technique.epoch_images(images, epoch, recipe.epochs) for epoch in epochs)
            return replace(course, chosen=tuple(counts))
    return course
