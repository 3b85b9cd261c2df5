"""A benchmark's figures as cells of tables, and what has to be said beneath them."""

from rungwise.bench.quick import QuickNet, QuickResult
from rungwise.bench.result import RATIOS, BenchResult
from rungwise.ladder.numbers import operations

Cells = list[list[str]]

QUICK_HEADER = ["net", "format", "batch", "images/s", "of product", "start, s", "memory, MB"]
NOTE = (
    "Medians over the rounds. A ratio is the median of the rounds' own ratios of images/s; above 1 "
    "rungwise is faster. Of product: the share of a matrix product's speed in the same format, "
    "timed after each turn."
)


def tables(result: BenchResult | QuickResult) -> list[Cells]:
    """Return tables, each a header and a row for each net."""
    if isinstance(result, QuickResult):
        return [[QUICK_HEADER, *map(_quick_row, result.nets)]]
    return [_speeds(result), _memory(result), _ratios(result)]


def notes(result: BenchResult | QuickResult) -> list[str]:
    """Return lines for what stands in no table, and for what is missing."""
    if isinstance(result, QuickResult):
        return [*_products(result), _augmentation(result)]
    return [NOTE, *(problem for net in result.nets for problem in net.problems())]


def _speeds(result: BenchResult) -> Cells:
    rows = [
        [net.net, *(_figure(entry.images_per_second) for entry in net.entries)]
        for net in result.nets
    ]
    return [["images/s", *_names(result)], *rows]


def _memory(result: BenchResult) -> Cells:
    rows = [
        [net.net, *(_megabytes(entry.peak_memory) for entry in net.entries)] for net in result.nets
    ]
    return [["memory, MB", *_names(result)], *rows]


def _ratios(result: BenchResult) -> Cells:
    rows = [
        [net.net, *map(_ratio, net.ratios().values()), *map(_percent, net.shares().values())]
        for net in result.nets
    ]
    shares = [f"{name} of product" for name in result.nets[0].shares()]
    return [["ratio", *RATIOS, *shares], *rows]


def _products(result: QuickResult) -> list[str]:
    return [
        f"Matrix product, {product.format}: {operations(product.flops_per_second)}FLOP/s "
        f"({product.size}×{product.size})"
        for product in result.products
    ]


def _augmentation(result: QuickResult) -> str:
    share = result.augmentation_share
    told = "" if share is None else f", {100 * share:.1f}% of a training step of B-benchmark"
    milliseconds = 1000 * result.augmentation_seconds
    return f"Article B's augmentation of a batch: {milliseconds:.1f} ms{told}"


def _quick_row(net: QuickNet) -> list[str]:
    return [
        net.net,
        net.format,
        str(net.batch_size),
        _figure(net.images_per_second),
        _percent(net.share),
        f"{net.startup_seconds:.1f}",
        _megabytes(net.peak_memory),
    ]


def _names(result: BenchResult) -> list[str]:
    """Return the contestants, who are the same for each net."""
    return [entry.name for entry in result.nets[0].entries]


def _figure(value: float | None) -> str:
    """Write a speed with three digits or more."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}%"


def _megabytes(count: int | None) -> str:
    return "-" if count is None else f"{count / 1e6:,.0f}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
