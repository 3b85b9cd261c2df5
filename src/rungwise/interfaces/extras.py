"""Packages that only some verbs need: there, or an error that names the extra that brings them."""

import importlib.util

from rungwise.errors import UsageError


def require_extra(extra: str, packages: tuple[str, ...], what: str) -> None:
    """Check that the packages of an extra are installed, without importing them.

    Args:
        extra: Its name in `rungwise[...]`.
        packages: What has to be importable.
        what: What needs them, for the message.

    Raises:
        UsageError: One of them is absent.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"{what} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            "installed",
            expected=f"the extra {extra!r}",
            fix=f"pip install 'rungwise[{extra}]'",
        )
