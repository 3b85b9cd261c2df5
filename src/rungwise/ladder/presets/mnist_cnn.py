"""Article D: a first CNN, beside the all-dense net that the article suggests comparing it with.

Command: `rungwise climb mnist-cnn --protocol article`; about a minute on two cores.
The article's result: over 95% on training and test images, pixels left at 0..255.
"""

from dataclasses import replace

from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import CNN, MLP
from rungwise.training.optimizer import Adam
from rungwise.training.recipe import Recipe

DENSE = Recipe(
    name="dense",
    model=MLP(hidden_widths=(128, 128)),
    input="raw",
    optimizer=Adam(lr=0.001),
    epochs=10,
    batch_size=6000,
)
FIRST_CNN = replace(
    DENSE,
    name="cnn",
    model=CNN(
        conv_widths=(16, 32),
        conv_edge="same",
        pooling_place="each",
        dense_widths=(128, 128),
        dropout_conv=0.0,
        dropout_dense=0.0,
    ),
)

LADDER = Ladder(
    name="mnist-cnn",
    data="mnist",
    title="MNIST: a first CNN against an all-dense net (article D)",
    about=__doc__,
    article_validation="test",
    rungs=(
        Rung(recipe=DENSE, change="two hidden dense layers"),
        Rung(recipe=FIRST_CNN, change="two convolutions before them", base="dense", reference=0.95),
    ),
)
