"""Transforms of a whole batch that keep its labels true: one per file, listed in AUGMENTATIONS.

    flip, alternating-flip, vertical-flip     mirror some images
    shift, crop, affine, elastic              move, turn, zoom and bend
    channel-shift, brightness, contrast       change the light
    cutout, random-erasing                    hide a part
    trivial-augment                           one of all these, drawn for each image
    mirrored-copies, balanced-copies          enlarge the training set before the run

views.py holds what test-time augmentation averages over.
"""

from rungwise.augment.affine import Affine as Affine
from rungwise.augment.alternating_flip import AlternatingFlip as AlternatingFlip
from rungwise.augment.balanced_copies import BalancedCopies as BalancedCopies
from rungwise.augment.base import Augmentation as Augmentation
from rungwise.augment.base import Turn as Turn
from rungwise.augment.brightness import Brightness as Brightness
from rungwise.augment.channel_shift import ChannelShift as ChannelShift
from rungwise.augment.contrast import Contrast as Contrast
from rungwise.augment.crop import Crop as Crop
from rungwise.augment.cutout import Cutout as Cutout
from rungwise.augment.elastic import Elastic as Elastic
from rungwise.augment.flip import Flip as Flip
from rungwise.augment.mirrored_copies import MirroredCopies as MirroredCopies
from rungwise.augment.random_erasing import RandomErasing as RandomErasing
from rungwise.augment.shift import Shift as Shift
from rungwise.augment.trivial_augment import TrivialAugment as TrivialAugment
from rungwise.augment.vertical_flip import VerticalFlip as VerticalFlip

AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "flip": Flip,
    "alternating-flip": AlternatingFlip,
    "vertical-flip": VerticalFlip,
    "shift": Shift,
    "crop": Crop,
    "affine": Affine,
    "elastic": Elastic,
    "channel-shift": ChannelShift,
    "brightness": Brightness,
    "contrast": Contrast,
    "cutout": Cutout,
    "random-erasing": RandomErasing,
    "trivial-augment": TrivialAugment,
    "mirrored-copies": MirroredCopies,
    "balanced-copies": BalancedCopies,
}
"""Every augmentation under the name that recipes, the command line and reports use."""
