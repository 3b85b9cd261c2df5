"""1,000 MNIST images, as in article A, to 99%: distorted copies in training and in prediction.

Command: `rungwise climb mnist-1000/best --rungs top --seeds 1 --fit-seeds 5`.
Measured (docs/results/2026-11-21-presets.md): 99.36% ± 0.08 of the test images over five draws of
1,000, 2.2e13 operations a net, its training 42 seconds on two cores with bfloat16.
"""

from dataclasses import replace

from rungwise.augment import Affine, Cutout, Elastic, Shift
from rungwise.augment.views import RandomCopies
from rungwise.ladder.presets.whitened import whitened
from rungwise.ladder.rung import Ladder, Rung
from rungwise.techniques import WeightAveraging

QUICK = replace(
    whitened("quick", (16, 32, 32), 3, epochs=2, batch_size=50, lr=0.08),
    validation=0.2,
    augment=(Shift(pixels=2),),
)
LONG = replace(
    whitened("long", (64, 128, 128), 3, epochs=100, batch_size=100, lr=0.06),
    validation=0.2,
    augment=(Shift(pixels=2),),
)
AFFINE = replace(LONG, name="affine", augment=(Affine(rotate_degrees=15, shift=0.08, zoom=0.15),))
ELASTIC = replace(
    AFFINE, name="elastic", augment=(*AFFINE.augment, Elastic(strength=0.7, smoothness=5.0))
)
AVERAGING = replace(
    ELASTIC, name="averaging", techniques=(*ELASTIC.techniques, WeightAveraging(decay=0.99))
)
VIEWS = replace(AVERAGING, name="views", views=RandomCopies(copies=48))
TOP = replace(VIEWS, name="top", augment=(*VIEWS.augment, Cutout(size=8)))

LADDER = Ladder(
    name="mnist-1000/best",
    data="mnist@100",
    title="1,000 MNIST images: from a second's training to 99%",
    about=__doc__,
    rungs=(
        Rung(recipe=QUICK, change="compact net on a whitened first layer, Muon, 2 epochs"),
        Rung(recipe=LONG, change="wider net, 100 epochs", base="quick"),
        Rung(recipe=AFFINE, change="rotation, shift and zoom instead of moves", base="long"),
        Rung(recipe=ELASTIC, change="+ elastic distortion", base="affine"),
        Rung(recipe=AVERAGING, change="+ mean of the last weights", base="elastic"),
        Rung(recipe=VIEWS, change="+ mean over 48 distorted copies", base="averaging"),
        Rung(recipe=TOP, change="+ squares cut out, of the copies too", base="views"),
    ),
)
