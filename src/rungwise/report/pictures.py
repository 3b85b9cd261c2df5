"""Pictures of images, curves and confusions, each written whole to one .png or .svg file.

Every function takes plain data and a path, and returns the path. The figures are matplotlib
objects of their own: no pyplot, no global state, no display. matplotlib is imported when a picture
is drawn, so importing this module is cheap.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from rungwise.data.images import LabelledImages
from rungwise.data.names import shortened
from rungwise.errors import UsageError
from rungwise.report.canvas import DPI, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, float | None]
Pixels = npt.NDArray[np.uint8]

_TILE_PIXELS = 84
"""Least height and width of one image in a mosaic, in pixels of the picture."""
_GAP_PIXELS = 6
"""White between two images of a mosaic."""
_LONGEST_NAME = 40
"""Letters of a class name in a picture."""
_MOST_CLASSES = 100
"""Rows of a contact sheet; more would pass what PNG viewers open."""


def contact_sheet(images: LabelledImages, path: Path, per_class: int = 10) -> Path:
    """Draw the first `per_class` images of each class, one row for each class.

    A place stays white where a class has fewer images; of more than 100 classes the first 100 are
    shown, and the picture says so.

    Raises:
        UsageError: `per_class` is below 1, or the file is neither .png nor .svg.
    """
    if per_class < 1:
        raise UsageError(
            f"contact sheet with {per_class} images of each class",
            expected="1 or more",
            fix="pass per_class=10",
        )
    names = images.class_names[:_MOST_CLASSES]
    firsts = [
        (images.labels == label).nonzero().flatten()[:per_class] for label in range(len(names))
    ]
    rows = [images.gather(places) for places in firsts]
    figure, axes, centres = _mosaic([as_pixels(row) for row in rows], columns=per_class)
    axes.set_yticks(centres, [shortened(name, _LONGEST_NAME) for name in names], parse_math=False)
    if len(names) < images.classes:
        axes.set_title(f"the first {len(names)} of {images.classes} classes")
    return save(figure, path)


def heat_map(image: torch.Tensor, label_name: str, path: Path) -> Path:
    """Draw one image as a heat map, a panel for each channel, with its label as title.

    Args:
        image: (H, W, C) uint8, 0..255; up to 16 pixels a side, the values stand in the cells.
        label_name: The name of its class.
        path: Ends in .png or .svg.
    """
    height, width, channels = image.shape
    figure = new_figure(4.2 * channels + 0.9, 0.7 + 4.2 * height / width, layout="compressed")
    panels = figure.subplots(1, channels, squeeze=False)[0]
    for channel, axes in enumerate(panels):
        plane = image[:, :, channel].cpu().numpy()
        shown = axes.imshow(plane, cmap="viridis", vmin=0, vmax=255, interpolation="nearest")
        if max(height, width) <= 16:
            _write_cells(axes, plane, light=plane > 125, size=min(10, 110 / max(height, width)))
        if channels > 1:
            axes.set_title(_channel_name(channel, channels), fontsize=10)
    figure.colorbar(shown, ax=list(panels), label="pixel value", pad=0.02)
    figure.suptitle(shortened(label_name, _LONGEST_NAME), parse_math=False)
    return save(figure, path)


def curves(runs: Mapping[str, Sequence[Row]], path: Path) -> Path:
    """Draw loss and accuracy over the epochs, in two panels.

    One run is drawn with training in red and validation in blue; several runs lie over each other,
    each in its own colour, validation solid and training dotted.

    Args:
        runs: For each run's name its rows, one an epoch, with `epoch`, `train_loss`, `train_acc`
            and, where the run has a validation set, `val_loss` and `val_acc` (else None).
        path: Ends in .png or .svg.

    Raises:
        UsageError: There is no run, or the file is neither .png nor .svg.
    """
    if not runs:
        raise UsageError("no curves to draw", expected="one run or more", fix="name a run")
    figure = new_figure(10, 4.4)
    panels = figure.subplots(1, 2)
    for axes, (metric, title) in zip(panels, (("loss", "loss"), ("acc", "accuracy")), strict=True):
        _draw_metric(axes, runs, metric)
        axes.set(xlabel="epoch", ylabel=title)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
    _draw_legend(figure, panels[0], len(runs))
    if len(runs) == 1:
        figure.suptitle(next(iter(runs)), parse_math=False)
    return save(figure, path)


def reconstructions(originals: torch.Tensor, rebuilt: torch.Tensor, path: Path) -> Path:
    """Draw images above what an autoencoder made of them.

    Args:
        originals: (n, C, H, W) float in 0..1.
        rebuilt: Of the same shape; clipped to 0..1.
        path: Ends in .png or .svg.

    Raises:
        UsageError: There are no images, the shapes differ, or the file is of another type.
    """
    _require_same(originals, rebuilt)
    rows = [as_pixels(_channels_at_end(images)) for images in (originals, rebuilt)]
    figure, axes, centres = _mosaic(rows, columns=len(originals))
    axes.set_yticks(centres, ["original", "reconstruction"])
    return save(figure, path)


def augmented_samples(before: torch.Tensor, after: torch.Tensor, path: Path) -> Path:
    """Draw each image beside its augmented copies, one row for each image.

    Args:
        before: (n, C, H, W) float in 0..1.
        after: (n, m, C, H, W), m copies of each image; or (n, C, H, W), one of each.
        path: Ends in .png or .svg.

    Raises:
        UsageError: There are no images, the shapes differ, or the file is of another type.
    """
    copies = after.unsqueeze(1) if after.dim() == before.dim() else after
    _require_same(before, copies[:, 0])
    together = torch.cat([before.unsqueeze(1), copies], dim=1)
    rows = [as_pixels(_channels_at_end(row)) for row in together]
    figure, axes, _ = _mosaic(rows, columns=together.shape[1])
    tile = axes.get_xlim()[1] / together.shape[1]
    axes.axvline(tile, color="black", linewidth=1)
    axes.set_xticks([tile / 2, tile * (1 + copies.shape[1] / 2)], ["before", "after"])
    axes.set_yticks([])
    return save(figure, path)


def confusion(matrix: Sequence[Sequence[int]], class_names: Sequence[str], path: Path) -> Path:
    """Draw how often each true class was predicted as each class.

    The colour is the share of the true class, on a square-root scale, so that rare errors are seen.

    Args:
        matrix: (K, K) counts; the row is the true class, the column the predicted one.
        class_names: The K classes.
        path: Ends in .png or .svg.

    Raises:
        UsageError: The matrix is not K by K, or the file is neither .png nor .svg.
    """
    from matplotlib.colors import PowerNorm

    counts = np.asarray(matrix, dtype=np.int64)
    classes = len(class_names)
    if counts.shape != (classes, classes):
        raise UsageError(
            f"confusion matrix of shape {counts.shape} for {classes} classes",
            expected=f"shape ({classes}, {classes})",
            fix="pass the class names of the data that was predicted",
        )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(2.5 + 0.55 * classes, 24)
    figure = new_figure(side + 0.8, side, layout="compressed")
    axes = figure.subplots()
    shown = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    if classes <= 40:
        _write_cells(axes, counts, light=shares < 0.3, size=9)
    style: dict[str, Any] = {"size": min(10, 50 * side / classes), "parse_math": False}
    # A figure for few classes is small: longer names would leave no place for the matrix.
    names = [shortened(name, min(_LONGEST_NAME, round(6 * side))) for name in class_names]
    turn = 90 if max(map(len, names)) > 3 else 0
    axes.set_xticks(range(classes), names, rotation=turn, **style)
    axes.set_yticks(range(classes), names, **style)
    axes.set(xlabel="predicted class", ylabel="true class")
    figure.colorbar(shown, ax=axes, label="share of the true class", pad=0.02)
    return save(figure, path)


def _mosaic(
    rows: Sequence[Pixels], columns: int
) -> tuple["Figure", "Axes", npt.NDArray[np.float64]]:
    """Draw rows of images, each pixel as one square, and return the rows' centres too.

    Args:
        rows: For each row up to `columns` images, (n, H, W, 3).
        columns: Number of places in a row.
    """
    from matplotlib.figure import Figure

    height, width = rows[0].shape[1:3]
    # A whole number of picture pixels for each pixel, or some would come out wider than others.
    scale = -(-_TILE_PIXELS // max(height, width))
    tile_height, tile_width = height * scale + _GAP_PIXELS, width * scale + _GAP_PIXELS
    canvas = np.full((len(rows) * tile_height, columns * tile_width, 3), 255, np.uint8)
    for r, images in enumerate(rows):
        for c, image in enumerate(images):
            top, left = r * tile_height + _GAP_PIXELS // 2, c * tile_width + _GAP_PIXELS // 2
            square = image.repeat(scale, axis=0).repeat(scale, axis=1)
            canvas[top : top + height * scale, left : left + width * scale] = square
    figure = Figure(figsize=(canvas.shape[1] / DPI, canvas.shape[0] / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(canvas, interpolation="nearest", extent=(0, canvas.shape[1], canvas.shape[0], 0))
    axes.set_xticks([])
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure, axes, (np.arange(len(rows)) + 0.5) * tile_height


def as_pixels(images: torch.Tensor) -> Pixels:
    """Turn (n, H, W, C) uint8 into three channels; neither grey nor colour: the channels' mean."""
    pixels: Pixels = images.cpu().numpy()
    if pixels.shape[-1] == 3:
        return pixels
    grey = pixels.mean(axis=-1, keepdims=True).round().astype(np.uint8)
    return np.repeat(grey, 3, axis=-1)


def png_url(image: torch.Tensor, longest: int | None = None) -> str:
    """Return an image as the URL of a PNG, which a page can hold itself.

    Args:
        image: (H, W, C) uint8.
        longest: Larger images are made smaller, until no side has more pixels.
    """
    from PIL import Image

    grey = image.shape[2] == 1
    picture = Image.fromarray(image[..., 0].cpu().numpy() if grey else as_pixels(image[None])[0])
    if longest is not None:
        picture.thumbnail((longest, longest))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _channels_at_end(images: torch.Tensor) -> torch.Tensor:
    """Turn (n, C, H, W) float in 0..1 into (n, H, W, C) uint8."""
    return (images.detach().float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1)


def _require_same(first: torch.Tensor, second: torch.Tensor) -> None:
    if first.shape != second.shape or not len(first):
        raise UsageError(
            f"images of shape {tuple(first.shape)} beside images of shape {tuple(second.shape)}",
            expected="the same shape (n, C, H, W), and at least one image",
            fix="pass each image with its own counterpart",
        )


def _write_cells(axes: "Axes", values: npt.NDArray[Any], *, light: Any, size: float) -> None:
    """Write each value into its cell: black where the cell is light, else white."""
    for (row, column), value in np.ndenumerate(values):
        colour = "black" if light[row, column] else "white"
        axes.text(column, row, str(value), color=colour, size=size, ha="center", va="center")


def _channel_name(channel: int, channels: int) -> str:
    return ("red", "green", "blue")[channel] if channels == 3 else f"channel {channel}"


def _draw_metric(axes: "Axes", runs: Mapping[str, Sequence[Row]], metric: str) -> None:
    from matplotlib import colormaps

    palette = colormaps["tab10" if len(runs) <= 10 else "tab20"]
    for place, (name, rows) in enumerate(runs.items()):
        if len(runs) == 1:
            _draw_line(axes, rows, f"train_{metric}", color="red", label="training")
            _draw_line(axes, rows, f"val_{metric}", color="blue", label="validation")
        else:
            colour = palette(place % palette.N)
            _draw_line(axes, rows, f"train_{metric}", color=colour, linestyle=":", linewidth=1)
            _draw_line(axes, rows, f"val_{metric}", color=colour)
            axes.plot([], [], color=colour, label=name)


def _draw_line(axes: "Axes", rows: Sequence[Row], key: str, **style: Any) -> None:
    points = [(row["epoch"], row[key]) for row in rows if row.get(key) is not None]
    if points:
        # A few epochs are dots too: one alone would be no line.
        marker = "o" if len(points) <= 20 else None
        axes.plot(*zip(*points, strict=True), marker=marker, markersize=3, **style)


def _draw_legend(figure: "Figure", axes: "Axes", runs: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(len(labels), 4) or 1,
        frameon=False,
        title="validation solid, training dotted" if runs > 1 else None,
    )
