"""What the fast and the best presets have in common: a compact net on a whitened first layer.

The rates are those of the CIFAR-10 speed records (arXiv:2404.00498 and its successor with Muon),
carried over to the mean loss of a batch and to Compact's logits, which are divided by 9.
"""

from rungwise.models import Compact
from rungwise.techniques import LabelSmoothing, Whitening
from rungwise.training.optimizer import SGD, Muon
from rungwise.training.recipe import Recipe
from rungwise.training.schedule import Linear

BIAS_LR_PER_IMAGE = 0.053
"""The speed record's rate of biases under Muon, for each image of a batch."""


def momentum(batch_size: int) -> SGD:
    """Return the speed records' plain optimizer, for batches of any size.

    Their rate is 11.5 / (1024 · (1 + 1 / (1 - 0.85))) for the sum of the losses, and their decay
    0.0153 to one of 11.5.
    """
    lr = 11.5 / (1024 * (1 + 1 / 0.15)) * batch_size
    return SGD(lr=round(lr, 4), momentum=0.85, weight_decay=0.00133)


def muon(batch_size: int, width: int, lr: float) -> Muon:
    """Return Muon with the speed record's other rates, for batches and heads of any size.

    Args:
        batch_size: Images in a step.
        width: Inputs of the head.
        lr: Of the filters; the record takes 0.24 at 2,000 images.
    """
    return Muon(
        lr=lr,
        momentum=0.6,
        dense_lr=round(0.67 * batch_size * 9**2 / width**2, 4),
        bias_lr=round(BIAS_LR_PER_IMAGE * batch_size, 4),
        other_momentum=0.85,
        weight_decay=round(2e-6 * batch_size / 0.15, 6),
    )


def whitened(
    name: str,
    widths: tuple[int, ...],
    patch: int,
    *,
    pairs: int | None = None,
    depth: int | tuple[int, ...] = 2,
    border: int = 0,
    epochs: int,
    batch_size: int,
    lr: float,
) -> Recipe:
    """Return the recipe that a preset adds its augmentations and views to."""
    return Recipe(
        name=name,
        model=Compact(
            widths=widths,
            depth=depth,
            border=border,
            whitened_patch=patch,
            whitened_pairs=pairs,
            identity_init=True,
            norm_scale=False,
        ),
        input="standardized",
        techniques=(LabelSmoothing(amount=0.2), Whitening(bias_until=0.4)),
        optimizer=muon(batch_size, widths[-1], lr),
        schedule=Linear(),
        epochs=epochs,
        batch_size=batch_size,
    )
