"""CIFAR-10 beyond 94%: what epochs, a hidden square, a deeper and a wider net are worth.

Command: `rungwise climb cifar10/best --rungs border --seeds 1 --fit-seeds 5` for a net of nine
minutes, `--rungs wide` for a larger one of half an hour.
Measured (docs/results/2026-11-21-presets.md): `cutout` 94.43% ± 0.09 of the test images, 5.6e14
operations a net; `deeper` 94.57% ± 0.13, 6.7e14, 9.3 minutes on two cores with AMX; `border`
94.66% ± 0.08, 6.9e14, 8.7 minutes there; `wide` 95.15% ± 0.07, 1.3e15, 34 minutes on one core
with AMX.
"""

from dataclasses import replace

from rungwise.augment import Cutout
from rungwise.ladder.presets.cifar10_fast94 import BATCH, UNSURE, VIEWS
from rungwise.ladder.presets.whitened import whitened
from rungwise.ladder.rung import Ladder, Rung

LONGER = replace(UNSURE, name="longer", epochs=24)
CUTOUT = replace(LONGER, name="cutout", augment=(*LONGER.augment, Cutout(size=10)))
FULL_SIZE = replace(CUTOUT, name="full-size", techniques=VIEWS.techniques, epochs=18)
DEEPER = replace(
    whitened("deeper", (64, 256, 256), 2, depth=(3, 2, 2), epochs=18, batch_size=BATCH, lr=0.12),
    augment=CUTOUT.augment,
    views=CUTOUT.views,
)
BORDER = replace(
    whitened(
        "border",
        (64, 256, 256),
        2,
        depth=(3, 2, 2),
        border=1,
        epochs=15,
        batch_size=BATCH,
        lr=0.12,
    ),
    augment=CUTOUT.augment,
    views=CUTOUT.views,
)
WIDE = replace(
    whitened("wide", (128, 384, 384), 2, depth=(3, 2, 2), epochs=20, batch_size=BATCH, lr=0.12),
    augment=CUTOUT.augment,
    techniques=CUTOUT.techniques,
    views=CUTOUT.views,
)

LADDER = Ladder(
    name="cifar10/best",
    data="cifar10",
    title="CIFAR-10 with one net, as accurate as an hour allows",
    about=__doc__,
    rungs=(
        Rung(recipe=UNSURE, change="94%: whitened compact net, Muon, small images first"),
        Rung(recipe=LONGER, change="24 epochs instead of 12", base="unsure"),
        Rung(recipe=CUTOUT, change="+ a square of 10 pixels cut out", base="longer"),
        Rung(recipe=FULL_SIZE, change="no small images, 18 epochs", base="cutout"),
        Rung(recipe=DEEPER, change="+ a third convolution in the first group", base="full-size"),
        Rung(recipe=BORDER, change="+ a border of a pixel, 15 epochs", base="deeper"),
        Rung(
            recipe=WIDE,
            change="half as wide again and more, small images first, 20 epochs",
            base="deeper",
        ),
    ),
)
