"""Ladders: recipes in order, each differing from the one it is compared with by one change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Literal

from rungwise.errors import ConfigError, UnknownNameError
from rungwise.training.recipe import Recipe

Protocol = Literal["sealed", "article"]
Reading = Literal["cumulative", "add-one", "leave-one-out"]


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One recipe of a ladder.

    Args:
        recipe: Its name is the rung's.
        change: What differs from the base, in a few words.
        base: Name of the rung that the gain is counted from; None for the ladder's first.
        control: Whether the rung isolates a cause instead of adding a technique.
        reference: The article's test accuracy in 0..1, if it gives one.
        image_size: (height, width) that image files are resized to for this rung; None for the size
            at which the ladder's data are loaded.
        left_out: Whether the recipe lacks the change; its gain is counted the other way round, as
            what the base has over it.
    """

    recipe: Recipe
    change: str
    base: str | None = None
    control: bool = False
    reference: float | None = None
    image_size: tuple[int, int] | None = None
    left_out: bool = False

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """Rungs in order, with the data that they are measured on.

    Args:
        name: As in `rungwise climb NAME`.
        data: The data set's name, for example `mnist@100`.
        title: One line on what the ladder asks.
        about: What it is for, the command to climb it with and what was measured of it, in lines.
        rungs: At least one; a base stands before those that name it.
        article_validation: The article's own way to validate; `test` where it chose on the test
            set. None for a ladder that follows no article.
        reading: How its rungs measure the techniques; `ladder/reading.py` makes the other ones.

    Raises:
        ConfigError: Two rungs have one name, a base is missing, or the recipes hold out different
            shares.
    """

    name: str
    data: str
    title: str
    rungs: tuple[Rung, ...]
    about: str = ""
    article_validation: float | Literal["test"] | None = None
    reading: Reading = "cumulative"

    def __post_init__(self) -> None:
        shares = {str(rung.recipe.validation): rung.name for rung in self.rungs}
        if len(shares) > 1:
            told = ", ".join(f"{name} {share}" for share, name in shares.items())
            raise ConfigError(
                f"the rungs of ladder {self.name!r} differ in validation: {told}",
                expected="one validation share for all: gains are paired on the same images",
                fix="give their recipes the same validation",
            )
        seen: set[str] = set()
        for rung in self.rungs:
            if rung.name in seen or (rung.base is not None and rung.base not in seen):
                raise ConfigError(
                    f"rung {rung.name!r} of ladder {self.name!r} stands twice or before its base",
                    expected="rungs of different names, each after the one it is compared with",
                    fix="rename or reorder the rungs",
                )
            seen.add(rung.name)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(rung.name)}</td><td>{escape(rung.change)}</td>"
            f"<td>{escape(rung.base or '')}</td></tr>"
            for rung in self.rungs
        )
        return (
            f"<h4>{escape(self.title)} [{escape(self.data)}]</h4><table><thead><tr><th>rung</th>"
            f"<th>change</th><th>over</th></tr></thead><tbody>{rows}</tbody></table>"
        )

    def rung(self, name: str) -> Rung:
        """Return the rung of that name."""
        return next(rung for rung in self.rungs if rung.name == name)

    def under(self, protocol: Protocol) -> "Ladder":
        """Return the ladder with each recipe's validation as the protocol wants it.

        Raises:
            ConfigError: The article's protocol is asked of a ladder that follows no article.
        """
        if protocol == "sealed":
            return self
        validation = self.article_validation
        if validation is None:
            raise ConfigError(
                f"the ladder {self.name!r} follows no article",
                expected="--protocol sealed",
                fix="leave --protocol out",
            )
        return self.changed(lambda recipe: replace(recipe, validation=validation))

    def on(self, data: str) -> "Ladder":
        """Return the ladder on a data set; an article's accuracies hold on its own data alone."""
        if data == self.data:
            return self
        rungs = tuple(replace(rung, reference=None) for rung in self.rungs)
        return replace(self, data=data, rungs=rungs)

    def changed(self, change: Callable[[Recipe], Recipe]) -> "Ladder":
        """Return the ladder with `change` applied to every recipe."""
        rungs = tuple(replace(rung, recipe=change(rung.recipe)) for rung in self.rungs)
        return replace(self, rungs=rungs)

    def only(self, names: Sequence[str]) -> "Ladder":
        """Return the ladder with the named rungs.

        A rung whose base is left out is compared with that one's base, and so on down.

        Raises:
            UnknownNameError: A name is no rung's.
        """
        known = [rung.name for rung in self.rungs]
        for name in names:
            if name not in known:
                raise UnknownNameError("rung", name, known)
        rungs = tuple(
            replace(rung, base=self._base_among(rung, names))
            for rung in self.rungs
            if rung.name in names
        )
        return replace(self, rungs=rungs)

    def _base_among(self, rung: Rung, names: Sequence[str]) -> str | None:
        base = rung.base
        while base is not None and base not in names:
            base = self.rung(base).base
        return base
