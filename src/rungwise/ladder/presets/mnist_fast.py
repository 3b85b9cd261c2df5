"""Article E's accuracy on MNIST in seconds.

Command: `rungwise climb mnist/fast --fit-seeds 5`.
Measured (docs/results/2026-11-21-presets.md): 99.59% ± 0.03 of the test images, 5.2e12 operations
a net, 14 seconds on two cores with bfloat16.
"""

from dataclasses import replace

from rungwise.augment import Shift
from rungwise.ladder.presets.whitened import whitened
from rungwise.ladder.rung import Ladder, Rung

PLAIN = whitened("plain", (32, 32, 64), 3, epochs=1, batch_size=500, lr=0.12)
MOVED = replace(PLAIN, name="moved", augment=(Shift(pixels=2),))
TWO_EPOCHS = replace(MOVED, name="two-epochs", epochs=2)

LADDER = Ladder(
    name="mnist/fast",
    data="mnist",
    title="MNIST: article E's accuracy in seconds",
    about=__doc__,
    rungs=(
        Rung(recipe=PLAIN, change="compact net on a whitened first layer, Muon, 1 epoch"),
        Rung(recipe=MOVED, change="images moved by up to 2 pixels", base="plain"),
        Rung(recipe=TWO_EPOCHS, change="2 epochs", base="moved"),
    ),
)
