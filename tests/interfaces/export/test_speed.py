import time

import pytest
import torch

from rungwise.interfaces.export import speed


def test_each_is_asked_for_one_image_and_for_a_hundred_in_turn_on_one_thread() -> None:
    calls: list[tuple[str, int]] = []
    threads = set()

    def called(name: str) -> speed.Answer:
        def answer(pixels: torch.Tensor) -> torch.Tensor:
            calls.append((name, len(pixels)))
            threads.add(torch.get_num_threads())
            return pixels

        return answer

    before = torch.get_num_threads()
    images = torch.zeros(30, 8, 8, 1, dtype=torch.uint8)
    medians = speed.latencies({"house": called("house"), "file": called("file")}, images)

    assert calls[:4] == [("house", 1), ("file", 1)] * 2
    assert calls[-2:] == [("house", 100), ("file", 100)]
    assert len(calls) == 2 * 2 * (speed.MOST + 1)
    assert threads == {1}
    assert torch.get_num_threads() == before
    assert all(len(values) == 2 and min(values) > 0 for values in medians.values())


def test_the_median_is_told_and_the_first_call_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speed, "BATCHES", (1,))
    monkeypatch.setattr(speed, "MOST", 3)
    waits = iter([0.2, 0.1, 0.0, 0.0])

    def answer(pixels: torch.Tensor) -> torch.Tensor:
        time.sleep(next(waits))
        return pixels

    medians = speed.latencies({"only": answer}, torch.zeros(1, 1, 1, 1, dtype=torch.uint8))

    assert medians["only"][0] < 0.1
