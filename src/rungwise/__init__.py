"""Rungwise: train small-image classifiers one measured technique at a time.

    import rungwise
    result = rungwise.climb("mnist-1000", seeds=3)   # in a notebook: a table of verdicts
    result.rung("autoencoder").gain.interval

A name is imported when it is first used, so that `import rungwise` stays quick.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rungwise import forking  # noqa: F401 - it has to be there before a fork

if TYPE_CHECKING:
    from rungwise.data import load
    from rungwise.interfaces.climbing import climb
    from rungwise.interfaces.comparing import compare
    from rungwise.interfaces.estimator import ImageClassifier
    from rungwise.ladder.presets import find_ladder
    from rungwise.ladder.rung import Ladder, Rung
    from rungwise.prediction.predictor import Predictor
    from rungwise.training.recipe import Recipe

__version__ = "0.1.0"

if "OMP_WAIT_POLICY" not in os.environ:
    # A thread that waits for the others turns in a loop before it sleeps. By libgomp's 300,000
    # turns it keeps a busy machine's other programs, and its own other threads, from working.
    # A few threads are woken quickly, so they turn a hundred times only; many are not.
    # OpenMP reads this when torch is first imported (decision 36).
    os.environ.setdefault("GOMP_SPINCOUNT", "100" if (os.cpu_count() or 1) <= 4 else "10000")

__all__ = [
    "ImageClassifier",
    "Ladder",
    "Predictor",
    "Recipe",
    "Rung",
    "climb",
    "compare",
    "find_ladder",
    "load",
]

_HOMES = {
    "ImageClassifier": "rungwise.interfaces.estimator",
    "Ladder": "rungwise.ladder.rung",
    "Predictor": "rungwise.prediction.predictor",
    "Recipe": "rungwise.training.recipe",
    "Rung": "rungwise.ladder.rung",
    "climb": "rungwise.interfaces.climbing",
    "compare": "rungwise.interfaces.comparing",
    "find_ladder": "rungwise.ladder.presets",
    "load": "rungwise.data",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rungwise' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
