"""The device that work is done on."""

import torch

from rungwise.errors import UsageError


def choose_device(device: str | torch.device) -> torch.device:
    """Return the torch device for `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        UsageError: The name is none of these, or there is no such device.
    """
    name = str(device)
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
