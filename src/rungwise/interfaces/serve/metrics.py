"""What a service has done, counted, in Prometheus' text format.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """Counts of values by upper bounds.

    >>> histogram = Histogram((1, 2))
    >>> for value in (0.5, 2, 7):
    ...     histogram.add(value)
    >>> list(histogram.lines("h"))
    ['h_bucket{le="1"} 1', 'h_bucket{le="2"} 2', 'h_bucket{le="+Inf"} 3', 'h_sum 9.5', 'h_count 3']
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count a value; a bound itself belongs to those below it."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> Iterator[str]:
        """Yield its lines in the text format."""
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._sum:g}"
        yield f"{name}_count {total}"


class Metrics:
    """The counts of one service; changed from its event loop alone."""

    def __init__(self) -> None:
        self.requests: Counter[int] = Counter()
        self.images = 0
        self.waiting = 0
        self.seconds = Histogram(SECONDS)
        self.batches = Histogram(IMAGES)

    def text(self) -> str:
        """Return all of them in the text format."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _head("rungwise_requests_total", "counter", "Requests answered, by status.")
        for status, count in sorted(self.requests.items()):
            yield f'rungwise_requests_total{{status="{status}"}} {count}'
        yield from _head("rungwise_images_total", "counter", "Images predicted.")
        yield f"rungwise_images_total {self.images}"
        yield from _head("rungwise_queue_images", "gauge", "Images that wait for an answer.")
        yield f"rungwise_queue_images {self.waiting}"
        yield from _head(
            "rungwise_predict_seconds",
            "histogram",
            "Seconds from the head of a request to /predict to the end of its answer.",
        )
        yield from self.seconds.lines("rungwise_predict_seconds")
        yield from _head("rungwise_batch_images", "histogram", "Images answered at once.")
        yield from self.batches.lines("rungwise_batch_images")


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
