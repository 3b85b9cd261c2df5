"""The shared library of the kernels: compiled once on each machine, kept in the cache folder."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from rungwise.data.places import home_folder
from rungwise.errors import StorageError
from rungwise.storage import replacing

SOURCE = Path(__file__).with_name("kernels.cpp")
WIDE = ("-mprefer-vector-width=512",) if platform.machine() in ("x86_64", "AMD64") else ()
FLAGS = (
    *("-std=c++17", "-O3", "-march=native", *WIDE, "-fopenmp"),
    # Not -ffast-math, which would change how the whole process treats the smallest numbers.
    *("-fno-math-errno", "-fno-trapping-math", "-Wno-psabi", "-shared", "-fPIC"),
)
COMPILE_SECONDS = 120.0


def compiler() -> str | None:
    """Return the path of a C++ compiler: `$CXX`, or else c++, g++ or clang++; None without one."""
    names = [os.environ["CXX"]] if "CXX" in os.environ else ["c++", "g++", "clang++"]
    return next((path for name in names if (path := shutil.which(name))), None)


def load() -> ctypes.CDLL | None:
    """Return the compiled library, compiled now if this machine has not done so; None if it cannot.

    PyTorch has to be imported before: its thread pool is the one that the library shares.
    """
    found = compiler()
    if found is None:
        return None
    try:
        return _opened(found)
    except (OSError, subprocess.SubprocessError):
        return None


def _opened(found: str) -> ctypes.CDLL:
    library = home_folder() / "kernels" / f"{_key(found)}.so"
    if library.exists():
        return ctypes.CDLL(str(library))
    try:
        with replacing(library) as target:  # Not kept unless it can be opened.
            return _compile(found, target)
    except StorageError:  # A cache that cannot be written: compile for this process alone.
        with tempfile.TemporaryDirectory(prefix="rungwise-") as folder:
            return _compile(found, Path(folder) / library.name)


def _compile(found: str, target: Path) -> ctypes.CDLL:
    command = [found, *FLAGS, str(SOURCE), "-o", str(target)]
    subprocess.run(command, check=True, capture_output=True, timeout=COMPILE_SECONDS)
    return ctypes.CDLL(str(target))


def _key(found: str) -> str:
    """Name what the library depends on: sources, flags, compiler and the processor's abilities."""
    version = Path(found).resolve()
    sources = [SOURCE, *sorted(SOURCE.parent.glob("*.h"))]
    texts = [path.read_text(encoding="utf-8") for path in sources]
    parts = (texts, FLAGS, str(version), version.stat().st_mtime)
    return hashlib.sha256(repr((*parts, _processor())).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() + platform.machine()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
