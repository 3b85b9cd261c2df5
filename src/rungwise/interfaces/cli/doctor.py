"""`rungwise doctor`: what this machine offers, and where the data lie."""

import os
import shutil
from pathlib import Path
from typing import Any

from rungwise.errors import DataError
from rungwise.interfaces.cli.options import Output
from rungwise.interfaces.cli.printing import print_json


def doctor(*, out: Path = Path("runs"), device: str = "auto", output: Output = Output()) -> None:
    """Print machine, threads, number formats, cache, data found and free disk.

    Args:
        out: Folder of all runs.
        device: auto, cpu, cuda or cuda:N.
    """
    facts = _facts(out, device)
    if output.json:
        print_json(facts)
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            print(name)
            for inner, told in value.items():
                print(f"  {inner:<14} {_words(told)}")
        else:
            print(f"{name:<16} {_words(value)}")


def _facts(out: Path, device: str) -> dict[str, Any]:
    from rungwise.data import CATALOG
    from rungwise.data.places import cache_folder
    from rungwise.ladder.environment import describe_environment
    from rungwise.training.device import choose_device

    runs = out.resolve()
    existing = next(path for path in (runs, *runs.parents) if os.access(path, os.F_OK))
    return {
        **describe_environment(choose_device(device)),
        "runs": str(runs),
        "runs_writable": os.access(existing, os.W_OK),
        "disk_free_gb": round(shutil.disk_usage(existing).free / 1e9, 1),
        "RUNGWISE_DATA": os.environ.get("RUNGWISE_DATA"),
        "cache": str(cache_folder("digits").parent),
        "data": {name: where(name) for name in CATALOG},
    }


def where(name: str) -> str:
    """Say where a named data set lies on this machine."""
    from rungwise.data import CATALOG, get

    if not CATALOG[name].origin.downloads():
        return "inside scikit-learn"
    try:
        return str(get(name, offline=True))
    except DataError:
        return f"not here; `rungwise data get {name}` downloads it"


def _words(value: Any) -> str:
    words = {None: "-", True: "yes", False: "no"}
    return words[value] if value is None or isinstance(value, bool) else str(value)
