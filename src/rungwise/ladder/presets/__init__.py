"""The ladders that come with rungwise, one per file: an experiment each, ready to run."""

from rungwise.errors import UnknownNameError
from rungwise.ladder.presets import (
    cifar10,
    cifar10_100_best,
    cifar10_best,
    cifar10_fast94,
    digits,
    fashion_mnist,
    fashion_mnist_best,
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
        fashion_mnist_best.LADDER,
        cifar10_fast94.LADDER,
        cifar10_best.LADDER,
        cifar10_100_best.LADDER,
    )
}


def find_ladder(name: str) -> Ladder:
    """Return the ladder called `name`.

    Raises:
        UnknownNameError: No ladder is called so.
    """
    if name not in LADDERS:
        raise UnknownNameError(
            "ladder", name, LADDERS, fix="`rungwise list ladders` shows them; data need no ladder"
        )
    return LADDERS[name]
