"""The training loop: a generator that yields after each step and tells when an epoch is done.

    build net, optimizer
    for each epoch:
        let a technique choose among the images by their last losses; shuffle by (seed, epoch)
        for each batch:
            gather uint8 images -> float in 0..1 -> augment -> techniques change the batch
            forward -> cross-entropy -> techniques change the loss -> backward -> step
            techniques average the weights
            keep a copy of them if a cycle of the schedule ends, and a technique wants it
        validate; record the epoch; keep its weights if the recipe's rule says so
        end early if a technique says so

Whoever wants to print, save or stop does so in an ordinary `for` over `Training.steps()`: between
any two steps the training is whole, and `checkpoint.save` keeps all that is needed to go on, bit
for bit.
"""

import copy
import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import nn

from rungwise import randomness
from rungwise.data.images import LabelledImages
from rungwise.errors import RunError
from rungwise.models.base import Output
from rungwise.models.input import ScaledNetwork, input_statistics, network_shape
from rungwise.models.summary import summarize
from rungwise.techniques import EpochRecord, Weights
from rungwise.techniques.base import copied
from rungwise.training import precision
from rungwise.training.memory import keep_freed_memory
from rungwise.training.objective import Objective
from rungwise.training.operations import require_work
from rungwise.training.passes import make_pass
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed
from rungwise.training.supply import Supply
from rungwise.training.threads import respect_quota, suited_to
from rungwise.training.weights import FlatWeights

ENGINE_VERSION = 7
"""Raised whenever a change makes the same recipe and seed give other weights."""

EVALUATION_BATCH = 1000


class Progress(NamedTuple):
    """Where a training stands after a step.

    Args:
        epoch: From 1.
        step: Of the epoch, from 1.
        steps: Number of steps of the epoch.
        record: There when the step ended the epoch.
        steps_done: Number of steps of the training up to here, those of earlier epochs included.
        steps_in_all: Number of steps of the training, if it does not end early.
    """

    epoch: int
    step: int
    steps: int
    record: EpochRecord | None
    steps_done: int
    steps_in_all: int


def build_network(recipe: Recipe, train: LabelledImages, seed: Seed) -> ScaledNetwork:
    """Return the recipe's freshly initialised net behind its input scaling."""
    rng = randomness.generator(str(seed), "weights")
    net = recipe.model.build(network_shape(train), train.classes, rng)
    return ScaledNetwork(net, *input_statistics(recipe.input, train))


class Training:
    """One training of one recipe on given images with one seed.

    Args:
        recipe: With `precision` resolved to a format.
        train: The images to learn from.
        validation: The images to measure each epoch with, if there are any.
        seed: Keys all randomness.
        device: Where the work is done; images are moved there once, if they fit.
    """

    def __init__(
        self,
        recipe: Recipe,
        train: LabelledImages,
        validation: LabelledImages | None,
        seed: Seed,
        device: torch.device,
    ) -> None:
        keep_freed_memory()
        respect_quota()
        for augmentation in recipe.augment:
            train = augmentation.enlarge(train)
        self.recipe, self.seed, self.device = recipe, seed, device
        self.supply = Supply(recipe, train, seed, device)
        self.course = self.supply.course
        self.validation = validation
        net = build_network(recipe, train, seed)
        for position, technique in enumerate(recipe.techniques):
            technique.prepare(net, train, self._rng("prepare", position))
        self.net: ScaledNetwork = net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._weights = FlatWeights(self.net)
        self.optimizer = recipe.optimizer.make(self._weights)
        self._pass = make_pass(self.net, self._weights, recipe.precision)
        self._freezing = [t for t in recipe.techniques if t.acts_on("frozen")]
        self.frozen: Weights = {}
        shape = network_shape(train)
        flops = summarize(recipe.model, shape, train.classes).flops
        require_work(recipe, shape, train.classes)
        self._batch_flops = flops * min(recipe.batch_size, len(train))
        self._changing_loss = [t for t in recipe.techniques if t.acts_on("change_loss")]
        self._averaging = [t for t in recipe.techniques if t.acts_on("average")]
        self._nets = recipe.nets
        self.average: Weights | None = None
        self.best: Weights | None = None
        self.snapshots: list[Weights] = []
        self.best_epoch = 0
        self.epoch, self.step = 1, 0
        self.sums = torch.zeros(2, dtype=torch.float64, device=device)
        self.seconds = 0.0
        self.history: list[EpochRecord] = []

    @property
    def finished(self) -> bool:
        """Whether all epochs are done or a technique has ended the training."""
        return len(self.history) == self.recipe.epochs or self._stopped_early()

    def steps(self) -> Iterator[Progress]:
        """Train on from the present state, yielding after each step, until the training ends."""
        while not self.finished:
            yield from self._epoch()

    def _epoch(self) -> Iterator[Progress]:
        order = self.supply.order(self.epoch, begins=self.step == 0)
        steps = self.course.steps_of(self.epoch)
        started = time.perf_counter() - self.seconds
        self.net.train()
        while self.step < steps:
            with suited_to(self._batch_flops):
                self._train_on(self._batch_of(order))
            self.step += 1
            self.seconds = time.perf_counter() - started
            if self.step < steps:
                yield self._after(self.epoch, self.step, None)
        record = self._end_epoch(started)
        yield self._after(record.epoch, steps, record)

    def _after(self, epoch: int, step: int, record: EpochRecord | None) -> Progress:
        course, done = self.course, self.course.steps_in(epoch - 1) + step
        return Progress(epoch, step, course.steps_of(epoch), record, done, course.steps_in_all)

    def _batch_of(self, order: torch.Tensor) -> torch.Tensor:
        first = self.step * self.recipe.batch_size
        is_last = self.step == self.course.steps_of(self.epoch) - 1
        return order[first:] if is_last else order[first : first + self.recipe.batch_size]

    def _train_on(self, indices: torch.Tensor) -> None:
        rng = self._rng("step", self.epoch, self.step)
        batch = self.supply.batch(indices, self.epoch, self.progress, rng)
        self._set_learning_rates()
        self._freeze()
        key = int(torch.randint(2**62, (), generator=rng, device=rng.device))
        logits = self._pass.gradients(Objective(batch, self._changing_loss), key, self.sums)
        self.supply.learn(indices, logits, batch)
        self.optimizer.step()
        for name, value in self.frozen.items():
            self.net.get_parameter(name).data.copy_(value)  # The optimizer's momentum moves it.
        for technique in self._averaging:
            self.average = technique.average(
                self.average, self.net.state_dict(), self._steps_done(), self.course.steps_in_all
            )
        if self._nets > 1 and self._cycle_ends():
            # The last net is not among them: it is there at the end.
            self.snapshots = [*self.snapshots, copied(self._current())][1 - self._nets :]

    def _freeze(self) -> None:
        """Take what the techniques no longer train out of the way back."""
        modules = [m for t in self._freezing for m in t.frozen(self.net, self.progress)]
        parameters = {p for m in modules for p in m.parameters() if p.requires_grad}
        if not parameters:
            return
        for name, parameter in self.net.named_parameters():
            if parameter in parameters:
                parameter.requires_grad_(False)
                # A resumed training has its value already, which the net's own may differ from.
                self.frozen.setdefault(name, parameter.detach().clone())
        self._pass = make_pass(self.net, self._weights, self.recipe.precision)

    def _forward(self, net: nn.Module, images: torch.Tensor) -> Output:
        with precision.autocast(self.recipe.precision, self.device):
            output: Output = net(images)
        return output

    @property
    def progress(self) -> float:
        """Share of the planned steps that are taken: 0 at the start, below 1 at the last step."""
        return self._progress_after(self._steps_done() - 1)

    def _progress_after(self, steps: int) -> float:
        return steps / self.course.steps_in_all

    def _cycle_ends(self) -> bool:
        """Tell whether the step after the one that is being taken is of another cycle."""
        now, then = (self._progress_after(self._steps_done() - before) for before in (1, 0))
        return self.recipe.schedule.cycle(now) != self.recipe.schedule.cycle(then)

    def _set_learning_rates(self) -> None:
        factor = self.recipe.schedule.factor(self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def _steps_done(self) -> int:
        """Count the steps up to and including the one that is being taken."""
        return self.course.steps_in(self.epoch - 1) + self.step + 1

    def _end_epoch(self, started: float) -> EpochRecord:
        loss, correct = (self.sums / self.course.images_of(self.epoch)).tolist()
        self._require_finite(loss)
        val_loss, val_acc = self._validate()
        record = EpochRecord(
            epoch=self.epoch,
            train_loss=loss,
            train_acc=correct,
            val_loss=val_loss,
            val_acc=val_acc,
            lr=self.optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - started,
        )
        self.history.append(record)
        if self.recipe.keep != "last" and self._is_best():
            self.best = copied(self._current())
            self.best_epoch = self.epoch
        self.epoch, self.step, self.seconds = self.epoch + 1, 0, 0.0
        self.sums.zero_()
        return record

    def _require_finite(self, loss: float) -> None:
        # A ReLU may turn what is no number into 0, so that the loss alone does not tell.
        if not (math.isfinite(loss) and bool(self._weights.values.isfinite().all())):
            raise RunError(
                f"the training loss is {loss} in epoch {self.epoch}: the training has diverged",
                expected="a finite loss and finite weights",
                fix=f"lower optimizer.lr (it is {self.recipe.optimizer.lr:g}) or add a warm-up",
            )

    def _validate(self) -> tuple[float | None, float | None]:
        if self.validation is None:
            return None, None
        # Not `trained_network`, which may give the weights of an earlier epoch.
        net = self.net if self.average is None else self._network_with(self.average)
        net.eval()
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        with torch.no_grad():
            for pixels, labels in self.validation.batches(EVALUATION_BATCH):
                sums += self._measure(net, pixels, labels)
        loss, correct = (sums / len(self.validation)).tolist()
        return loss, correct

    def _measure(self, net: nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        batch = self.supply.unchanged(pixels, labels)
        output = self._forward(net, batch.images)
        objective = Objective(batch, self._changing_loss)
        return objective.tally(objective(output), output.logits)

    def _is_best(self) -> bool:
        *before, last = [self._score(record) for record in self.history]
        return last > max(before, default=-math.inf)

    def _score(self, record: EpochRecord) -> float:
        by_loss = self.recipe.keep == "best-val-loss"
        value = record.val_loss if by_loss else record.val_acc
        if value is None or math.isnan(value):
            return -math.inf
        return -value if by_loss else value

    @property
    def steps_taken(self) -> int:
        """Number of steps of the epochs that are done."""
        return self.course.steps_in(len(self.history))

    def kept_record(self) -> EpochRecord:
        """Return the record of the epoch whose weights `trained_network` gives."""
        return self.history[self.best_epoch - 1 if self.best_epoch else -1]

    def _stopped_early(self) -> bool:
        return any(technique.stops(self.history) for technique in self.recipe.techniques)

    def _current(self) -> Weights:
        weights: Weights = self.average if self.average is not None else self.net.state_dict()
        return weights

    def trained_network(self) -> nn.Module:
        """Return a copy of the net with the weights that the recipe's `keep` and averaging name."""
        return self._network_with(self._current() if self.best is None else self.best)

    def trained_networks(self) -> tuple[nn.Module, ...]:
        """Return the nets of the last cycles' ends, if a technique keeps them, and the last one."""
        return (*map(self._network_with, self.snapshots), self.trained_network())

    def _network_with(self, weights: Weights) -> nn.Module:
        net = copy.deepcopy(self.net)
        net.load_state_dict(weights)
        return net.eval()

    def _rng(self, purpose: str, *position: int) -> torch.Generator:
        return randomness.generator(str(self.seed), purpose, *position)
