"""The parts of a data set that one run sees."""

from dataclasses import dataclass
from typing import Literal

from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.split import stratified_split
from rungwise.data.subset import class_balanced
from rungwise.errors import ConfigError, DataError
from rungwise.randomness import generator


@dataclass(frozen=True, eq=False)
class Parts:
    """What a run trains on, chooses by, and is tested on at the end.

    Args:
        train: The images that weights are fitted to.
        validation: The images that choices are made by; None where none are held out.
        test: The sealed part; None where the set has none.
    """

    train: LabelledImages
    validation: LabelledImages | None
    test: LabelledImages | None

    @property
    def by_name(self) -> dict[str, LabelledImages]:
        """The parts that are there, by name: train, validation, test."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in named.items() if part is not None}


def draw(dataset: Dataset, validation: float | Literal["test"], seed: int) -> Parts:
    """Draw the parts for one seed; the same seed always gives the same parts.

    First the subset of `NAME@n` is drawn from the training images, keyed `(seed, "subset")`. Then
    the validation part is, in this order: the test images if `validation` is `"test"`; the
    set's own validation part if it brings one, whole, and then the share is not used; a
    stratified share of the training images, keyed `(seed, "validation")`.

    Args:
        dataset: The set to draw from.
        validation: Share of the training images to validate with, 0 for none; or `"test"`
            for the protocol of articles that choose by the test set.
        seed: The run's seed.

    Raises:
        ConfigError: `validation` is neither of the two.
        DataError: There is no test part to validate with, or too few images for the split.
    """
    train = dataset.train
    if dataset.per_class is not None:
        train = class_balanced(train, dataset.per_class, generator(seed, "subset"))
    if isinstance(validation, str):
        return Parts(train, _test_part(dataset, validation), dataset.test)
    if dataset.validation is not None:
        return Parts(train, dataset.validation, dataset.test)
    if validation == 0:
        return Parts(train, None, dataset.test)
    fitted, held_out = stratified_split(train, validation, generator(seed, "validation"))
    return Parts(fitted, held_out, dataset.test)


def _test_part(dataset: Dataset, validation: str) -> LabelledImages:
    if validation != "test":
        raise ConfigError(
            f"validation is {validation!r}",
            expected="a share between 0 and 1, or 'test'",
            fix="pass a share such as 0.1",
        )
    if dataset.test is None:
        raise DataError(
            f"{dataset.name} has no test part, and validation is 'test'",
            expected="a data set with test images",
            fix="pass a share such as 0.1, or set a part aside to test with: --test-share 0.2",
        )
    return dataset.test
