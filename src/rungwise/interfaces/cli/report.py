"""`rungwise report`: draw a climb's page again."""

from pathlib import Path

from rungwise.interfaces.cli.options import Switch
from rungwise.interfaces.cli.printing import print_json


def report(folder: Path, /, *, json: Switch = False) -> None:
    """Draw a climb's page, pictures and tables again from its records; nothing is trained.

    The data set's own images are shown where it is on this machine and unchanged.

    Args:
        folder: A climb's folder, such as runs/climbs/digits-digits-sealed-0123ab.
        json: Print the result as one JSON value on stdout.
    """
    from rungwise.report.climb_page import write_climb_report

    path = write_climb_report(folder).resolve()
    if json:
        print_json({"report": str(path)})
    else:
        print(path)
