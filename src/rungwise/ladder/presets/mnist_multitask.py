"""Article E: classifier and autoencoder as two tasks of one net.

Command: `rungwise climb mnist-multitask --seeds 1 --protocol article`; about an hour on two cores.
The article's test accuracy: 0.9933. It does not name its batch size; Keras's default is used.
"""

from dataclasses import replace

from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import Multitask
from rungwise.techniques import Reconstruction
from rungwise.training.optimizer import SGD
from rungwise.training.recipe import Recipe

CLASSIFICATION = Recipe(
    name="classification",
    model=Multitask(),
    techniques=(Reconstruction(weight=0, class_weight=0.9),),
    optimizer=SGD(lr=0.01, momentum=0.9, nesterov=True),
    epochs=20,
    batch_size=32,
)
MULTITASK = replace(
    CLASSIFICATION,
    name="multitask",
    techniques=(Reconstruction(weight=0.1, class_weight=0.9),),
)

LADDER = Ladder(
    name="mnist-multitask",
    data="mnist",
    title="MNIST: classifier and autoencoder in one net (article E)",
    about=__doc__,
    article_validation="test",
    rungs=(
        Rung(recipe=CLASSIFICATION, change="autoencoder's loss at weight 0", control=True),
        Rung(
            recipe=MULTITASK,
            change="autoencoder's loss at weight 0.1",
            base="classification",
            reference=0.9933,
        ),
    ),
)
