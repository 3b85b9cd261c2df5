"""The shared library of the kernels: compiled once for a processor and a user, kept in the cache.

    a library in the cache that is right → opened
    else: the compiler proves on a line of code that it works → compiles the kernels → a child
    process tries each of them → kept under a name that holds its checksum → opened

A library is right if its name holds the key of what it depends on and its content's checksum, and
if it and its folder belong to the user and nobody else may write them. Whatever cannot be done
leaves PyTorch's own operations in place, with a note; a failure is remembered for an hour.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from rungwise.data.places import home_folder
from rungwise.errors import Note

SOURCE = Path(__file__).with_name("kernels.cpp")
WIDE = ("-mprefer-vector-width=512",) if platform.machine() in ("x86_64", "AMD64") else ()
FLAGS = (
    *("-std=c++17", "-O3", "-march=native", *WIDE, "-fopenmp"),
    # Not -ffast-math, which would change how the whole process treats the smallest numbers.
    *("-fno-math-errno", "-fno-trapping-math", "-Wno-psabi", "-shared", "-fPIC"),
)
PROOF = 'extern "C" int answer() { return 42; }\n'
PROOF_SECONDS = 8.0
"""A compiler that takes longer for one line hangs; it takes a tenth of a second."""
COMPILE_SECONDS = 120.0
"""The kernels take 5 seconds of a processor that may be busy otherwise."""
TRIAL_SECONDS = 60.0
TRIAL = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from rungwise.native.trial import try_kernels; try_kernels(sys.argv[2])"
)
REMEMBERED_SECONDS = 3600.0
PROCESSOR = ("vendor_id", "cpu family", "model", "stepping", "flags")
PROCESSOR_ON_ARM = ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features")


class _Unusable(Exception):
    """Why there are no kernels."""


Command = tuple[str, ...]
"""A program's path, and words that stand before all others."""


def compiler() -> Command | None:
    """Return a C++ compiler: `$CXX`, or else c++, g++ or clang++; None without one.

    `$CXX` may have several words, such as `ccache g++`.
    """
    named = os.environ.get("CXX", "")
    for words in [_words(named)] if named else [("c++",), ("g++",), ("clang++",)]:
        if words and (path := shutil.which(words[0])):
            return path, *words[1:]
    return None


def _words(command: str) -> Command:
    if shutil.which(command):  # A path may have blanks.
        return (command,)
    try:
        return tuple(shlex.split(command))
    except ValueError:  # A quotation mark without its other half.
        return ()


def load() -> ctypes.CDLL | None:
    """Return the compiled library, compiled now if need be; None if that cannot be done.

    Warns (`Note`) if there is a compiler, or the user names one, and still no library. PyTorch has
    to be imported before: its thread pool is the one that the library shares.
    """
    if found := compiler():
        try:
            return _opened(found)
        except _Unusable as error:
            why = str(error)
    elif named := os.environ.get("CXX"):
        why = f"CXX is {named!r}, and there is no such program"
    else:
        return None
    text = f"training is slower: the compiled operations cannot be used, as {why}"
    warnings.warn(Note(text), stacklevel=2)
    return None


def _opened(found: Command) -> ctypes.CDLL:
    key = _key(found)
    for folder in _folders():
        for path in _right_libraries(folder, key):
            with contextlib.suppress(OSError):  # Such as a disk from which nothing may be executed.
                return ctypes.CDLL(str(path))
    _require_no_failure(key)
    try:
        return _kept(_compiled(found), key)
    except _Unusable as why:
        _remember(key, str(why))
        raise


# --- The cache ------------------------------------------------------------------------------------


def _folders() -> Iterator[Path]:
    """Yield where this user's libraries may lie: in the cache, or else beside temporary files.

    A folder that cannot be made, or in which somebody else may write, is left out.
    """
    user = f"user-{os.getuid()}" if hasattr(os, "getuid") else "user"
    temporary = Path(tempfile.gettempdir()) / f"rungwise-{user}"
    for folder in (home_folder() / "kernels" / user, temporary):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if _is_own(folder):
                yield folder


def _right_libraries(folder: Path, key: str) -> Iterator[Path]:
    """Yield the libraries in a folder that have this key, are whole and cannot be another's."""
    for path in sorted(folder.glob(f"{key}-*.so")):
        with contextlib.suppress(OSError):
            if _is_own(path) and path.stem == _stem(key, path.read_bytes()):
                yield path


def _is_own(path: Path) -> bool:
    """Return whether a file or folder is the user's, and nobody else may write it."""
    status = path.lstat()
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _stem(key: str, content: bytes) -> str:
    return f"{key}-{hashlib.sha256(content).hexdigest()[:32]}"


def _kept(content: bytes, key: str) -> ctypes.CDLL:
    """Return the library, tried and kept in the first folder where that can be done."""
    reasons = []
    for folder in _folders():
        try:
            return ctypes.CDLL(str(_tried(content, folder, key)))
        except OSError as error:
            reasons.append(f"{folder} cannot be used: {error.strerror or error}")
        except _Unusable as why:
            reasons.append(str(why))
    raise _Unusable("; ".join(dict.fromkeys(reasons)) or "no folder is the user's alone")


def _tried(content: bytes, folder: Path, key: str) -> Path:
    """Write a library, and give it its name once a child process has tried it where it lies."""
    path = folder / f"{_stem(key, content)}.so"
    handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        _try(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _remember(key: str, why: str) -> None:
    for folder in _folders():
        with contextlib.suppress(OSError):
            (folder / f"{key}.failed").write_text(why, encoding="utf-8")
            return


def _require_no_failure(key: str) -> None:
    """Raise what went wrong at most an hour ago; to wait for it again would be in vain."""
    for folder in _folders():
        path = folder / f"{key}.failed"
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime < REMEMBERED_SECONDS:
                why = path.read_text(encoding="utf-8", errors="replace")
                raise _Unusable(f"{why} (remove {path} to try again within the hour)")


# --- Compiling and trying -------------------------------------------------------------------------


def _compiled(found: Command) -> bytes:
    """Return the content of a new library."""
    with tempfile.TemporaryDirectory(prefix="rungwise-") as name:
        folder = Path(name)
        proof = folder / "proof.cpp"
        proof.write_text(PROOF, encoding="utf-8")
        for source, seconds in ((proof, PROOF_SECONDS), (SOURCE, COMPILE_SECONDS)):
            target = folder / f"{source.stem}.so"
            _run([*found, *_flags(), str(source), "-o", str(target)], seconds)
            if not target.exists():
                raise _Unusable(f"the compiler {found[0]} has written nothing")
        return target.read_bytes()


def _try(library: Path) -> None:
    """Run every kernel in a child process: what ends a process must not end this one.

    Raises:
        _Unusable: The child ends, or the kernels give wrong results.
    """
    python = sys.executable or ""
    # A program with Python inside, such as a web server, would not do what a Python does.
    if getattr(sys, "frozen", False) or not Path(python).name.lower().startswith("py"):
        raise _Unusable("there is no Python to try them in")
    _run([python, "-c", TRIAL, json.dumps([str(p) for p in sys.path]), str(library)], TRIAL_SECONDS)


def _run(command: Sequence[str], seconds: float) -> None:
    """Run a command, and end it with all that it has started when its time is over.

    Raises:
        _Unusable: It cannot be run, fails or takes longer.
    """
    with tempfile.TemporaryFile() as said:  # A pipe would be waited for as long as anyone holds it.
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise _Unusable(f"{command[0]} cannot be run: {error.strerror or error}") from None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise _Unusable(f"{command[0]} does not end within {seconds:g} s") from None
        finally:
            if process.poll() is None:
                _end(process)
        if code:
            said.seek(0)
            lines = said.read().decode(errors="replace").split("\n")
            raise _Unusable(f"{command[0]} {_outcome(code)} {_telling(lines)}".rstrip())


def _end(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _outcome(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}:"


def _telling(lines: Sequence[str]) -> str:
    """Return the line of an output that says most: the first error, or else the last line."""
    written = [line.strip() for line in lines if line.strip()]
    return next((line for line in written if " error: " in line), written[-1] if written else "")


# --- What a library depends on --------------------------------------------------------------------


def _flags() -> tuple[str, ...]:
    """Return the compiler's options; those of `$RUNGWISE_CXXFLAGS` come last, and so win."""
    return (*FLAGS, *shlex.split(os.environ.get("RUNGWISE_CXXFLAGS", "")))


def _key(found: Command) -> str:
    """Name what the library depends on: sources, options, compiler, C library and processor."""
    version = Path(found[0]).resolve()
    sources = [SOURCE, *sorted(SOURCE.parent.glob("*.h"))]
    texts = [path.read_text(encoding="utf-8") for path in sources]
    status = version.stat()
    parts = (texts, found[1:], _flags(), str(version), status.st_mtime, status.st_size, *_system())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _system() -> tuple[str, str]:
    """Return the C library's version and the processor with its abilities."""
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError):
        libc = platform.system()
    return libc, _processor()


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() + platform.machine()
    first = text.partition("\n\n")[0].splitlines()  # As the others are.
    names = (*PROCESSOR, *PROCESSOR_ON_ARM)
    return "\n".join(line for line in first if line.partition(":")[0].strip() in names)
