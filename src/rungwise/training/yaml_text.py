"""YAML as people write it, read within limits.

PyYAML takes any depth until Python's stack is full, lets an alias stand for a million values, and
makes a number of any length. A recipe needs none of that.
"""

import re
from collections import Counter
from typing import Any

import yaml

from rungwise.errors import ConfigError

MOST_CHARACTERS = 100_000
MOST_VALUES = 5_000
"""A value that an alias repeats counts each time."""
MOST_DEPTH = 20
MOST_DIGITS = 40

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MERGE = "tag:yaml.org,2002:merge"

_NO_SUCH_VALUE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What PyYAML raises where a text is no value of its tag, such as `2024-13-45` or `!!int x`."""


class _Loader(yaml.SafeLoader):
    """YAML as people write it: `1e-3` is a number, and a key that stands twice is a mistake."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = self._characters = 0
        self._sizes: dict[yaml.Node, tuple[int, int]] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, and count what it unpacks to before anything is made of it."""
        before = self._values, self._characters
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        is_alias = self.check_event(yaml.AliasEvent)
        self._depth += 1
        self._require(self._depth <= MOST_DEPTH, f"nested more than {MOST_DEPTH} deep", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is None:
            return None
        if is_alias:
            self._require(node in self._sizes, "a value that holds itself", mark)
            values, characters = self._sizes[node]
        else:
            values, characters = 1, len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        self._values += values
        self._characters += characters
        self._require(self._values <= MOST_VALUES, f"more than {MOST_VALUES:,} values", mark)
        few = self._characters <= MOST_CHARACTERS
        self._require(few, f"more than {MOST_CHARACTERS:,} characters", mark)
        short = node.tag not in _NUMBERS or len(node.value) <= MOST_DIGITS
        self._require(short, f"a number of more than {MOST_DIGITS} digits", mark)
        self._sizes.setdefault(node, (self._values - before[0], self._characters - before[1]))
        return node

    def _require(self, is_so: bool, otherwise: str, mark: yaml.Mark) -> None:
        if not is_so:
            raise yaml.composer.ComposerError(None, None, otherwise, mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Construct a mapping, and refuse a key that stands twice."""
        keys = [self.construct_object(key, True) for key, _ in node.value if key.tag != _MERGE]
        counts = Counter(map(str, keys))
        twice = sorted(key for key in counts if counts[key] > 1)
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {', '.join(twice)} stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


class Dumper(yaml.SafeDumper):
    """Puts a text that is read as a number, such as the name `1e5`, in quotes."""


for _side in (_Loader, Dumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
        list("-+.0123456789"),
    )


def read_yaml(text: str, place: str) -> Any:
    """Return the plain value of a YAML text.

    Raises:
        ConfigError: The text is not YAML, or exceeds a limit; names the line.
    """
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(
            f"{place} has {len(text):,} characters",
            expected=f"at most {MOST_CHARACTERS:,}; a recipe has about 1,000",
            fix="give the recipe's own file",
        )
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, *_NO_SUCH_VALUE) as error:
        raise ConfigError(
            f"{place} is not valid YAML: {' '.join(str(error).split())}",
            expected="keys and values, indented with spaces",
            fix="mend the line that is named",
        ) from None
