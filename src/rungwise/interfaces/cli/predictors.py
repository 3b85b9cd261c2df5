"""RUN on the command line: a finished run's folder, or a predictor's own file."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from rungwise.prediction.predictor import Predictor


def open_predictor(path: Path, device: "torch.device") -> "Predictor":
    """Read the predictor of a run's folder or of a .safetensors file.

    Raises:
        RunError: It is neither, or it is damaged.
    """
    from rungwise.ladder.run import explaining_access, open_run
    from rungwise.prediction.predictor import Predictor

    with explaining_access(path):
        own_file = path.is_file()
    return Predictor.load(path, device) if own_file else open_run(path).predictor(device)
