"""The environment that Keras and TensorFlow run in, apart from ours."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rungwise.data.places import home_folder
from rungwise.errors import RungwiseError, UsageError
from rungwise.storage import write_text

REQUIREMENTS = ("keras==3.15.1", "tensorflow-cpu==2.21.0")
COMPLETE = "complete.txt"
"""Written last, with the requirements that are installed."""


def default_folder() -> Path:
    """Return where the environment is made: beside the data sets in the cache."""
    return home_folder() / "peers" / "keras"


def find_python(folder: Path) -> Path:
    """Return the interpreter of a virtual environment.

    Raises:
        UsageError: The folder holds none.
    """
    for place in ("bin/python", "Scripts/python.exe"):
        if (folder / place).exists():
            return folder / place
    raise UsageError(
        f"{folder} is no virtual environment",
        expected="a folder that `python -m venv` has made",
        fix=f"make one and install {' '.join(REQUIREMENTS)} in it, or leave --peers out",
    )


def prepare(folder: Path, *, offline: bool, tell: Callable[[str], None]) -> Path:
    """Return the environment's interpreter; make the environment if it is not complete.

    Raises:
        RungwiseError: It has to be made, and that is forbidden or fails.
    """
    done = folder / COMPLETE
    wanted = "\n".join(REQUIREMENTS)
    if done.exists() and done.read_text() == wanted:
        return find_python(folder)
    if offline:
        raise _missing(folder, "--offline was given")
    tell(f"installing {' and '.join(REQUIREMENTS)} in {folder}, once; this takes minutes")
    _run([sys.executable, "-m", "venv", "--clear", str(folder)], folder)
    _run([str(find_python(folder)), "-m", "pip", "install", "--quiet", *REQUIREMENTS], folder)
    write_text(done, wanted)
    return find_python(folder)


def _run(command: list[str], folder: Path) -> None:
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        lines = (process.stderr or process.stdout).strip().split("\n")
        raise _missing(folder, lines[-1])


def _missing(folder: Path, reason: str) -> RungwiseError:
    return RungwiseError(
        f"the environment of Keras and TensorFlow could not be made in {folder}: {reason}",
        expected=f"a way to install {' and '.join(REQUIREMENTS)}",
        fix="run it once with a network; or name an environment that has both with --peers "
        "FOLDER; or leave Keras out with --contestants rungwise,rungwise-float32,torch-eager",
    )
