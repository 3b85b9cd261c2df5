"""Whether a network fits into the memory, found before any of it is taken."""

import os

import torch
from torch import nn

from rungwise.errors import ConfigError

COPIES = 4
"""A training holds the weights, their gradients and two moments of each."""

LARGEST_BYTES = 2**30
"""Of one network's weights: 268 million numbers, ten times those of the largest named recipe."""

SMALLEST_NUMBER_BYTES = 2


def require_memory(network: nn.Module) -> None:
    """Check a network without memory: whether a training of it would fit.

    Raises:
        ConfigError: It is larger than any net for small images, or than this machine's memory.
    """
    weights = sum(bytes_of(tensor) for tensor in network.state_dict().values())
    most = min(LARGEST_BYTES, memory_bytes() // COPIES)
    if weights > most:
        raise ConfigError(
            f"the weights of the net take {weights / 1e9:,.1f} GB",
            expected=f"at most {most / 1e9:,.1f} GB here; a training holds {COPIES} times as much",
            fix="give the model smaller widths or fewer layers",
        )


def require_activations(values: int) -> None:
    """Check whether what the layers give for the images of one step fits into the memory.

    Args:
        values: Numbers that all layers give for them together.

    Raises:
        ConfigError: They would not fit even in the smallest number format.
    """
    if (needed := values * SMALLEST_NUMBER_BYTES) > memory_bytes():
        raise ConfigError(
            f"a step of the training takes at least {needed / 1e9:,.1f} GB",
            expected=f"at most the memory of {memory_bytes() / 1e9:,.1f} GB",
            fix="set a smaller batch_size, or give the model smaller widths",
        )


def bytes_of(tensor: torch.Tensor) -> int:
    """Return how many bytes a tensor takes, whether it has memory or not."""
    return tensor.numel() * tensor.element_size()


def memory_bytes() -> int:
    """Return the memory that this process may use: the machine's, or what it was limited to."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not on this system
        return 2**63 - 1
    try:
        import resource
    except ImportError:
        return found
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return min([found, *(one for one in limits if one != resource.RLIM_INFINITY)])
