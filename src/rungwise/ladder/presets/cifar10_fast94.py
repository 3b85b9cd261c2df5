"""94% on CIFAR-10 in minutes on a plain processor, and what each step there is worth.

Command: `rungwise climb cifar10/fast94 --rungs unsure --seeds 1 --fit-seeds 5`.
Measured (docs/results/2026-11-21-presets.md): 94.19% ± 0.03 of the test images, 2.8e14 operations
a net, 5 minutes on two cores with bfloat16. With three seeds, `--seeds 3`, the verdict on `views`
is keep (+0.82, +0.57 to +1.07 points on validation), those on all other steps are open.
"""

from dataclasses import replace

from rungwise.augment import AlternatingFlip, Flip, Shift
from rungwise.augment.views import Mirror
from rungwise.ladder.presets.whitened import momentum, whitened
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import Compact
from rungwise.techniques import LabelSmoothing, Lookahead, ProgressiveResizing
from rungwise.training.schedule import OneCycle

BATCH = 500
MOVES = Shift(pixels=2)

VIEWS = replace(
    whitened("views", (64, 256, 256), 2, epochs=8, batch_size=BATCH, lr=0.12),
    augment=(AlternatingFlip(), MOVES),
    views=Mirror(pixels=1),
)
RESIZING = replace(
    VIEWS,
    name="resizing",
    techniques=(*VIEWS.techniques, ProgressiveResizing(sides=(20, 24), until=(0.2, 0.6))),
    epochs=12,
)
UNSURE = replace(RESIZING, name="unsure", views=Mirror(pixels=1, below=0.7))
ALTERNATING = replace(VIEWS, name="alternating", views=None)
MUON = replace(ALTERNATING, name="muon", augment=(Flip(), MOVES))
LOOKAHEAD = replace(
    MUON,
    name="lookahead",
    techniques=(*MUON.techniques, Lookahead()),
    optimizer=replace(momentum(BATCH), bias_lr_factor=64.0),
    schedule=OneCycle(warmup_share=0.23, start_factor=0.2, end_factor=0.07),
)
BIASES = replace(LOOKAHEAD, name="biases", techniques=MUON.techniques)
IDENTITY = replace(BIASES, name="identity", optimizer=momentum(BATCH))
WHITENED = replace(IDENTITY, name="whitening", model=Compact(whitened_patch=2, norm_scale=False))
PLAIN = replace(
    WHITENED,
    name="plain",
    model=Compact(norm_scale=False),
    techniques=(LabelSmoothing(amount=0.2),),
)

LADDER = Ladder(
    name="cifar10/fast94",
    data="cifar10",
    title="CIFAR-10 to 94%, with as little arithmetic as possible",
    about=__doc__,
    rungs=(
        Rung(recipe=PLAIN, change="compact net, Nesterov momentum, moved and mirrored images"),
        Rung(recipe=WHITENED, change="whitened first layer", base="plain"),
        Rung(recipe=IDENTITY, change="convolutions start as identity", base="whitening"),
        Rung(recipe=BIASES, change="biases at 64 times the rate", base="identity"),
        Rung(recipe=LOOKAHEAD, change="+ lookahead", base="biases"),
        Rung(recipe=MUON, change="Muon instead, rate falling in a line", base="lookahead"),
        Rung(recipe=ALTERNATING, change="images mirrored in turn", base="muon"),
        Rung(recipe=VIEWS, change="+ mean over 6 views", base="alternating"),
        Rung(recipe=RESIZING, change="small images first, 12 epochs instead of 8", base="views"),
        Rung(recipe=UNSURE, change="views only where less than 70% sure", base="resizing"),
    ),
)
