import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch  # noqa: F401  # The library shares PyTorch's thread pool, which must be there first.

from rungwise.errors import Note
from rungwise.native import library

needs_compiler = pytest.mark.skipif(library.compiler() is None, reason="no C++ compiler here")

TINY = 'extern "C" int answer() { return 42; }\n'
OPENING = "import ctypes, sys; ctypes.CDLL(sys.argv[2])"
"""A trial of a library without kernels."""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Return the folders that may hold this user's libraries; neither is there yet."""
    monkeypatch.setenv("RUNGWISE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RUNGWISE_CXXFLAGS", raising=False)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(library.tempfile, "tempdir", str(temporary))
    user = f"user-{os.getuid()}"
    yield tmp_path / "home" / "kernels" / user, temporary / f"rungwise-{user}"
    left = [path.name for path in tmp_path.rglob("*.part")]
    assert left == []


@pytest.fixture
def home(places: tuple[Path, Path]) -> Path:
    return places[0]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a source of one line in the kernels' place, which compiles in no time."""
    source = tmp_path / "tiny.cpp"
    source.write_text(TINY)
    monkeypatch.setattr(library, "SOURCE", source)
    monkeypatch.setattr(library, "TRIAL", OPENING)
    return source


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the commands that are run, as they are."""
    commands: list[list[str]] = []
    start = subprocess.Popen

    def counted(command: list[str], **settings: Any) -> Any:
        commands.append(command)
        return start(command, **settings)

    monkeypatch.setattr(subprocess, "Popen", counted)
    return commands


def script(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return path


def answer_of(loaded: ctypes.CDLL | None) -> int:
    assert loaded is not None
    return int(loaded.answer())


# --- The compiler ---------------------------------------------------------------------------------


def test_without_a_compiler_there_is_no_library(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")

    assert library.compiler() is None
    with pytest.warns(Note, match="CXX is 'no-such-compiler', and there is no such program"):
        assert library.load() is None


def test_the_compiler_is_the_one_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = script(tmp_path / "mine", "exit 0")
    monkeypatch.setenv("CXX", str(named))

    assert library.compiler() == (str(named),)
    monkeypatch.setenv("CXX", f"{named} -m64 '-DX=a b'")
    assert library.compiler() == (str(named), "-m64", "-DX=a b")
    monkeypatch.setenv("CXX", f"{named} '")
    assert library.compiler() is None


def test_a_named_compiler_may_lie_in_a_folder_with_a_blank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my tools"
    folder.mkdir()
    named = script(folder / "mine", "exit 0")
    monkeypatch.setenv("CXX", str(named))

    assert library.compiler() == (str(named),)


def test_an_empty_name_of_a_compiler_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    gcc = script(tmp_path / "g++", "exit 0")

    assert library.compiler() == (str(gcc),)


def test_without_a_named_compiler_the_first_on_the_path_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert library.compiler() is None

    clang = script(tmp_path / "clang++", "exit 0")
    assert library.compiler() == (str(clang),)
    gcc = script(tmp_path / "g++", "exit 0")
    assert library.compiler() == (str(gcc),)


RUBBISH = 'for last; do :; done; echo rubbish > "$last"'


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("echo 'x.cpp:1: error: it is wrong' >&2", "echo more >&2", "exit 1"), "it is wrong"),
        (("exit 0",), "has written nothing"),
        ((RUBBISH,), "OSError"),
        (("kill -9 $$",), "was ended by SIGKILL"),
    ],
    ids=["that fails", "that writes nothing", "that writes rubbish", "that is killed"],
)
def test_a_bad_compiler_gives_no_library_but_a_note_and_is_not_asked_again_that_hour(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    commands: list[list[str]],
    lines: tuple[str, ...],
    why: str,
) -> None:
    monkeypatch.setenv("CXX", str(script(tmp_path / "bad", *lines)))

    with pytest.warns(Note, match=why):
        assert library.load() is None
    (remembered,) = home.iterdir()
    asked = len(commands)
    with pytest.warns(Note, match=f"remove {remembered} to try again"):
        assert library.load() is None
    assert len(commands) == asked

    earlier = time.time() - library.REMEMBERED_SECONDS - 60
    os.utime(remembered, (earlier, earlier))
    with pytest.warns(Note, match=why):
        library.load()
    assert len(commands) == 2 * asked


def test_a_compiler_that_hangs_is_given_up_soon_with_all_that_it_has_started(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The child holds the output open: who waits for that waits as long as the child lives.
    lines = (f"sleep 60 & echo $! > {tmp_path}/child", "wait")
    monkeypatch.setenv("CXX", str(script(tmp_path / "slow", *lines)))
    monkeypatch.setattr(library, "PROOF_SECONDS", 1.0)
    started = time.monotonic()

    with pytest.warns(Note, match="does not end within 1 s"):
        assert library.load() is None

    assert time.monotonic() - started < 20
    child = int((tmp_path / "child").read_text())
    status = Path(f"/proc/{child}/status")
    assert not status.exists() or "zombie" in status.read_text()


def test_a_compiler_has_less_time_for_a_line_than_a_person_waits_for() -> None:
    assert library.PROOF_SECONDS < 10


@needs_compiler
def test_options_of_the_environment_come_last(
    home: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_text('extern "C" int answer() { return ANSWER; }\n')
    monkeypatch.setenv("RUNGWISE_CXXFLAGS", "-DANSWER=7")
    assert answer_of(library.load()) == 7

    monkeypatch.setenv("RUNGWISE_CXXFLAGS", "-DANSWER=8 -O0")
    assert answer_of(library.load()) == 8


# --- The trial ------------------------------------------------------------------------------------


@needs_compiler
def test_a_library_that_ends_the_process_is_tried_in_another_one_and_not_used(
    home: Path, tiny: Path
) -> None:
    # An instruction that the processor does not have, as in a library of another machine.
    tiny.write_text(TINY + "__attribute__((constructor)) static void f() { __builtin_trap(); }\n")

    with pytest.warns(Note, match="was ended by SIG(ILL|TRAP)"):
        assert library.load() is None

    assert [path.suffix for path in home.iterdir()] == [".failed"]


@needs_compiler
def test_a_library_that_computes_wrongly_is_not_used(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "native"
    wrong.mkdir()
    for path in library.SOURCE.parent.iterdir():
        if path.suffix in (".h", ".cpp"):
            text = path.read_text().replace("/ 255.0f", "/ 128.0f")
            (wrong / path.name).write_text(text)
    monkeypatch.setattr(library, "SOURCE", wrong / library.SOURCE.name)
    monkeypatch.setenv("RUNGWISE_CXXFLAGS", "-O0")

    with pytest.warns(Note, match="the kernel to_unit gives wrong results"):
        assert library.load() is None


@needs_compiler
@pytest.mark.parametrize("executable", ["", "/usr/sbin/nginx", None])
def test_where_no_python_can_be_started_nothing_untried_is_used(
    home: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, executable: str | None
) -> None:
    monkeypatch.setattr(sys, "executable", executable)

    with pytest.warns(Note, match="no Python to try them in"):
        assert library.load() is None


# --- The cache ------------------------------------------------------------------------------------


@needs_compiler
def test_the_kernels_compile_and_are_tried_once_and_lie_in_the_cache(
    home: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = library.load()
    assert first is not None
    assert hasattr(first, "drop_f32") and hasattr(first, "drop_b16")
    (kept,) = home.iterdir()
    assert kept.suffix == ".so"
    assert len(commands) == 3  # A line of code, the kernels, the trial.

    second = library.load()

    assert second is not None
    assert list(home.iterdir()) == [kept]
    assert len(commands) == 3


@needs_compiler
@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077], ids=oct)
def test_nobody_else_may_write_a_library_or_its_folder(
    home: Path, tiny: Path, commands: list[list[str]], umask: int
) -> None:
    before = os.umask(umask)
    try:
        library.load()
        assert answer_of(library.load()) == 42
    finally:
        os.umask(before)

    (kept,) = home.iterdir()
    assert home.stat().st_mode & 0o777 == 0o700
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len(commands) == 3


@needs_compiler
@pytest.mark.parametrize("way", ["altered", "cut off", "empty", "others may write", "a link"])
def test_a_library_that_is_not_right_is_not_opened_but_made_again(
    home: Path, tiny: Path, tmp_path: Path, commands: list[list[str]], way: str
) -> None:
    library.load()
    (kept,) = home.iterdir()
    content = kept.read_bytes()
    if way in ("altered", "cut off", "empty"):
        kept.unlink()  # This process goes on using what it has opened.
    if way == "altered":
        kept.write_bytes(content[:-1] + b"!")
        kept.chmod(0o600)
    elif way == "cut off":
        kept.write_bytes(content[:1000])
        kept.chmod(0o600)
    elif way == "empty":
        kept.touch(0o600)
    elif way == "others may write":
        kept.chmod(0o666)
    else:
        kept.rename(tmp_path / "elsewhere.so")
        (tmp_path / "elsewhere.so").chmod(0o777)
        kept.symlink_to(tmp_path / "elsewhere.so")

    assert answer_of(library.load()) == 42
    assert len(commands) == 6
    assert answer_of(library.load()) == 42
    assert len(commands) == 6
    assert not kept.is_symlink() and kept.stat().st_mode & 0o777 == 0o600


@needs_compiler
@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to others")
@pytest.mark.parametrize("which", ["library", "folder"])
def test_what_belongs_to_another_user_is_not_opened(
    places: tuple[Path, Path], tiny: Path, commands: list[list[str]], which: str
) -> None:
    home, temporary = places
    library.load()
    (kept,) = home.iterdir()
    os.chown(kept if which == "library" else home, 12345, 12345)

    assert answer_of(library.load()) == 42
    assert len(commands) == 6
    if which == "library":
        assert kept.stat().st_uid == os.getuid()
    else:
        assert [path.suffix for path in temporary.iterdir()] == [".so"]


@needs_compiler
def test_a_folder_in_which_others_may_write_is_not_used(
    places: tuple[Path, Path], tiny: Path, commands: list[list[str]]
) -> None:
    home, temporary = places
    home.mkdir(parents=True)
    home.chmod(0o777)

    assert answer_of(library.load()) == 42

    assert list(home.iterdir()) == []
    assert [path.suffix for path in temporary.iterdir()] == [".so"]


@needs_compiler
def test_a_cache_that_cannot_be_written_leaves_the_library_beside_temporary_files(
    places: tuple[Path, Path], tiny: Path, commands: list[list[str]]
) -> None:
    home, temporary = places
    home.parents[1].write_text("a file where the folder should be")

    assert answer_of(library.load()) == 42
    assert answer_of(library.load()) == 42

    assert len(commands) == 3
    assert temporary.stat().st_mode & 0o777 == 0o700
    assert home.parents[1].read_text() == "a file where the folder should be"


@needs_compiler
def test_with_no_place_at_all_there_is_no_library_but_a_note(
    places: tuple[Path, Path], tiny: Path
) -> None:
    for place in places:
        place.mkdir(parents=True)
        place.chmod(0o777)

    with pytest.warns(Note, match="no folder is the user's alone"):
        assert library.load() is None


@needs_compiler
def test_two_first_starts_at_once_both_get_a_library(home: Path) -> None:
    code = (
        "import sys, torch\nfrom pathlib import Path\nfrom rungwise.native import library\n"
        f"library.SOURCE = Path(sys.argv[1])\nlibrary.TRIAL = {OPENING!r}\n"
        "print(library.load().answer())"
    )
    source = home.parents[2] / "tiny.cpp"
    source.write_text(TINY)
    command = [sys.executable, "-W", "error", "-c", code, str(source)]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    assert [start.communicate()[0] for start in starts] == ["42\n", "42\n"]
    assert {path.suffix for path in home.iterdir()} == {".so"}


@needs_compiler
def test_a_changed_source_is_compiled_anew(
    home: Path, tiny: Path, commands: list[list[str]]
) -> None:
    first = library.load()
    tiny.write_text(TINY.replace("42", "43"))

    second = library.load()

    assert (answer_of(first), answer_of(second)) == (42, 43)
    assert len(list(home.iterdir())) == 2
    assert len(commands) == 6


def test_the_key_names_source_options_compiler_c_library_and_processor(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNGWISE_CXXFLAGS", raising=False)
    compiler = script(tmp_path / "one", "exit 0")
    keys = [library._key(str(compiler))]
    assert library._key(str(compiler)) == keys[0]

    tiny.write_text(TINY + "\n")
    keys.append(library._key(str(compiler)))
    monkeypatch.setattr(library, "FLAGS", (*library.FLAGS, "-g"))
    keys.append(library._key(str(compiler)))
    keys.append(library._key(str(script(tmp_path / "other", "exit 0"))))
    monkeypatch.setenv("RUNGWISE_CXXFLAGS", "-march=x86-64-v3")
    keys.append(library._key(str(compiler)))
    monkeypatch.setattr(library, "_processor", lambda: "another processor")
    keys.append(library._key(str(compiler)))
    monkeypatch.setattr(os, "confstr", lambda _: "another C library")
    keys.append(library._key(str(compiler)))

    assert len(set(keys)) == 7


INTEL = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 143\nflags\t\t: avx2 amx_bf16\n"


def test_a_processor_is_known_by_what_it_is_and_can_not_by_its_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def of(text: str) -> str:
        monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
        return library._processor()

    one = of(f"{INTEL}cpu MHz\t\t: 2000.1\n\n{INTEL}cpu MHz\t\t: 3000.0\n")

    assert "amx_bf16" in one
    assert of(f"{INTEL}cpu MHz\t\t: 2500.0\n") == one
    assert of(INTEL.replace(" amx_bf16", "")) != one
    assert of(INTEL.replace("143", "207")) != one


def test_processors_are_told_apart_where_the_system_does_not_describe_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: Any, **__: Any) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)

    assert library._processor()
