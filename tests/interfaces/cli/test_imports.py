"""Asking for help must not cost the seconds that importing torch takes."""

import subprocess
import sys

CODE = """
import contextlib, io, sys
from rungwise.interfaces.cli.app import main

VERBS = ("", "climb", "train", "evaluate", "predict", "doctor", "list", "data", "data check",
         "show", "show model", "runs", "runs list", "runs remove", "report", "compare", "bench",
         "export")
for words in VERBS:
    sys.argv = ["rungwise", *words.split(), "--help"]
    with contextlib.redirect_stdout(io.StringIO()):
        main()
sys.argv = ["rungwise", "--version"]
main()
heavy = {"torch", "numpy", "scipy", "sklearn", "matplotlib", "pydantic", "PIL", "yaml"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_help_of_every_verb_imports_nothing_heavy() -> None:
    import rungwise

    process = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=600, check=True
    )

    assert process.stdout.split("\n") == [rungwise.__version__, "", ""]
