"""The CIFAR-10 speed record airbench94 in plain PyTorch on the processor.

Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv:2404.00498. Written
anew from what the paper says the techniques do. It needs PyTorch and nothing of rungwise.

    whiten the stem with the training images
    for each of 476 steps of 1024 images:
        crop at random, mirror in alternation -> net in bfloat16 -> smoothed cross-entropy, summed
        SGD with Nesterov momentum; the rates of all, and those of the shifts, on a triangle
        every 5 steps: move slow weights towards the net's, and the net to them
    predict the mean over six views

A step depends on nothing but its number and the state that it finds, so that a benchmark may time
steps at any place of the training.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

EPOCHS = 9.9
BATCH_SIZE = 1024
LEARNING_RATE, WEIGHT_DECAY = 11.5, 0.0153
"""Decoupled: for the sum of 1024 losses, whatever momentum and batch size are."""
MOMENTUM = 0.85
SHIFT_FACTOR = 64.0
"""How many times as large the learning rate of the normalisations' shifts is."""
FIRST_RATE, PEAK, LAST_RATE = 0.2, 0.23, 0.07
SMOOTHING = 0.2
TRANSLATION = 2
WHITENING_IMAGES, WHITENING_FLOOR = 5000, 5e-4
WHITENING_EPOCHS = 3
"""Epochs in which the stem's bias learns; from then on no gradient enters the stem."""
LOOKAHEAD_STEPS, LOOKAHEAD_DECAY = 5, 0.95
STEM_WIDTH, WIDTHS = 24, (64, 256, 256)
LOGIT_SCALE = 1 / 9
CLASSES = 10
EVALUATION_BATCH = 1000

State = dict[str, torch.Tensor]


class Net(nn.Module):
    """Whitening stem, three groups of two convolutions, a head without bias."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM_WIDTH, 2)
        self.stem.weight.requires_grad_(False)
        nn.init.zeros_(self.stem.bias)  # type: ignore[arg-type]
        inputs = (STEM_WIDTH, *WIDTHS[:-1])
        groups = [group(before, width) for before, width in zip(inputs, WIDTHS, strict=True)]
        self.groups = nn.Sequential(*groups)
        self.head = nn.Linear(WIDTHS[-1], CLASSES, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits (N, K) for normalised images (N, 3, 32, 32)."""
        maps = self.groups(F.gelu(self.stem(images)))
        logits: torch.Tensor = self.head(F.max_pool2d(maps, 3).flatten(1))
        return logits * LOGIT_SCALE


def group(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        conv(channels, width),
        nn.MaxPool2d(2),
        norm(width),
        nn.GELU(),
        conv(width, width),
        norm(width),
        nn.GELU(),
    )


def conv(channels: int, width: int) -> nn.Conv2d:
    """Return a convolution whose first filters pass the channels on as they are."""
    layer = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    with torch.no_grad():
        nn.init.dirac_(layer.weight[:channels])
    return layer


def norm(width: int) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(width, eps=1e-12, momentum=0.4)
    layer.weight.requires_grad_(False)
    return layer


def whitening_filters(images: torch.Tensor) -> torch.Tensor:
    """Return filters (24, 3, 2, 2) whose first 12 outputs are uncorrelated and of one size.

    The other 12 are their negatives, as an activation follows that cuts half of them off.

    Args:
        images: (N, 3, H, W), normalised.
    """
    patches = F.unfold(images, 2).transpose(1, 2).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / (values + WHITENING_FLOOR).sqrt()).T.reshape(-1, 3, 2, 2)
    return torch.cat((filters, -filters))


def rate_factor(progress: float) -> float:
    """Return what the learning rate is multiplied with: up to 1 at the peak, then down.

    Args:
        progress: Share of the training that is done, 0..1.
    """
    if progress < PEAK:
        return FIRST_RATE + (1 - FIRST_RATE) * progress / PEAK
    return 1 - (1 - LAST_RATE) * (progress - PEAK) / (1 - PEAK)


def make_optimizer(net: Net) -> torch.optim.SGD:
    """Return SGD with the decoupled settings; the decay of the shifts is that of the others."""
    scale = BATCH_SIZE * (1 + 1 / (1 - MOMENTUM))
    rate, decay = LEARNING_RATE / scale, WEIGHT_DECAY * BATCH_SIZE / scale
    shifts = [m.bias for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    known = {id(shift) for shift in shifts}
    others = [p for p in net.parameters() if p.requires_grad and id(p) not in known]
    groups = [
        {"params": params, "lr": lr, "peak": lr, "weight_decay": decay / lr}
        for params, lr in ((shifts, SHIFT_FACTOR * rate), (others, rate))
    ]
    return torch.optim.SGD(groups, lr=rate, momentum=MOMENTUM, nesterov=True)


def is_mirrored(first: torch.Tensor, epoch: int) -> torch.Tensor:
    """Return which images an epoch mirrors: those of `first` in even epochs, the rest in odd."""
    return first ^ bool(epoch % 2)


class Airbench:
    """One training.

    Args:
        pixels: (N, 32, 32, 3) uint8, the training images.
        labels: (N,) int64.
        seed: Of weights, order, mirroring and crops.
    """

    def __init__(self, pixels: torch.Tensor, labels: torch.Tensor, seed: int) -> None:
        torch.manual_seed(seed)
        self._seed, self._labels = seed, labels
        scaled = pixels.float().div_(255)
        self._mean, self._std = scaled.mean((0, 1, 2)), scaled.std((0, 1, 2))
        images = scaled.sub_(self._mean).div_(self._std).permute(0, 3, 1, 2)
        self.net = Net().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with torch.no_grad():
            self.net.stem.weight.copy_(whitening_filters(images[:WHITENING_IMAGES]))
        padded = F.pad(images.bfloat16(), (TRANSLATION,) * 4, mode="reflect")
        # (N, 5, 5, 3, 32, 32), a view: each image at each of its shifts.
        self._windows = padded.unfold(2, 32, 1).unfold(3, 32, 1).permute(0, 2, 3, 1, 4, 5)
        self._first_mirrored = torch.rand(len(labels), generator=self._rng(-1)) < 0.5
        self.steps_per_epoch = len(labels) // BATCH_SIZE
        self.steps = math.ceil(EPOCHS * self.steps_per_epoch)
        self._optimizer = make_optimizer(self.net)
        self._epoch = -1
        self._slow = {name: value.clone() for name, value in self._floats().items()}

    def train(self) -> None:
        """Take all steps; the net then holds the slow weights."""
        for step in range(self.steps):
            self.take(step)
        self._look_ahead(1.0)

    def take(self, step: int) -> None:
        """Take the step of that number, 0 to `steps` - 1."""
        epoch, place = divmod(step, self.steps_per_epoch)
        self._begin(epoch)
        chosen = self._order[place * BATCH_SIZE : (place + 1) * BATCH_SIZE]
        for settings in self._optimizer.param_groups:
            settings["lr"] = settings["peak"] * rate_factor(step / self.steps)
        self.net.train()
        self.loss(self._images(chosen, epoch), self._labels[chosen]).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if (step + 1) % LOOKAHEAD_STEPS == 0:
            progress = (step + 1) / self.steps
            self._look_ahead(LOOKAHEAD_DECAY**LOOKAHEAD_STEPS * progress**3)

    def loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the sum of the smoothed cross-entropies."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.net(images)
        return F.cross_entropy(logits.float(), labels, label_smoothing=SMOOTHING, reduction="sum")

    def logits(self, pixels: torch.Tensor, views: bool = True) -> torch.Tensor:
        """Return logits (N, K) of uint8 images (N, 32, 32, 3), with six views or with one."""
        self.net.eval()
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            return torch.cat(
                [self._viewed(part, views) for part in torch.split(pixels, EVALUATION_BATCH)]
            )

    def learns_stem(self, step: int) -> bool:
        """Tell whether the stem's bias learns in that step."""
        return step < WHITENING_EPOCHS * self.steps_per_epoch

    def _viewed(self, pixels: torch.Tensor, views: bool) -> torch.Tensor:
        images = self._normalized(pixels)
        if not views:
            return self._apply(images)
        return sum(
            (weight * self._apply(view) for view, weight in six_views(images)),
            start=torch.zeros(len(pixels), CLASSES),
        )

    def _apply(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.net(images.contiguous(memory_format=torch.channels_last))
        return logits.float()

    def _begin(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        self._epoch, rng = epoch, self._rng(epoch)
        count = len(self._labels)
        self._order = torch.randperm(count, generator=rng)
        self._shifts = torch.randint(2 * TRANSLATION + 1, (2, count), generator=rng)
        learns = self.learns_stem(epoch * self.steps_per_epoch)
        self.net.stem.bias.requires_grad_(learns)

    def _images(self, chosen: torch.Tensor, epoch: int) -> torch.Tensor:
        down, right = self._shifts[:, chosen]
        images = self._windows[chosen, down, right]
        mirrored = is_mirrored(self._first_mirrored[chosen], epoch)
        images[mirrored] = images[mirrored].flip(3)
        return images.contiguous(memory_format=torch.channels_last)

    def _look_ahead(self, decay: float) -> None:
        """Move the slow weights to the net's by 1 - `decay` of the way, and the net to them."""
        with torch.no_grad():
            for name, value in self._floats().items():
                slow = self._slow[name]
                value.copy_(slow.lerp_(value, 1 - decay))

    def _floats(self) -> State:
        state: State = self.net.state_dict()
        return {name: value for name, value in state.items() if value.is_floating_point()}

    def _normalized(self, pixels: torch.Tensor) -> torch.Tensor:
        return ((pixels.float() / 255 - self._mean) / self._std).permute(0, 3, 1, 2)

    def _rng(self, epoch: int) -> torch.Generator:
        return torch.Generator().manual_seed(1000 * self._seed + epoch + 1)


def six_views(images: torch.Tensor) -> Iterator[tuple[torch.Tensor, float]]:
    """Yield image and mirror image, unmoved and moved up-left and down-right by a pixel."""
    side = images.shape[3]
    for view in (images, images.flip(3)):
        yield view, 0.25
        padded = F.pad(view, (1,) * 4, mode="reflect")
        for start in (0, 2):
            yield padded[:, :, start : start + side, start : start + side], 0.125
