import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from rungwise.interfaces.serve.batching import Batcher


@dataclass(frozen=True)
class Question:
    name: str
    images: int = 1


class Net:
    """Answers with the name in capitals; may be held up."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()

    def __call__(self, questions: Sequence[Question]) -> list[str]:
        self.batches.append([question.name for question in questions])
        self.threads.add(threading.get_ident())
        assert self.free.wait(60)
        if any(question.name == "bad" for question in questions):
            raise RuntimeError("no answer")
        return [question.name.upper() for question in questions]


async def asked(net: Net, names: Sequence[str], most_images: int, images: int = 1) -> list[object]:
    """Ask the first question, the others while the net is at that one; return all answers."""
    sizes: list[int] = []
    batcher: Batcher[Question, str] = Batcher(net, most_images, sizes.append, lambda: None)
    running = asyncio.create_task(batcher.run())
    tasks = [asyncio.create_task(batcher.ask(Question(names[0], images)))]
    while not net.batches:
        await asyncio.sleep(0.001)
    tasks += [asyncio.create_task(batcher.ask(Question(name, images))) for name in names[1:]]
    await asyncio.sleep(0)
    if "left" in names:
        tasks[names.index("left")].cancel()
        await asyncio.sleep(0)
    net.free.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    running.cancel()
    batcher.close()
    assert sum(sizes) == images * sum(len(batch) for batch in net.batches)
    return list(answers)


def test_what_comes_while_the_net_works_is_answered_together_by_one_thread() -> None:
    net = Net()

    answers = asyncio.run(asked(net, "abcde", most_images=64))

    assert answers == list("ABCDE")
    assert net.batches == [["a"], ["b", "c", "d", "e"]]
    assert len(net.threads) == 1
    assert threading.get_ident() not in net.threads


def test_a_batch_of_1_answers_one_request_at_a_time() -> None:
    net = Net()

    assert asyncio.run(asked(net, "abc", most_images=1)) == list("ABC")
    assert net.batches == [["a"], ["b"], ["c"]]


def test_a_batch_has_no_more_images_but_for_a_single_question() -> None:
    net = Net()

    assert asyncio.run(asked(net, "abcdef", most_images=6, images=3)) == list("ABCDEF")
    assert net.batches == [["a"], ["b", "c"], ["d", "e"], ["f"]]
    net = Net()
    assert asyncio.run(asked(net, "ab", most_images=2, images=3)) == list("AB")


def test_a_fault_is_told_to_those_who_asked_and_the_next_are_answered() -> None:
    net = Net()

    answers = asyncio.run(asked(net, ["a", "bad", "c"], most_images=1))

    assert (answers[0], answers[2]) == ("A", "C")
    assert isinstance(answers[1], RuntimeError)


def test_a_question_whose_asker_left_is_not_answered() -> None:
    net = Net()

    answers = asyncio.run(asked(net, ["a", "left", "c"], most_images=64))

    assert isinstance(answers[1], asyncio.CancelledError)
    assert net.batches == [["a"], ["c"]]


def test_an_idle_batcher_waits_without_turning(monkeypatch: pytest.MonkeyPatch) -> None:
    takes = 0
    take = Batcher._take

    def counting(self: Batcher[Question, str]) -> object:
        nonlocal takes
        takes += 1
        return take(self)

    monkeypatch.setattr(Batcher, "_take", counting)

    async def idle() -> None:
        batcher: Batcher[Question, str] = Batcher(Net(), 1, lambda _: None, lambda: None)
        running = asyncio.create_task(batcher.run())
        await asyncio.sleep(0.05)
        running.cancel()
        batcher.close()

    asyncio.run(idle())

    assert takes == 0
