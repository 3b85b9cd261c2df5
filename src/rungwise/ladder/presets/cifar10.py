"""Article B: 95% on CIFAR-10, one technique at a time.

Command: `rungwise climb cifar10 --seeds 1 --protocol article`. In full it is a matter of a GPU:
the ten deep nets of the last rung are 2.6e17 operations. `--epochs 3` shows the ladder's workings.
The article's test accuracies: 0.8439, 0.8742, 0.9004, 0.9250, 0.9431, 0.9507.
"""

from dataclasses import replace

from rungwise.augment import Affine, ChannelShift, Flip
from rungwise.augment.views import RandomCopies
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import VGGBenchmark, VGGDeep
from rungwise.training.optimizer import Adam
from rungwise.training.recipe import Members, Recipe
from rungwise.training.schedule import StepDecay

NORMAL = (Affine(rotate_degrees=20, shift=0.2, zoom=0.2), ChannelShift(amount=0.2), Flip())
STRONG = (Affine(rotate_degrees=20, shift=0.3, zoom=0.3), ChannelShift(amount=0.3), Flip())

BENCHMARK = Recipe(
    name="benchmark",
    model=VGGBenchmark(),
    optimizer=Adam(lr=0.001),
    epochs=150,
    batch_size=500,
)
AUGMENTATION = replace(BENCHMARK, name="augmentation", augment=NORMAL)
DEEP = replace(AUGMENTATION, name="deep", model=VGGDeep())
DECAY = replace(
    DEEP, name="decay", schedule=StepDecay(at=(100 / 150, 140 / 150), divide_by=(5.0, 2.0))
)
TTA = replace(DECAY, name="tta", views=RandomCopies(copies=50))
ENSEMBLE = replace(
    TTA, name="ensemble", ensemble=(Members(count=5), Members(count=5, augment=STRONG))
)

LADDER = Ladder(
    name="cifar10",
    data="cifar10",
    title="CIFAR-10: one technique at a time (article B)",
    about=__doc__,
    article_validation="test",
    rungs=(
        Rung(recipe=BENCHMARK, change="six convolutions", reference=0.8439),
        Rung(
            recipe=AUGMENTATION,
            change="+ rotation, shift, zoom, channel shift, flip",
            base="benchmark",
            reference=0.8742,
        ),
        Rung(
            recipe=DEEP,
            change="deeper net with batch normalisation",
            base="augmentation",
            reference=0.9004,
        ),
        Rung(recipe=DECAY, change="+ learning rate /5, then /2", base="deep", reference=0.9250),
        Rung(recipe=TTA, change="+ mean over 50 augmented copies", base="decay", reference=0.9431),
        Rung(
            recipe=ENSEMBLE,
            change="mean of 10 nets, 5 augmented more strongly",
            base="tta",
            reference=0.9507,
        ),
    ),
)
