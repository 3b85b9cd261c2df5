"""Article C's accuracy on Fashion-MNIST in seconds.

Command: `rungwise climb fashion-mnist/fast --rungs plain --seeds 1 --fit-seeds 5`.
Measured (docs/results/2026-11-21-presets.md): `plain` 93.81% ± 0.18 of the test images, 1.35e13
operations and 30 seconds on two cores with bfloat16; `views` 93.69% ± 0.14. Of the whitened layer's
9 pairs of filters 8 are kept: their 16 channels go through the fast convolutions.
"""

from dataclasses import replace

from rungwise.augment import AlternatingFlip
from rungwise.augment.views import Mirror
from rungwise.ladder.presets.whitened import whitened
from rungwise.ladder.rung import Ladder, Rung

WIDTHS = (32, 64, 128)

PLAIN = whitened("plain", WIDTHS, 3, pairs=8, epochs=3, batch_size=500, lr=0.12)
ALTERNATING = replace(PLAIN, name="alternating", augment=(AlternatingFlip(),))
VIEWS = replace(ALTERNATING, name="views", views=Mirror())

LADDER = Ladder(
    name="fashion-mnist/fast",
    data="fashion-mnist",
    title="Fashion-MNIST: article C's accuracy in seconds",
    about=__doc__,
    rungs=(
        Rung(recipe=PLAIN, change="compact net on a whitened first layer, Muon, 3 epochs"),
        Rung(recipe=ALTERNATING, change="images mirrored in turn", base="plain"),
        Rung(recipe=VIEWS, change="+ mean over image and mirror image", base="alternating"),
    ),
)
