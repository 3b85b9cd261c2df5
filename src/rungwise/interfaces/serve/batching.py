"""Questions of many requests, answered together by one thread.

Nobody waits for company: what arrives while the net works is answered together when it is done. So
a single client is answered at once, and many at a time share the cost of a call.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar


class Question(Protocol):
    """What one request asks."""

    @property
    def images(self) -> int:
        """Number of its images."""
        ...


Q = TypeVar("Q", bound=Question)
A = TypeVar("A")
Answer = Callable[[Sequence[Q]], Sequence[A]]


class Batcher(Generic[Q, A]):
    """Gathers questions and hands them over in batches.

    Args:
        answer: Called with one question or more, in one and the same thread always; returns as many
            answers.
        most_images: A batch has no more images, but for a single question that has more alone.
        note: Called with the number of images of each batch, in the event loop.
        start: Called first in the thread.
    """

    def __init__(
        self,
        answer: Answer[Q, A],
        most_images: int,
        note: Callable[[int], None],
        start: Callable[[], None],
    ) -> None:
        self._answer = answer
        self._most_images = most_images
        self._note = note
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._arrived = asyncio.Event()
        self._worker = ThreadPoolExecutor(1, "predictor", initializer=start)

    async def ask(self, question: Q) -> A:
        """Return the answer to a question."""
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        self._arrived.set()
        return await future

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            await self._arrived.wait()
            batch = self._take()
            if batch:
                await self._settle(batch)
            else:
                self._arrived.clear()

    def close(self) -> None:
        """End the thread, once it has answered what it is at."""
        self._worker.shutdown()

    async def _settle(self, batch: list[tuple[Q, asyncio.Future[A]]]) -> None:
        questions = [question for question, _ in batch]
        self._note(sum(question.images for question in questions))
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._worker, self._answer, questions)
        except Exception as error:  # Whoever asked is told; the others are still to be answered.
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    def _take(self) -> list[tuple[Q, asyncio.Future[A]]]:
        """Remove and return the next questions, without those whose asker has left."""
        batch: list[tuple[Q, asyncio.Future[A]]] = []
        images = 0
        while self._waiting:
            question, future = self._waiting[0]
            if future.done():
                self._waiting.popleft()
                continue
            images += question.images
            if batch and images > self._most_images:
                break
            batch.append(self._waiting.popleft())
        return batch
