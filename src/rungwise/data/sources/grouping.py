"""What the sub-folders of class folders say of a folder: whether the classes are the right level.

Images in `cat/siamese/` count to `cat`. But where every class folder holds folders of the same
names, those may be the classes, or the class folders may be parts under other names.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from rungwise.data.names import class_name, printable
from rungwise.data.problems import EXAMPLES, Problem, listed
from rungwise.data.sources.listing import PART_NAMES

_WORDS_OF_PARTS = frozenset(
    (
        *PART_NAMES,
        *("dev", "devel", "eval", "evaluation", "heldout", "holdout"),
        *("trainset", "valset", "testset", "devset"),
    )
)


class SubFolders:
    """Counts the images of class folders, and those of their sub-folders.

    Args:
        root: The folder that is read.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._direct: Counter[str] = Counter()
        self._nested: dict[str, Counter[str]] = defaultdict(Counter)
        self._places: Counter[str] = Counter()

    def count(self, place: str, depth: int) -> None:
        """Count an image.

        Args:
            place: Its folder, relative to the root.
            depth: How many folders that is below the class folder.
        """
        pieces = Path(place).parts
        name = class_name(pieces[len(pieces) - 1 - depth])
        if depth:
            self._nested[name][pieces[len(pieces) - depth]] += 1
            self._places[place] += 1
        else:
            self._direct[name] += 1

    def problems(self, class_names: tuple[str, ...], *, is_flat: bool) -> Iterator[Problem]:
        """Yield what there is to report.

        Args:
            class_names: The classes.
            is_flat: Whether the class folders lie in the root, without parts.
        """
        if is_flat and (likely := self._likely_parts(class_names)):
            yield self._parts_by_other_names(likely)
        elif is_flat and self._parts_in_classes():
            yield self._parts_inside(class_names)
        elif len(shared := self._shared()) > 1 and not self._direct:
            yield self._shared_folders(shared)
        elif self._places:
            yield self._counted()

    def _shared(self) -> list[str]:
        """Return the names of the sub-folders that every class folder has."""
        if len(self._nested) < 2:
            return []
        return sorted(set.intersection(*map(set, self._nested.values())))

    def _likely_parts(self, class_names: tuple[str, ...]) -> list[str]:
        """Return the classes that are rather parts, such as `training_set` and `test_set`."""
        likely = [name for name in class_names if _names_a_part(name)]
        are_parts = not self._direct or len(likely) == len(class_names)
        return likely if len(likely) > 1 and are_parts else []

    def _parts_in_classes(self) -> bool:
        """Tell whether every class folder that has sub-folders has one for training."""
        parts = [{PART_NAMES.get(n.casefold()) for n in names} for names in self._nested.values()]
        return len(parts) > 1 and all("train" in found for found in parts)

    def _parts_by_other_names(self, likely: list[str]) -> Problem:
        return Problem(
            severity="error",
            kind="likely_parts",
            problem=f"{self._root} has class folders whose names are those of parts: "
            f"{listed(likely)}",
            expected="train/<class>/<image files> with val/ and test/ beside train/",
            fix="rename the parts to train, val and test; classes of such names have to be renamed",
            count=len(likely),
            examples=tuple(likely[:EXAMPLES]),
        )

    def _parts_inside(self, class_names: tuple[str, ...]) -> Problem:
        return Problem(
            severity="error",
            kind="parts_in_classes",
            problem=f"{self._root} has parts inside of the classes: "
            f"{listed(map(printable, self._places))}",
            expected="classes inside of the parts, such as train/cat/ and test/cat/",
            fix=f"move the images of {class_names[0]}/train/ into train/{class_names[0]}/, and so "
            "on; or write a table of files, labels and parts (.csv)",
            count=len(self._places),
            examples=tuple(map(printable, list(self._places)[:EXAMPLES])),
        )

    def _shared_folders(self, shared: list[str]) -> Problem:
        return Problem(
            severity="warning",
            kind="shared_sub_folders",
            problem=f"every class folder of {self._root} holds the same folders: "
            f"{listed(map(printable, shared))}; their images count to the folder above",
            expected="classes in the first level of folders",
            fix="if these are the classes, put their folders into the first level; else nothing "
            "must be done",
            count=len(shared),
            examples=tuple(map(printable, shared[:EXAMPLES])),
        )

    def _counted(self) -> Problem:
        places = [f"{printable(place)} ({count})" for place, count in self._places.items()]
        return Problem(
            severity="note",
            kind="sub_folders",
            problem=f"{self._places.total()} images lie in sub-folders of class folders and count "
            f"to the class: {listed(places)}",
            expected="image files in class folders",
            fix="nothing must be done if they belong to the class",
            count=self._places.total(),
            examples=tuple(places[:EXAMPLES]),
        )


def _names_a_part(name: str) -> bool:
    """Tell whether a name has a word for a part in it.

    >>> _names_a_part("seg_train"), _names_a_part("hold-out"), _names_a_part("trainer")
    (True, True, False)
    """
    words = re.findall("[a-z]+", name.casefold())
    return not _WORDS_OF_PARTS.isdisjoint([*words, "".join(words)])
