"""The device that work is done on."""

import torch

from rungwise.errors import UsageError


def choose_device(device: str | torch.device) -> torch.device:
    """Return the torch device for `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        UsageError: The name is none of these, there is no such device, or it cannot be used after
            a fork.
    """
    name = str(device)
    if name != "cpu" and torch.cuda._is_in_bad_fork():
        raise UsageError(
            "this process was forked from one that had used a GPU, which no child can use then",
            expected="a process of its own for work on the GPU, or the device cpu",
            fix="start processes with multiprocessing's method 'spawn', or pass device='cpu'",
        )
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, colon, index = name.partition(":")
    if (name != "cpu" and kind != "cuda") or (colon and not index.isdecimal()):
        raise UsageError(
            f"the device is {name!r}", expected="auto, cpu, cuda or cuda:N", fix="use --device auto"
        )
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"there is no device {name!r}",
            expected=f"one of the {torch.cuda.device_count()} GPUs that torch sees, or cpu",
            fix="use --device auto",
        )
    return torch.device(name)
