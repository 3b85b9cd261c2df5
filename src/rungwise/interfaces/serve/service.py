"""What a service does with image files: admit, decode, ask the net."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from rungwise.data.problems import Problem, data_error
from rungwise.errors import DataError
from rungwise.interfaces.serve.answers import Answerer, Answers, Question
from rungwise.interfaces.serve.batching import Batcher
from rungwise.interfaces.serve.bodies import ImageFile
from rungwise.interfaces.serve.limits import Limits
from rungwise.interfaces.serve.metrics import Metrics
from rungwise.interfaces.serve.refusal import overloaded
from rungwise.prediction.pictures import pixels_for
from rungwise.prediction.predictor import Predictor
from rungwise.training.threads import respect_quota

DECODERS = 2
"""Threads that decode image files; the net has one of its own."""


class Service:
    """A predictor that answers many clients.

    Args:
        predictor: The predictor.
        limits: How much is taken on at a time.

    Raises:
        RunError: The predictor cannot be asked for image files.
    """

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self.predictor = predictor
        self.limits = limits
        self.metrics = Metrics()
        self.ending = False
        self._answerer = Answerer(predictor)
        self._answerer.check()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer within the block."""
        self._decoders = ThreadPoolExecutor(DECODERS, "decoder")
        self._batcher: Batcher[Question, Answers] = Batcher(
            self._answerer, self.limits.batch, self.metrics.batches.add, respect_quota
        )
        answering = asyncio.create_task(self._batcher.run())
        try:
            yield
        finally:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await answering
            self._batcher.close()
            self._decoders.shutdown()

    async def predict(self, files: Sequence[ImageFile], explain: bool) -> Answers:
        """Return an answer for each file.

        Raises:
            DataError: Some files cannot be used; all of them are named.
            Refusal: Too many images are waiting already, or the answer takes too long (503).
        """
        if self.metrics.waiting + len(files) > self.limits.queue:
            raise overloaded(
                f"{self.metrics.waiting} images are waiting already",
                expected=f"at most {self.limits.queue} waiting images",
            )
        self.metrics.waiting += len(files)
        try:
            async with asyncio.timeout(self.limits.answer_seconds):
                pixels = await self._decode(files)
                answers = await self._batcher.ask(Question(pixels, explain))
        except TimeoutError:
            raise overloaded(
                f"there was no answer after {self.limits.answer_seconds:g} seconds",
                expected="less work at a time",
            ) from None
        finally:
            self.metrics.waiting -= len(files)
        self.metrics.images += len(files)
        return [{"file": file.name, **a} for file, a in zip(files, answers, strict=True)]

    async def _decode(self, files: Sequence[ImageFile]) -> torch.Tensor:
        """Return the pixels of all files, (N, H, W, C) uint8."""
        loop = asyncio.get_running_loop()
        pixels, problems = [], []
        for file in files:
            try:
                pixels.append(await loop.run_in_executor(self._decoders, self._pixels, file))
            except DataError as error:
                problems.append(Problem.of(error))
        if problems:
            raise data_error(problems)
        return torch.stack(pixels)

    def _pixels(self, file: ImageFile) -> torch.Tensor:
        return pixels_for(
            self.predictor,
            file.content,
            name=file.name or "the image",
            most_pixels=self.limits.pixels,
        )
