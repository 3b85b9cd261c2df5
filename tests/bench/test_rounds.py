"""Contestants in turn: order, turns of a given length, and who is lost."""

from collections.abc import Callable
from pathlib import Path

from rungwise.bench.contestants import Contestant
from rungwise.bench.process import Turn
from rungwise.bench.result import NetResult
from rungwise.bench.rounds import LARGEST_TURN, Pace, hold_contest

Fake = Callable[..., Contestant]
PACE = Pace(seconds=1.5, least_batches=2)


def hold(*contestants: Contestant, repeats: int = 2) -> NetResult:
    return hold_contest("C-cnn", contestants, repeats, 1, PACE, lambda line: None)


def turns(log: Path) -> list[tuple[str, int]]:
    return [(name, int(images)) for name, images in map(str.split, log.read_text().splitlines())]


def test_contestants_take_turns_after_the_warm_up_of_each(fake: Fake, log: Path) -> None:
    hold(fake("fast", 400), fake("slow", 40))

    # Warm-up of the fast one: 8 images take 0.02 s; then 10 times as many, 0.2 s; then 600 fill
    # 1.5 s. Of the slow one: 8 take 0.2 s, then 60 fill 1.5 s.
    assert turns(log) == [
        ("fast", 8),
        ("fast", 80),
        ("fast", 600),
        ("slow", 8),
        ("slow", 60),
        ("fast", 600),
        ("slow", 60),
        ("fast", 600),
        ("slow", 60),
    ]


def test_a_turn_is_whole_batches_and_at_least_two() -> None:
    assert PACE.images(Turn(images=8, seconds=1.0, peak_memory=0), 4) == 12
    assert PACE.images(Turn(images=8, seconds=1.0, peak_memory=0), 5) == 10
    assert PACE.images(Turn(images=1000, seconds=90.0, peak_memory=0), 500) == 1000


def test_a_turn_is_no_larger_than_mnist() -> None:
    assert PACE.images(Turn(images=10**6, seconds=1.0, peak_memory=0), 32) == LARGEST_TURN


def test_only_rounds_after_the_warm_up_count(fake: Fake) -> None:
    result = hold(fake("rungwise", 400), repeats=3)

    (entry,) = result.entries
    assert entry.turns == (Turn(600, 1.5, 1_000_000),) * 3
    assert entry.images_per_second == 400


def test_one_that_dies_is_missing_with_its_last_words_and_the_others_go_on(fake: Fake) -> None:
    fails = "sys.exit('first line\\nno memory left') if turn == 3 else None"
    result = hold(fake("keras", 400, fails), fake("rungwise", 400))

    dead, alive = result.entries
    assert (dead.problem, dead.images_per_second) == ("no memory left", None)
    assert len(alive.turns) == 2
    assert result.problems() == ["C-cnn: keras is missing: no memory left"]
    assert result.ratios()["auto / keras"] is None


def test_one_that_cannot_start_is_missing(fake: Fake) -> None:
    nowhere = Contestant("keras", ("/nowhere/python",), "float32")
    result = hold(nowhere, fake("rungwise", 400))

    assert result.problems() == [
        "C-cnn: keras is missing: /nowhere/python cannot be started: No such file or directory"
    ]
    assert len(result.entries[1].turns) == 2


def test_one_that_answers_with_noise_is_missing(fake: Fake) -> None:
    result = hold(fake("keras", 400, "print('Epoch 1/2', flush=True)"))

    assert result.entries[0].problem == "it answers 'Epoch 1/2'"


def test_nets_of_different_size_are_told(fake: Fake) -> None:
    result = hold(fake("rungwise", 400, parameters=7000), fake("keras", 400, parameters=8))

    assert result.problems() == [
        "C-cnn: these are different nets, by their parameters: rungwise 7,000, keras 8"
    ]
