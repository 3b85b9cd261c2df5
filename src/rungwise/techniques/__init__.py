"""Whatever touches targets, loss, weights or length of a training: one technique per file."""

from rungwise.techniques.base import Batch, EpochRecord, Technique, Weights
from rungwise.techniques.cutmix import CutMix
from rungwise.techniques.early_stopping import EarlyStopping
from rungwise.techniques.label_smoothing import LabelSmoothing
from rungwise.techniques.mixup import Mixup
from rungwise.techniques.reconstruction import Reconstruction
from rungwise.techniques.snapshots import Snapshots
from rungwise.techniques.weight_averaging import WeightAveraging

TECHNIQUES: dict[str, type[Technique]] = {
    "cutmix": CutMix,
    "early-stopping": EarlyStopping,
    "label-smoothing": LabelSmoothing,
    "mixup": Mixup,
    "reconstruction": Reconstruction,
    "snapshots": Snapshots,
    "weight-averaging": WeightAveraging,
}

__all__ = [
    "TECHNIQUES",
    "Batch",
    "CutMix",
    "EarlyStopping",
    "EpochRecord",
    "LabelSmoothing",
    "Mixup",
    "Reconstruction",
    "Snapshots",
    "Technique",
    "WeightAveraging",
    "Weights",
]
