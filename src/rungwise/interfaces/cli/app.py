"""The command line: verbs, and errors turned into messages and exit codes."""

import sys
import warnings

from cyclopts import App, CycloptsError

from rungwise import __version__
from rungwise.errors import Note, RungwiseError, UsageError
from rungwise.interfaces.cli.bench import bench
from rungwise.interfaces.cli.climb import climb
from rungwise.interfaces.cli.compare import compare
from rungwise.interfaces.cli.data import data
from rungwise.interfaces.cli.doctor import doctor
from rungwise.interfaces.cli.evaluate import evaluate
from rungwise.interfaces.cli.export import export
from rungwise.interfaces.cli.interrupts import ending_at_ctrl_c
from rungwise.interfaces.cli.listing import list_names
from rungwise.interfaces.cli.predict import predict
from rungwise.interfaces.cli.report import report
from rungwise.interfaces.cli.runs import runs
from rungwise.interfaces.cli.serve import serve
from rungwise.interfaces.cli.show import show
from rungwise.interfaces.cli.streams import prepare_streams
from rungwise.interfaces.cli.train import train

app = App(
    name="rungwise",
    help="Train small-image classifiers one measured technique at a time.",
    version=__version__,
    result_action="return_none",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
)
for verb in (climb, train, evaluate, predict, export, serve, compare, report, doctor, bench):
    app.command(verb)
app.command(data)
app.command(runs)
app.command(list_names, name="list")
app.command(show)


def _told(error: CycloptsError) -> UsageError:
    """Put an error of the parser into our words, with the verb whose help tells more."""
    call = " ".join(("rungwise", *(error.command_chain or ())))
    return UsageError(
        str(error),
        expected=f"a verb, an argument or an option of `{call}`",
        fix=f"`{call} --help` shows them",
    )


def _show_notes() -> None:
    """Print our notes as a sentence, without the line of code that Python puts around it."""
    usual = warnings.formatwarning

    def sentence(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        if isinstance(message, Note):
            return f"note: {message}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = sentence


def main() -> None:
    """Run the command line and exit: 0 ok, 1 failure, 2 usage, 3 data, 130 or 143 interrupted."""
    prepare_streams()
    _show_notes()
    with ending_at_ctrl_c():
        try:
            try:
                app()
            finally:
                sys.stdout.flush()
        except RungwiseError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(error.exit_code)
        except CycloptsError as error:
            print(f"error: {_told(error)}", file=sys.stderr)
            sys.exit(2)
        except BrokenPipeError:
            sys.exit(0)  # The reader of a pipe such as `| head` has left: nobody is there to read.
