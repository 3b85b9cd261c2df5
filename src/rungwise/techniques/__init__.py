"""Whatever touches targets, loss, weights or length of a training: one technique per file."""

from rungwise.techniques.base import Batch, EpochRecord, ImageSize, Technique, Weights
from rungwise.techniques.cutmix import CutMix
from rungwise.techniques.early_stopping import EarlyStopping
from rungwise.techniques.freezing import Freezing
from rungwise.techniques.hard_examples import HardExamples
from rungwise.techniques.label_smoothing import LabelSmoothing
from rungwise.techniques.lookahead import Lookahead
from rungwise.techniques.mixup import Mixup
from rungwise.techniques.progressive_resizing import ProgressiveResizing
from rungwise.techniques.reconstruction import Reconstruction
from rungwise.techniques.snapshots import Snapshots
from rungwise.techniques.weight_averaging import WeightAveraging
from rungwise.techniques.whitening import Whitening

TECHNIQUES: dict[str, type[Technique]] = {
    "cutmix": CutMix,
    "early-stopping": EarlyStopping,
    "freezing": Freezing,
    "hard-examples": HardExamples,
    "label-smoothing": LabelSmoothing,
    "lookahead": Lookahead,
    "mixup": Mixup,
    "progressive-resizing": ProgressiveResizing,
    "reconstruction": Reconstruction,
    "snapshots": Snapshots,
    "weight-averaging": WeightAveraging,
    "whitening": Whitening,
}

__all__ = [
    "TECHNIQUES",
    "Batch",
    "CutMix",
    "EarlyStopping",
    "EpochRecord",
    "Freezing",
    "HardExamples",
    "ImageSize",
    "LabelSmoothing",
    "Lookahead",
    "Mixup",
    "ProgressiveResizing",
    "Reconstruction",
    "Snapshots",
    "Technique",
    "WeightAveraging",
    "Weights",
    "Whitening",
]
