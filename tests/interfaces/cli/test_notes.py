"""A note is one sentence on the command line, and the work goes on."""

import os
import subprocess
import sys
from pathlib import Path


def test_a_compiler_that_fails_is_a_note_and_no_line_of_code(tmp_path: Path) -> None:
    compiler = tmp_path / "compiler"
    compiler.write_text("#!/bin/sh\necho 'fatal error: no licence' >&2\nexit 1\n")
    compiler.chmod(0o755)
    environment = {**os.environ, "CXX": str(compiler), "RUNGWISE_HOME": str(tmp_path / "home")}
    options = ["--recipe", "dense", "--epochs", "1", "--out", str(tmp_path / "runs"), "--json"]

    done = subprocess.run(
        [sys.executable, "-m", "rungwise", "train", "digits", *options],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    (note,) = [line for line in done.stderr.splitlines() if "compiled operations" in line]
    assert note.startswith("note: training is slower")
    assert "fatal error: no licence" in note
    assert "Note:" not in done.stderr
