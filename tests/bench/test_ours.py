"""Our own training as a contestant."""

import json
import subprocess
import sys

import pytest
import torch

from rungwise.bench.ours import described, prepare, time_steps
from rungwise.errors import ConfigError


def test_it_trains_the_named_net_in_the_named_format() -> None:
    training = prepare("A-cnn", "float32")

    assert described(training) == {
        "torch": torch.__version__,
        "batch_size": 8,
        "parameters": 13066,
        "precision": "float32",
    }
    assert time_steps(training.steps(), 3) > 0
    assert training.step == 3


def test_steps_go_on_over_the_end_of_an_epoch() -> None:
    training = prepare("A-cnn", "float32")
    time_steps(training.steps(), training.course.steps_of(1) + 1)

    assert (training.epoch, training.step) == (2, 1)


def test_an_unknown_format_is_told() -> None:
    with pytest.raises(ConfigError, match="expected: one of auto, float32, bfloat16"):
        prepare("A-cnn", "float16")


@pytest.mark.parametrize(
    ("program", "also"),
    [(("-m", "rungwise.bench.ours"), {"product"}), (("torch_eager.py",), set())],
    ids=["ours", "torch-eager"],
)
def test_it_answers_each_line_with_seconds_and_memory(
    program: tuple[str, ...], also: set[str]
) -> None:
    from rungwise.bench.contestants import PEERS

    process = subprocess.run(
        [sys.executable, *program, "A-cnn", "float32"],
        input="16\n8\n",
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
        cwd=None if program[0] == "-m" else PEERS,
    )

    ready, *answers = map(json.loads, process.stdout.splitlines())
    assert (ready["batch_size"], ready["parameters"]) == (8, 13066)
    assert len(answers) == 2
    assert all(answer.keys() == {"seconds", "peak_memory", *also} for answer in answers)
    assert all(10**7 < answer["peak_memory"] < 10**10 for answer in answers)
