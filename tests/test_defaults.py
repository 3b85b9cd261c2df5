"""The engine names the dtype and the device of every tensor that it creates.

`torch.set_default_dtype` holds for a whole process, so a library that changed it for a moment would
change it under the host program's other threads: the engine must not depend on it at all.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "rungwise"
ROOMS = ("augment", "data", "models", "native", "prediction", "techniques", "training")
ALWAYS_WHOLE = {"arange", "randint", "randperm"}
"""Given whole numbers, they make int64 whatever the default dtype is."""
CREATING = {
    *("as_tensor", "empty", "eye", "full", "linspace", "ones"),
    *("rand", "randn", "scalar_tensor", "tensor", "zeros", *ALWAYS_WHOLE),
}


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "torch" and node.func.attr in CREATING:
                yield node


def unnamed(path: Path) -> list[str]:
    found = []
    for call in calls(path):
        assert isinstance(call.func, ast.Attribute)
        wanted = {"device"} if call.func.attr in ALWAYS_WHOLE else {"dtype", "device"}
        missing = wanted - {keyword.arg for keyword in call.keywords}
        if missing:
            found.append(f"line {call.lineno}: torch.{call.func.attr} without {sorted(missing)}")
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_every_tensor_is_created_with_a_dtype_and_a_device(room: str) -> None:
    files = sorted((SOURCE / room).rglob("*.py"))
    assert files

    assert {path.name: lines for path in files if (lines := unnamed(path))} == {}


def test_a_creation_without_them_is_found(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("import torch\ntorch.zeros(3)\ntorch.randperm(3, device='cpu')\n")

    assert unnamed(path) == ["line 2: torch.zeros without ['device', 'dtype']"]
