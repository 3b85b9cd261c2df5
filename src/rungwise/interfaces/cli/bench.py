"""`rungwise bench`: how fast this machine trains the articles' nets, alone and beside peers."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rungwise.errors import UsageError
from rungwise.interfaces.cli.options import Switch, WatchedOutput
from rungwise.interfaces.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rungwise.bench.contestants import Contestant
    from rungwise.bench.nets import BenchNet
    from rungwise.bench.quick import QuickResult
    from rungwise.bench.result import BenchResult

REPEATS = 5


def bench(
    *,
    quick: Switch = False,
    nets: str = "",
    contestants: str = "",
    repeats: int | None = None,
    peers: Path | None = None,
    offline: Switch = False,
    out: Path | None = None,
    output: WatchedOutput = WatchedOutput(),
) -> None:
    """Measure training speed on the processor: with --quick ours alone, else beside peers.

    The peers are Keras on TensorFlow and plain PyTorch. Keras gets an environment of its own,
    which is made when it is first needed. `OMP_NUM_THREADS` sets the threads of all.

    Args:
        quick: Measure our engine, this machine's matrix products, start-up and memory, in about a
            minute or two.
        nets: These alone, such as A-cnn,B-deep; by default all.
        contestants: These alone, such as rungwise,torch-eager; by default all.
        repeats: Rounds that count, each contestant once in each; by default 5.
        peers: A virtual environment that holds Keras and TensorFlow.
        offline: Never install the peers' environment.
        out: Write all that was measured to this file, as JSON.
    """
    from rungwise.bench.nets import choose_nets

    tell = _silent if output.quiet else _tell
    chosen = choose_nets(_words(nets))
    result: QuickResult | BenchResult
    if quick:
        _refuse(contestants=contestants, repeats=repeats, peers=peers, offline=offline)
        result = _quick(chosen, out, tell)
    else:
        rounds = _counted(REPEATS if repeats is None else repeats)
        rivals = _contestants(_words(contestants), peers, offline, tell)
        result = _full(chosen, rivals, rounds, out, tell)
    if output.json:
        print_json(result.to_dict())
    else:
        _print(result)


def _quick(
    nets: "list[BenchNet]", out: Path | None, tell: "Callable[[str], None]"
) -> "QuickResult":
    from rungwise.bench import quick

    machine = _machine()
    result = quick.measure(nets, machine, _now(), machine["threads"], tell)
    _write(out, result)
    return result


def _full(
    nets: "list[BenchNet]",
    contestants: "list[Contestant]",
    repeats: int,
    out: Path | None,
    tell: "Callable[[str], None]",
) -> "BenchResult":
    from rungwise.bench.result import BenchResult
    from rungwise.bench.rounds import Pace, hold_contest

    machine = _machine()
    result = BenchResult(machine=machine, date=_now(), repeats=repeats)
    for net in nets:
        found = hold_contest(net.name, contestants, repeats, machine["threads"], Pace(), tell)
        result = result.adding(found)
        _write(out, result)
    return result


def _contestants(
    names: list[str], peers: Path | None, offline: bool, tell: "Callable[[str], None]"
) -> "list[Contestant]":
    from rungwise.bench import peers_environment
    from rungwise.bench.contestants import choose_names, make_contestants, needs_keras

    chosen = choose_names(names)
    python = None
    if peers is not None:
        python = peers_environment.find_python(peers)
    elif needs_keras(chosen):
        folder = peers_environment.default_folder()
        python = peers_environment.prepare(folder, offline=offline, tell=tell)
    return make_contestants(chosen, python)


def _refuse(**given: object) -> None:
    """Refuse options that have no effect beside --quick."""
    for name, value in given.items():
        if value:
            raise UsageError(
                f"--{name} was given with --quick",
                expected="--quick alone, or with --nets and --out: it has no peers and no rounds",
                fix=f"leave out --{name} or --quick",
            )


def _counted(repeats: int) -> int:
    if repeats < 1:
        raise UsageError(
            f"repeats is {repeats}", expected="1 or more", fix="use for example --repeats 5"
        )
    return repeats


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _machine() -> dict[str, Any]:
    import torch

    from rungwise.ladder.environment import describe_environment

    return describe_environment(torch.device("cpu"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write(out: Path | None, result: "QuickResult | BenchResult") -> None:
    from rungwise.storage import write_text

    if out is not None:
        write_text(out, json.dumps(result.to_dict(), ensure_ascii=False, indent=1) + "\n")


def _print(result: "QuickResult | BenchResult") -> None:
    from rungwise.bench import table

    title = f"{result.machine['processor']}, {result.machine['threads']} threads"
    for index, (header, *rows) in enumerate(table.tables(result)):
        print_table(header, rows, title="" if index else title)
    for note in table.notes(result):
        print(note)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """Say nothing."""
