"""The environment of Keras: found, made, or told how to make; nothing is installed here."""

import subprocess
from pathlib import Path

import pytest

from rungwise.bench import peers_environment
from rungwise.bench.peers_environment import COMPLETE, REQUIREMENTS, default_folder, find_python
from rungwise.errors import RungwiseError, UsageError


def prepare(folder: Path, offline: bool = False) -> Path:
    return peers_environment.prepare(folder, offline=offline, tell=lambda line: None)


def environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    return python


def test_it_lies_in_the_cache(isolated_home: Path) -> None:
    assert default_folder() == isolated_home / "peers" / "keras"


def test_a_complete_one_is_used(tmp_path: Path) -> None:
    python = environment(tmp_path)
    (tmp_path / COMPLETE).write_text("\n".join(REQUIREMENTS))

    assert prepare(tmp_path, offline=True) == python


def test_offline_nothing_is_installed(tmp_path: Path) -> None:
    environment(tmp_path)

    with pytest.raises(RungwiseError, match="--offline was given"):
        prepare(tmp_path, offline=True)


def test_a_failed_installation_tells_why_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: list[str], **settings: object) -> subprocess.CompletedProcess[str]:
        environment(tmp_path / "peers") if "venv" in command else None
        failed = "pip" in command
        return subprocess.CompletedProcess(command, int(failed), "", "retrying\nno route to host\n")

    monkeypatch.setattr(subprocess, "run", fail)

    with pytest.raises(RungwiseError, match=r"no route to host\n(.|\n)*--peers FOLDER"):
        prepare(tmp_path / "peers")
    assert not (tmp_path / "peers" / COMPLETE).exists()


def test_a_made_one_is_marked_as_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def succeed(command: list[str], **settings: object) -> subprocess.CompletedProcess[str]:
        commands.append(command[1:3])
        environment(tmp_path / "peers") if "venv" in command else None
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", succeed)

    assert prepare(tmp_path / "peers") == prepare(tmp_path / "peers")
    assert commands == [["-m", "venv"], ["-m", "pip"]]


def test_a_folder_without_an_interpreter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no virtual environment"):
        find_python(tmp_path)
