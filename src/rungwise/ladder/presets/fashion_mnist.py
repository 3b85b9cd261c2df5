"""Article C: improving TensorFlow's Fashion-MNIST sample with a CNN.

Command: `rungwise climb fashion-mnist --seeds 1 --protocol article`; about an hour on two cores.
The article's test accuracies: 0.8775, 0.9127, 0.9263, 0.9181, 0.9246, 0.9284, 0.9267, 0.9336,
0.9322, each the median of 3 runs.
"""

from dataclasses import replace

from rungwise.augment import MirroredCopies
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import CNN, MLP
from rungwise.training.optimizer import Adam
from rungwise.training.recipe import Recipe

DENSE = Recipe(
    name="mlp",
    model=MLP(hidden_widths=(128,)),
    optimizer=Adam(lr=0.001),
    epochs=5,
    batch_size=32,
)
CONV2 = replace(DENSE, name="cnn", model=CNN(conv_widths=(32, 64)))
CONV3 = replace(DENSE, name="conv3", model=CNN(conv_widths=(32, 64, 128)))
CONV4 = replace(DENSE, name="conv4", model=CNN(conv_widths=(32, 64, 128, 256)))
NO_DROPOUT = replace(
    DENSE,
    name="no-dropout",
    model=CNN(conv_widths=(32, 64, 128), dropout_conv=0.0, dropout_dense=0.0),
)
PADDED = CNN(conv_widths=(32, 64, 128), border=2)
PADDING = replace(DENSE, name="padding", model=PADDED)
DENSE2 = replace(DENSE, name="dense2", model=replace(PADDED, dense_widths=(128, 128)))
MIRROR = replace(PADDING, name="mirror", augment=(MirroredCopies(),))
EPOCHS10 = replace(MIRROR, name="epochs10", epochs=10)

LADDER = Ladder(
    name="fashion-mnist",
    data="fashion-mnist",
    title="Fashion-MNIST: a CNN, changed one thing at a time (article C)",
    about=__doc__,
    article_validation="test",
    rungs=(
        Rung(recipe=DENSE, change="one hidden dense layer", reference=0.8775),
        Rung(recipe=CONV2, change="two convolutions", base="mlp", reference=0.9127),
        Rung(recipe=CONV3, change="+ third convolution, 128", base="cnn", reference=0.9263),
        Rung(recipe=CONV4, change="+ fourth convolution, 256", base="conv3", reference=0.9181),
        Rung(recipe=NO_DROPOUT, change="- both dropouts", base="conv3", reference=0.9246),
        Rung(recipe=PADDING, change="+ 2 pixels of zeros around", base="conv3", reference=0.9284),
        Rung(recipe=DENSE2, change="+ second dense layer", base="padding", reference=0.9267),
        Rung(recipe=MIRROR, change="+ every image mirrored too", base="padding", reference=0.9336),
        Rung(recipe=EPOCHS10, change="10 epochs instead of 5", base="mirror", reference=0.9322),
    ),
)
