"""Fashion-MNIST, as accurate as half an hour on a plain processor allows.

Command: `rungwise climb fashion-mnist/best --rungs ensemble --seeds 1 --fit-seeds 5`; for the nets
of half an hour alone `rungwise train fashion-mnist --recipe fashion-mnist/best/ensemble --set
validation=0`, which ends with the command that measures their mean.
Measured (docs/results/2026-11-21-presets.md): the mean of 4 nets has 95.14% ± 0.08 of the test
images, 1.6e15 operations and 26 minutes on two cores with matrix units; one net, `views`, 95.05%
± 0.06 for 4.0e14 and 14 minutes of one core.
"""

from dataclasses import replace

from rungwise.augment import AlternatingFlip, RandomErasing, Shift
from rungwise.augment.views import Mirror
from rungwise.ladder.presets.whitened import whitened
from rungwise.ladder.rung import Ladder, Rung
from rungwise.techniques import LabelSmoothing, Whitening
from rungwise.training.recipe import Members

PLAIN = replace(
    whitened(
        "plain",
        (64, 128, 256),
        3,
        depth=(3, 3, 2),
        border=2,
        epochs=15,
        batch_size=500,
        lr=0.12,
    ),
    augment=(AlternatingFlip(), Shift(pixels=2)),
    techniques=(LabelSmoothing(amount=0.1), Whitening(bias_until=0.4)),
)
ERASING = replace(PLAIN, name="erasing", augment=(*PLAIN.augment, RandomErasing()))
VIEWS = replace(ERASING, name="views", views=Mirror(pixels=1))
ENSEMBLE = replace(VIEWS, name="ensemble", ensemble=(Members(count=4),))

LADDER = Ladder(
    name="fashion-mnist/best",
    data="fashion-mnist",
    title="Fashion-MNIST, as accurate as half an hour allows",
    about=__doc__,
    rungs=(
        Rung(recipe=PLAIN, change="compact net, moved and mirrored images, 15 epochs"),
        Rung(recipe=ERASING, change="+ boxes of some images erased", base="plain"),
        Rung(recipe=VIEWS, change="+ mean over 6 views", base="erasing"),
        Rung(recipe=ENSEMBLE, change="mean of 4 nets", base="views"),
    ),
)
