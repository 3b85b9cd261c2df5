"""A quick climb on scikit-learn's digits (8×8 pixels): seven rungs in about a minute.

Command: `rungwise climb digits`, or `rungwise climb DATA` for any other data set.
"""

from dataclasses import replace

from rungwise.augment import Affine
from rungwise.augment.views import RandomCopies
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import CNN, MLP, Compact
from rungwise.training.optimizer import AdamW
from rungwise.training.recipe import Members, Recipe
from rungwise.training.schedule import OneCycle

DENSE = Recipe(
    name="dense",
    model=MLP(hidden_widths=(128,)),
    validation=0.15,
    optimizer=AdamW(lr=0.003),
    epochs=30,
    batch_size=64,
)
CONVOLUTIONS = replace(
    DENSE, name="cnn", model=CNN(conv_widths=(32, 64), conv_edge="same", dense_widths=(128,))
)
COMPACT = replace(DENSE, name="compact", model=Compact(widths=(32, 64), stem_width=32))
DECAY = replace(COMPACT, name="decay", schedule=OneCycle())
AUGMENTATION = replace(
    DECAY, name="augmentation", augment=(Affine(rotate_degrees=10, shift=0.08, zoom=0.1),)
)
TTA = replace(AUGMENTATION, name="tta", views=RandomCopies(copies=16))
ENSEMBLE = replace(TTA, name="ensemble", ensemble=(Members(count=3),))

LADDER = Ladder(
    name="digits",
    data="digits",
    title="Handwritten digits, 8×8: from a dense net to an ensemble",
    about=__doc__,
    rungs=(
        Rung(recipe=DENSE, change="one hidden dense layer"),
        Rung(recipe=CONVOLUTIONS, change="two convolutions before it", base="dense"),
        Rung(recipe=COMPACT, change="compact net with batch normalisation", base="cnn"),
        Rung(recipe=DECAY, change="+ one-cycle learning rate", base="compact"),
        Rung(recipe=AUGMENTATION, change="+ rotation, shift, zoom", base="decay"),
        Rung(recipe=TTA, change="+ mean over 16 augmented copies", base="augmentation"),
        Rung(recipe=ENSEMBLE, change="mean of 3 nets", base="tta"),
    ),
)
