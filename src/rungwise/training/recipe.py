"""The recipe: the complete description of how a classifier is trained and predicts."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from rungwise.augment import AUGMENTATIONS, Augmentation
from rungwise.augment.views import VIEWS, Views
from rungwise.data.split import USUAL_SHARE
from rungwise.errors import ConfigError
from rungwise.models import MODELS, Model
from rungwise.models.input import InputScaling
from rungwise.techniques import TECHNIQUES, Technique
from rungwise.training.optimizer import OPTIMIZERS, Adam, Optimizer
from rungwise.training.precision import Precision
from rungwise.training.schedule import SCHEDULES, Constant, Schedule

MOST_MEMBERS = 1_000
MOST_EPOCHS = 1_000_000

Keep = Literal["last", "best-val-loss", "best-val-acc"]


@dataclass(frozen=True, kw_only=True)
class Members:
    """A group of an ensemble's members, trained alike but for their seeds.

    Raises:
        ConfigError: `count` is below 1, or more than 1,000.
    """

    count: int
    """Number of nets."""
    augment: tuple[Augmentation, ...] | None = field(
        default=None, metadata={"registry": AUGMENTATIONS}
    )
    """Augmentations that replace the recipe's for these members."""

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST_MEMBERS:
            raise ConfigError(
                f"an ensemble's group has {self.count} members",
                expected=f"1 to {MOST_MEMBERS:,}",
                fix="set count, or drop the group",
            )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a classifier is trained and predicts.

    Everything but `name`, `views`, `ensemble` and `temperature_scaling` determines the trained
    weights; those say how trained nets are named and used.

    Raises:
        ConfigError: A setting is out of its range, or would have no effect.
    """

    name: str = "recipe"
    """Letters, digits, '.', '_' and '-'; part of the run's folder."""
    model: Model = field(metadata={"registry": MODELS})
    """Architecture."""
    input: InputScaling = "unit"
    """Scale of the pixels that enter the net: 0..1, 0..255, or mean 0 and deviation 1."""
    validation: float | Literal["test"] = USUAL_SHARE
    """Share of the training images that is held out; `test`: the test images, as articles do."""
    augment: tuple[Augmentation, ...] = field(default=(), metadata={"registry": AUGMENTATIONS})
    """Changes to the training images, in order."""
    techniques: tuple[Technique, ...] = field(default=(), metadata={"registry": TECHNIQUES})
    """Changes to targets, loss, weights and length of the training, in order."""
    optimizer: Optimizer = field(default=Adam(), metadata={"registry": OPTIMIZERS})
    schedule: Schedule = field(default=Constant(), metadata={"registry": SCHEDULES})
    epochs: int = 10
    batch_size: int = 128
    """Images in a step."""
    keep: Keep = "last"
    """Which epoch's weights the run ends with."""
    precision: Precision = "auto"
    """Number format of the products; `auto`: bfloat16 where the processor is fast at it."""
    views: Views | None = field(default=None, metadata={"registry": VIEWS})
    """Test-time augmentation."""
    ensemble: tuple[Members, ...] = ()
    """Groups of nets whose predictions are averaged; none: one net."""
    temperature_scaling: bool = False
    """Divide each net's logits by the temperature that was fitted on its validation images."""

    def __post_init__(self) -> None:
        _require_name(self.name)
        for setting, kind in (("input", InputScaling), ("precision", Precision), ("keep", Keep)):
            _require_choice(setting, getattr(self, setting), get_args(kind))
        _require_counts(self)
        validated = self.validation != 0
        for technique in self.techniques:
            technique.check(self.model, validated)
        _require_one(self.techniques, "average", "say which weights are kept")
        _require_one(self.techniques, "choose", "say which images an epoch trains on")
        if self.views is not None:
            self.views.check(self.augment)
        if self.keep != "last" and not validated:
            raise ConfigError(
                f"keep is {self.keep!r}, but no validation images are held out",
                expected="a validation share above 0",
                fix="set validation: 0.1 or keep: last",
            )
        _require_cycles(self)
        if self.temperature_scaling and self.validation in (0, "test"):
            raise ConfigError(
                f"temperature_scaling has no images to fit on: validation is {self.validation}",
                expected="a validation share above 0",
                fix="set validation: 0.1, or drop temperature_scaling",
            )

    @property
    def nets(self) -> int:
        """Number of nets that one training ends with."""
        return max((technique.nets() for technique in self.techniques), default=1)

    @property
    def mirrors(self) -> tuple[str, ...]:
        """Names of the augmentations and views that mirror images left-right."""
        augment = (*self.augment, *(a for group in self.ensemble for a in group.augment or ()))
        used = {type(part) for part in (*augment, self.views) if part is not None and part.mirrors}
        return tuple(name for name, kind in (AUGMENTATIONS | VIEWS).items() if kind in used)

    def single(self) -> "Recipe":
        """Return the recipe of one net, without what only concerns prediction but the name."""
        return replace(self, views=None, ensemble=(), temperature_scaling=False)

    def predicts_like(self, other: "Recipe") -> bool:
        """Whether both use trained nets in one way: views, ensemble and temperatures."""
        return all(
            getattr(self, name) == getattr(other, name)
            for name in ("views", "ensemble", "temperature_scaling")
        )

    def member_recipes(self) -> tuple["Recipe", ...]:
        """Return the recipe that each net is trained with: one, or one for each member.

        A member predicts as one net does, without views: what the recipe says of prediction it
        says of all together.
        """
        if not self.ensemble:
            return (self,)
        single = self.single()
        return tuple(
            single if group.augment is None else replace(single, augment=group.augment)
            for group in self.ensemble
            for _ in range(group.count)
        )


def _require_name(name: str) -> None:
    if not name or name.startswith(".") or not all(c.isalnum() or c in "._-" for c in name):
        raise ConfigError(
            f"the recipe's name is {name!r}",
            expected="letters, digits, '.', '_' and '-', not starting with a dot",
            fix="choose a name such as cnn-padding",
        )


def _require_choice(setting: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f"{setting} is {value!r}",
            expected=f"one of {', '.join(choices)}",
            fix=f"choose one, for example {setting}: {choices[0]}",
        )


def _require_one(techniques: tuple[Technique, ...], hook: str, act: str) -> None:
    acting = [technique for technique in techniques if technique.acts_on(hook)]
    if len(acting) > 1:
        names = {kind: name for name, kind in TECHNIQUES.items()}
        both = " and ".join(names.get(type(t), type(t).__name__) for t in acting)
        raise ConfigError(
            f"the techniques {both} each {act}",
            expected="one of them at most",
            fix="drop one",
        )


def _require_counts(recipe: Recipe) -> None:
    if not 1 <= recipe.epochs <= MOST_EPOCHS or recipe.batch_size < 1:
        raise ConfigError(
            f"epochs is {recipe.epochs} and batch_size {recipe.batch_size}",
            expected=f"1 or more of each, and at most {MOST_EPOCHS:,} epochs",
            fix="use for example epochs: 10, batch_size: 128",
        )
    share: Any = 0 if recipe.validation == "test" else recipe.validation
    if isinstance(share, str) or not 0 <= share < 1:
        raise ConfigError(
            f"validation is {recipe.validation!r}",
            expected="a share from 0 to below 1, or test",
            fix="use for example 0.1, not a percentage",
        )


def _require_cycles(recipe: Recipe) -> None:
    """Refuse to keep several nets where their moments are not told, or are not the recipe's."""
    if recipe.nets == 1:
        return
    cycles = recipe.schedule.cycle(1.0) + 1
    if not recipe.nets <= cycles <= recipe.epochs:
        raise ConfigError(
            f"{recipe.nets} nets are to be kept, at the ends of the schedule's last cycles, "
            f"but it has {cycles} in {recipe.epochs} epochs",
            expected="as many cycles as nets or more, each of an epoch or more",
            fix="set for example schedule: {name: cyclic-cosine, cycles: 5} and epochs: 20, "
            "or drop snapshots",
        )
    if recipe.keep != "last" or any(t.acts_on("stops") for t in recipe.techniques):
        raise ConfigError(
            "nets are to be kept at the ends of cycles, and by validation too",
            expected="one of the two",
            fix="set keep: last and drop early-stopping, or drop snapshots",
        )
