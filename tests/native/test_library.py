import ctypes
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch  # noqa: F401  # The library shares PyTorch's thread pool, which must be there first.

from rungwise.native import library

needs_compiler = pytest.mark.skipif(library.compiler() is None, reason="no C++ compiler here")

TINY = 'extern "C" int answer() { return 42; }\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNGWISE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a source of one line in the kernels' place, which compiles in no time."""
    source = tmp_path / "tiny.cpp"
    source.write_text(TINY)
    monkeypatch.setattr(library, "SOURCE", source)
    return source


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the commands that were run, as they are."""
    commands: list[list[str]] = []
    run = subprocess.run

    def counted(command: list[str], **settings: Any) -> Any:
        commands.append(command)
        return run(command, **settings)

    monkeypatch.setattr(subprocess, "run", counted)
    return commands


def script(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return path


def test_without_a_compiler_there_is_no_library(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")

    assert library.compiler() is None
    assert library.load() is None


def test_the_compiler_is_the_one_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = script(tmp_path / "mine", "exit 0")
    monkeypatch.setenv("CXX", str(named))

    assert library.compiler() == str(named)


def test_without_a_named_compiler_the_first_on_the_path_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert library.compiler() is None

    clang = script(tmp_path / "clang++", "exit 0")
    assert library.compiler() == str(clang)
    gcc = script(tmp_path / "g++", "exit 0")
    assert library.compiler() == str(gcc)


@pytest.mark.parametrize(
    "lines", [("echo wrong >&2", "exit 1"), ("exit 0",)], ids=["that fails", "that writes nothing"]
)
def test_a_bad_compiler_gives_no_library_and_leaves_nothing_half_done(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CXX", str(script(tmp_path / "bad", *lines)))

    assert library.load() is None
    assert [path for path in (home / "kernels").iterdir() if path.suffix == ".part"] == []


def test_a_compiler_that_never_ends_is_given_up(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(script(tmp_path / "slow", "exec sleep 60")))
    monkeypatch.setattr(library, "COMPILE_SECONDS", 0.1)

    assert library.load() is None


@needs_compiler
def test_the_kernels_compile_once_and_lie_in_the_cache(
    home: Path, compilations: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = library.load()
    assert first is not None
    assert hasattr(first, "drop_f32") and hasattr(first, "drop_b16")
    (kept,) = (home / "kernels").iterdir()
    assert kept.suffix == ".so"
    assert len(compilations) == 1

    def fail(*_: Any, **__: Any) -> None:
        pytest.fail("compiled again")

    monkeypatch.setattr(subprocess, "run", fail)
    second = library.load()

    assert second is not None
    assert list((home / "kernels").iterdir()) == [kept]


@needs_compiler
def test_a_cache_that_cannot_be_written_still_gives_a_library(
    home: Path, tiny: Path, compilations: list[list[str]]
) -> None:
    home.write_text("a file where the folder should be")

    loaded = library.load()

    assert isinstance(loaded, ctypes.CDLL)
    assert loaded.answer() == 42
    assert home.read_text() == "a file where the folder should be"


@needs_compiler
def test_a_changed_source_is_compiled_anew(
    home: Path, tiny: Path, compilations: list[list[str]]
) -> None:
    first = library.load()
    tiny.write_text(TINY.replace("42", "43"))

    second = library.load()

    assert first is not None and second is not None
    assert (first.answer(), second.answer()) == (42, 43)
    assert len(compilations) == len(list((home / "kernels").iterdir())) == 2


def test_the_key_names_source_flags_compiler_and_processor(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = script(tmp_path / "one", "exit 0")
    keys = [library._key(str(compiler))]
    assert library._key(str(compiler)) == keys[0]

    tiny.write_text(TINY + "\n")
    keys.append(library._key(str(compiler)))
    monkeypatch.setattr(library, "FLAGS", (*library.FLAGS, "-g"))
    keys.append(library._key(str(compiler)))
    keys.append(library._key(str(script(tmp_path / "other", "exit 0"))))
    monkeypatch.setattr(library, "_processor", lambda: "another processor")
    keys.append(library._key(str(compiler)))

    assert len(set(keys)) == 5


def test_processors_are_told_apart_where_the_system_does_not_describe_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: Any, **__: Any) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)

    assert library._processor()
