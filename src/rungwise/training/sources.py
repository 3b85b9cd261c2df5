"""The source of what a recipe uses that is not the package's own, and the values it works with.

The settings of an augmentation of your own do not say what its code does. So its source belongs to
the key of a run: where the code was changed, what was trained before is not found again. The same
source may do several things: `make(0.5)` may return another class than `make(1.0)`. So the values
that its functions see belong to the key, too.

    class  ->  its module and those of its bases  ->  modules beside them that these have imported
           ->  what its functions see: class attributes, defaults, enclosing functions, the module
"""

import ast
import contextlib
import dataclasses
import dis
import hashlib
import sys
import uuid
import warnings
import weakref
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeGuard

import numpy as np
import torch

PROCESS = uuid.uuid4().hex
"""Stands in keys for source that cannot be read: another process has another one."""
INSTALLED = ("site-packages", "dist-packages")

_known: weakref.WeakKeyDictionary[type, list[str]] = weakref.WeakKeyDictionary()
"""Read once for each class, since a file that is changed later is not the code that runs."""


def own_sources(parts: Iterable[Any]) -> list[str]:
    """Return digests of the source of every class in `parts` that is not the package's own.

    Args:
        parts: Components and plain values, also in tuples and in each other's settings.

    Returns:
        Sorted; empty where all are the package's own.
    """
    classes = {kind for part in parts for kind in _classes_in(part)}
    own = [kind for kind in classes if not _is_ours(kind)]
    return sorted({digest for kind in own for digest in (*_digests(kind), *_values(kind))})


def _classes_in(value: Any) -> Iterator[type]:
    if isinstance(value, tuple | list):
        for element in value:
            yield from _classes_in(element)
    elif dataclasses.is_dataclass(value):
        yield type(value)
        for item in dataclasses.fields(value):
            yield from _classes_in(getattr(value, item.name))


def _is_ours(kind: type) -> bool:
    return _top(kind.__module__) == _top(__name__)


def _top(module: str) -> str:
    return module.partition(".")[0]


def _digests(kind: type) -> list[str]:
    if kind in _known:
        return _known[kind]
    modules, unread = _modules_of(kind), []
    digests = [_digest(kind.__qualname__.encode())]
    for name in sorted(modules):
        content = _content(name)
        if content is None:
            unread.append(name)
            content = _live(name, kind)
        digests.append(_digest(content))
    if unread:
        warnings.warn(
            f"the source of {kind.__qualname__} cannot be read: {', '.join(unread)} is no file. "
            "Its runs are found again in this process only. Define it in a .py file and import "
            "it, and they are found again as long as that file stays the same",
            stacklevel=2,
        )
    else:
        _known[kind] = digests
    return digests


def _values(kind: type) -> list[str]:
    """Return a digest of the values that a class's functions see; none where they see none."""
    bases = [base for base in kind.__mro__ if not _is_ours(base) and not _is_standard(base)]
    attributes = [
        (base.__qualname__, name, _told(value))
        for base in bases
        for name, value in sorted(vars(base).items())
        if not name.startswith("__") and _is_plain(value)
    ]
    functions = [one for base in bases for one in _functions(base) if _is_function(one)]
    visible = sorted({text for one in functions for text in _visible(one, set())})
    return [_digest(repr((attributes, visible)).encode())] if attributes or visible else []


def _is_standard(kind: type) -> bool:
    return _top(kind.__module__) in sys.stdlib_module_names


def _is_function(value: Any) -> TypeGuard[FunctionType]:
    return isinstance(value, FunctionType)


def _visible(function: FunctionType, seen: set[int]) -> Iterator[str]:
    """Yield what a function sees: defaults, variables around it, constants of its module."""
    if id(function) in seen:
        return
    seen.add(id(function))
    codes = list(_codes(function))
    changed = {
        one.argval
        for code in codes
        for one in dis.get_instructions(code)
        if one.opname == "STORE_GLOBAL"  # a counter, say
    }
    around = _around(function)
    named = {**(function.__kwdefaults__ or {}), "defaults": list(function.__defaults__ or ())}
    for name in {name for code in codes for name in code.co_names} - changed:
        value = function.__globals__.get(name)
        if not name.startswith("__") and name in function.__globals__ and _is_plain(value):
            yield f"{name} = {_told(value)}"
    for name, value in {**around, **named}.items():
        if _is_function(value):
            yield from _visible(value, seen)
        elif (text := _told(value)) not in ("", "[]"):
            yield f"{function.__qualname__}: {name} = {text}"


def _around(function: FunctionType) -> dict[str, Any]:
    """Return the variables of enclosing functions that a function uses, as far as they are set."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # it is still empty
            found[name] = cell.cell_contents
    return found


def _told(value: Any) -> str:
    """Return a text that is the same for the same values in any process; of objects none."""
    if isinstance(value, torch.Tensor):
        held = value.detach().cpu().reshape(-1).contiguous()  # NumPy has no bfloat16
        return f"{value.dtype} {value.shape} {_digest(held.view(torch.uint8).numpy().tobytes())}"
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        return f"{value.dtype} {value.shape} {_digest(value.tobytes())}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_told, value))}]"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(_told, value)))}}}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_told(key)}: {_told(one)}' for key, one in value.items())}}}"
    return repr(value) if _is_plain(value) else ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _modules_of(kind: type) -> set[str]:
    """Return the names of the modules that say what a class does."""
    bases = {base.__module__ for base in kind.__mro__ if not _is_ours(base)}
    found = {name for name in bases if _top(name) not in sys.stdlib_module_names}
    found.add(kind.__module__)
    root, waiting = _root(kind.__module__), list(found)
    while waiting:
        module = waiting.pop()
        if not _is_near(module, kind, root):
            continue
        new = {name for name in _used_by(module) - found if _is_near(name, kind, root)}
        found |= new
        waiting += new
    return found


def _used_by(name: str) -> set[str]:
    """Return the names of the modules that a module imports, wherever it does."""
    content = _content(name)
    if content is None:
        values = vars(sys.modules[name]).values() if name in sys.modules else ()
        return {place for value in values if (place := _defined_in(value))}
    try:
        nodes = list(ast.walk(ast.parse(content)))
    except (SyntaxError, ValueError):  # it is compiled
        return set()
    package = name if _is_package(name) else name.rpartition(".")[0]
    used = {one.name for node in nodes if isinstance(node, ast.Import) for one in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*parents, *filter(None, [node.module])])
            used |= {base, *(f"{base}.{one.name}" for one in node.names)}
    return {name for name in used if _file(name)}


def _is_package(name: str) -> bool:
    file = _file(name)
    return file is not None and file.stem == "__init__"


def _defined_in(value: Any) -> str | None:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return name if isinstance(name, str) else None


def _root(name: str) -> Path:
    """Return the folder from which a module's outermost package was imported."""
    file = _file(name)
    if file is None:
        return Path.cwd()
    return file.parents[min(name.count(".") + _is_package(name), len(file.parents) - 1)]


def _is_near(name: str, kind: type, root: Path) -> bool:
    """Whether a module belongs to the code that a class was written with."""
    if _top(name) == _top(__name__) or _top(name) in sys.stdlib_module_names:
        return False
    if _top(name) == _top(kind.__module__):
        return True
    file = _file(name)
    return file is not None and file.is_relative_to(root) and not set(INSTALLED) & set(file.parts)


def _file(name: str) -> Path | None:
    """Return the file of a module, also of one beside loaded ones that is not loaded yet."""
    parent = name.rpartition(".")[0]
    if name in sys.modules:
        path = getattr(sys.modules[name], "__file__", None)
    elif parent and not hasattr(sys.modules.get(parent), "__path__"):
        path = None
    else:
        spec = find_spec(name) if name else None
        path = spec.origin if spec and spec.has_location else None
    return Path(path).absolute() if path else None


def _content(name: str) -> bytes | None:
    """Return a module's file; None where there is none that says what its classes do."""
    file = None if _top(name) in sys.stdlib_module_names else _file(name)
    try:
        return file.read_bytes() if file else None
    except OSError:
        return None


def _live(name: str, kind: type) -> bytes:
    """Return what can be seen of a module without a file, such as a notebook, in this process."""
    values = vars(sys.modules[name]) if name in sys.modules else {}
    own = {place: value for place, value in values.items() if _defined_in(value) == name}
    used = {word for value in own.values() for code in _codes(value) for word in code.co_names}
    plain = {
        place: repr(values[place]) for place in used & values.keys() if _is_plain(values[place])
    }
    seen = {place: _seen(value) for place, value in own.items()}
    return repr((PROCESS, _seen(kind), sorted(seen.items()), sorted(plain.items()))).encode()


def _seen(value: Any) -> list[str]:
    """Return what a function or a class holds: code, defaults and plain values."""
    if isinstance(value, FunctionType):
        return [repr((_written(value.__code__), value.__defaults__, value.__kwdefaults__))]
    if isinstance(value, type):
        plain = [repr(one) for one in vars(value).items() if _is_plain(one[1])]
        return plain + [text for member in _functions(value) for text in _seen(member)]
    return []


def _written(code: CodeType) -> tuple[Any, ...]:
    """Return a function's instructions, whatever line they stand on."""
    constants = [_written(one) if isinstance(one, CodeType) else one for one in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, constants


def _functions(kind: type) -> list[Any]:
    """Return the methods of a class as plain functions."""
    members = vars(kind).values()
    return [getattr(one, "__func__", getattr(one, "fget", one)) for one in members]


def _codes(value: Any) -> Iterator[CodeType]:
    """Yield the code of a function, or of a class's methods, and of functions inside them."""
    if isinstance(value, type):
        for member in _functions(value):
            yield from _codes(member)
        return
    code = value.__code__ if isinstance(value, FunctionType) else value
    if isinstance(code, CodeType):
        yield code
        for inner in code.co_consts:
            yield from _codes(inner)


def _is_plain(value: Any) -> bool:
    """Tell whether a value can hardly change by itself, as a list that is filled in use does."""
    return value is None or isinstance(
        value, bool | int | float | complex | str | bytes | tuple | frozenset
    )
