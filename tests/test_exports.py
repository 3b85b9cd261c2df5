"""The names of `import rungwise`: all there, and none of them costs the import anything."""

import subprocess
import sys

import pytest

import rungwise

CODE = """
import sys
import rungwise
dir(rungwise)
heavy = {"torch", "numpy", "scipy", "sklearn", "matplotlib", "pydantic", "PIL", "yaml"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_every_public_name_can_be_imported_and_is_listed() -> None:
    assert set(rungwise.__all__) <= set(dir(rungwise))
    for name in rungwise.__all__:
        assert getattr(rungwise, name).__name__ == name


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'clim'"):
        rungwise.clim  # noqa: B018


def test_importing_rungwise_imports_nothing_heavy() -> None:
    process = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=600, check=True
    )

    assert process.stdout == "\n"
