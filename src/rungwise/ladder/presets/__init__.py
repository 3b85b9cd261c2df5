"""The ladders that come with rungwise, one per file: an experiment each, ready to run."""

from dataclasses import replace

from rungwise.data import CATALOG
from rungwise.data.spec import parse_spec
from rungwise.errors import UnknownNameError
from rungwise.ladder.presets import (
    cifar10,
    cifar10_best,
    cifar10_fast94,
    digits,
    fashion_mnist,
    fashion_mnist_fast,
    mnist_1000,
    mnist_1000_best,
    mnist_best,
    mnist_cnn,
    mnist_fast,
    mnist_multitask,
)
from rungwise.ladder.rung import Ladder

LADDERS: dict[str, Ladder] = {
    ladder.name: ladder
    for ladder in (
        digits.LADDER,
        mnist_1000.LADDER,
        fashion_mnist.LADDER,
        cifar10.LADDER,
        mnist_cnn.LADDER,
        mnist_multitask.LADDER,
        mnist_1000_best.LADDER,
        mnist_fast.LADDER,
        mnist_best.LADDER,
        fashion_mnist_fast.LADDER,
        cifar10_fast94.LADDER,
        cifar10_best.LADDER,
    )
}


def find_ladder(name: str) -> Ladder:
    """Return the ladder called `name`, or the digits ladder on the data set of that name.

    Raises:
        UnknownNameError: The name is neither a ladder's nor a data set's.
    """
    if name in LADDERS:
        return LADDERS[name]
    try:
        parse_spec(name, CATALOG)
    except UnknownNameError:
        raise UnknownNameError("ladder or data set", name, [*LADDERS, *CATALOG]) from None
    return replace(digits.LADDER, data=name, title=f"{name}: the rungs of the digits ladder")
