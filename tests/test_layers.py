"""The folders are the architecture: data flows one way."""

import ast
import itertools
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "rungwise"

LAYERS = (
    "errors",
    "extras",
    "forking",
    "host",
    "randomness",
    "storage",
    "json_text",
    "data",
    "native",
    "augment",
    "models",
    "techniques",
    "training",
    "prediction",
    "ladder",
    "bench",
    "report",
    "interfaces",
    "__main__",
)


def imported_layers(path: Path) -> set[str]:
    modules = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "rungwise":
            modules += [f"rungwise.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.append(node.module)
        elif isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
    parts = [module.split(".") for module in modules]
    return {names[1] for names in parts if names[0] == "rungwise" and len(names) > 1}


def layer_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_every_folder_and_module_is_a_layer() -> None:
    names = {layer_of(path) for path in SOURCE.rglob("*.py")} - {"__init__"}

    assert names == set(LAYERS)


def test_modules_import_only_from_their_own_layer_or_one_above() -> None:
    wrong = [
        f"{path.relative_to(SOURCE)} imports {imported}"
        for path in SOURCE.rglob("*.py")
        if layer_of(path) != "__init__"
        for imported in imported_layers(path)
        if imported in LAYERS and LAYERS.index(imported) > LAYERS.index(layer_of(path))
    ]

    assert wrong == []


def test_an_import_that_goes_up_is_seen(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("def f():\n    from rungwise.interfaces import cli\n\nimport rungwise.data\n")

    assert imported_layers(module) == {"interfaces", "data"}


def test_layers_are_named_once() -> None:
    assert all(first != second for first, second in itertools.combinations(LAYERS, 2))
