"""1,000 CIFAR-10 images, 100 of each class, as accurate as they allow without any others.

Command: `rungwise climb cifar10@100/best --rungs ensemble --seeds 1 --fit-seeds 5`.
Measured (docs/results/2026-11-21-presets.md): `ensemble` 77.08% ± 0.22 of the test images over five
draws of 1,000, `faster`, one net, 73.89% ± 0.23, 1.9e14 operations and 6 minutes of one core with
AMX a net; `views` 72.65% ± 0.45, 1.4e14.
"""

from dataclasses import replace
from functools import partial

from rungwise.augment import AlternatingFlip, Shift, TrivialAugment
from rungwise.augment.views import Mirror
from rungwise.ladder.presets.whitened import whitened
from rungwise.ladder.rung import Ladder, Rung
from rungwise.techniques import CutMix
from rungwise.training.recipe import Members

net = partial(whitened, widths=(64, 256, 256), patch=2, epochs=200, batch_size=100)
PLAIN = replace(
    net("plain", lr=0.06),
    validation=0.2,
    augment=(AlternatingFlip(), Shift(pixels=4)),
)
MIXED = replace(PLAIN, name="cutmix", techniques=(*PLAIN.techniques, CutMix(probability=0.5)))
VARIED = replace(MIXED, name="varied", augment=(*MIXED.augment, TrivialAugment()))
VIEWS = replace(VARIED, name="views", views=Mirror(pixels=1))
DEEPER = replace(VIEWS, name="deeper", model=net("deeper", depth=3, lr=0.06).model)
FASTER = replace(DEEPER, name="faster", optimizer=net("faster", lr=0.24).optimizer)
ENSEMBLE = replace(FASTER, name="ensemble", ensemble=(Members(count=5),))

LADDER = Ladder(
    name="cifar10@100/best",
    data="cifar10@100",
    title="CIFAR-10 with 100 images of each class",
    about=__doc__,
    rungs=(
        Rung(recipe=PLAIN, change="compact net, moved and mirrored images, 200 epochs"),
        Rung(recipe=MIXED, change="+ half of the batches mixed (CutMix)", base="plain"),
        Rung(recipe=VARIED, change="+ each image changed in one of many ways", base="cutmix"),
        Rung(recipe=VIEWS, change="+ mean over 6 views", base="varied"),
        Rung(recipe=DEEPER, change="+ a third convolution in each group", base="views"),
        Rung(recipe=FASTER, change="rate 0.24 instead of 0.06", base="deeper"),
        Rung(recipe=ENSEMBLE, change="mean of 5 nets", base="faster"),
    ),
)
