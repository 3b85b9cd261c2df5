"""The pictures, looked at as a program can: sizes, colours, and the texts that an SVG spells."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rungwise.data.images import LabelledImages
from rungwise.errors import UsageError
from rungwise.report import pictures

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def seen(path: Path) -> np.ndarray:
    """Return the picture as (H, W, 3) uint8."""
    return np.asarray(Image.open(path).convert("RGB"))


def places(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the pixels that have exactly this colour."""
    rows, columns = np.nonzero((picture == colour).all(axis=-1))
    return rows, columns


def texts(path: Path) -> str:
    """Return an SVG's source, where matplotlib leaves each text as a comment."""
    return path.read_text(encoding="utf-8")


def plain(colour: tuple[int, int, int], n: int = 1) -> torch.Tensor:
    """Return n images (n, 4, 4, 3) uint8 of one colour."""
    return torch.tensor(colour, dtype=torch.uint8).expand(n, 4, 4, 3)


def red_green_blue(names: tuple[str, ...] = ("red", "green", "blue")) -> LabelledImages:
    """Return 3 red, 2 green and no blue images, mixed."""
    images = torch.cat([plain(RED), plain(GREEN), plain(RED), plain(GREEN), plain(RED)])
    return LabelledImages(images, torch.tensor([0, 1, 0, 1, 0]), names)


def history(epochs: int, validated: bool = True) -> list[dict[str, float | None]]:
    rows: list[dict[str, float | None]] = []
    for epoch in range(1, epochs + 1):
        row: dict[str, float | None] = {"epoch": epoch, "train_loss": 1 / epoch, "train_acc": 0.5}
        row["val_loss"] = 2 / epoch if validated else None
        row["val_acc"] = 0.4 if validated else None
        rows.append(row)
    return rows


def test_contact_sheet_draws_each_class_in_its_row_and_each_pixel_as_a_square(
    tmp_path: Path,
) -> None:
    path = pictures.contact_sheet(red_green_blue(), tmp_path / "sheet.png", per_class=2)

    picture = seen(path)
    red_rows, _ = places(picture, RED)
    green_rows, _ = places(picture, GREEN)
    assert len(red_rows) == 2 * 84 * 84  # two of three, 4 pixels drawn 21 wide
    assert len(green_rows) == 2 * 84 * 84
    assert red_rows.max() < green_rows.min()
    assert len(places(picture, BLUE)[0]) == 0


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (28, 1), (32, 3), (9, 5)])
def test_contact_sheet_takes_all_sizes_and_channels(
    tmp_path: Path, side: int, channels: int
) -> None:
    images = torch.zeros(4, side, side + 2, channels, dtype=torch.uint8)
    data = LabelledImages(images, torch.tensor([0, 1, 0, 1]), ("a", "b"))

    path = pictures.contact_sheet(data, tmp_path / "sheet.png")

    scale = -(-84 // (side + 2))
    assert len(places(seen(path), (0, 0, 0))[0]) >= 4 * side * (side + 2) * scale**2


def test_contact_sheet_writes_class_names_as_they_are(tmp_path: Path) -> None:
    data = red_green_blue((r"$\no maths$", "T-shirt/top", "a name that is far longer than a tile"))

    path = pictures.contact_sheet(data, tmp_path / "sheet.svg")

    for name in data.class_names:
        assert name in texts(path)


def test_contact_sheet_says_that_it_leaves_classes_out(tmp_path: Path) -> None:
    names = tuple(f"c{label}" for label in range(120))
    data = LabelledImages(torch.zeros(120, 1, 1, 1, dtype=torch.uint8), torch.arange(120), names)

    path = pictures.contact_sheet(data, tmp_path / "sheet.svg", per_class=1)

    assert "the first 100 of 120 classes" in texts(path)
    assert "c100" not in texts(path)


def test_contact_sheet_of_no_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="0 images"):
        pictures.contact_sheet(red_green_blue(), tmp_path / "sheet.png", per_class=0)


def test_heat_map_of_a_small_image_shows_its_values(tmp_path: Path) -> None:
    image = torch.arange(64, dtype=torch.uint8).view(8, 8, 1) * 3

    path = pictures.heat_map(image, "Ankle boot", tmp_path / "heat.svg")

    assert "<!-- Ankle boot -->" in texts(path)
    assert "<!-- pixel value -->" in texts(path)
    assert all(f"<!-- {3 * value} -->" in texts(path) for value in range(64))


def test_heat_map_of_a_large_image_shows_no_values(tmp_path: Path) -> None:
    image = torch.full((28, 28, 1), 77, dtype=torch.uint8)

    assert "<!-- 77 -->" not in texts(pictures.heat_map(image, "7", tmp_path / "heat.svg"))


def test_heat_map_draws_a_panel_for_each_channel(tmp_path: Path) -> None:
    image = torch.zeros(32, 20, 3, dtype=torch.uint8)

    path = pictures.heat_map(image, "ship", tmp_path / "heat.svg")

    assert all(f"<!-- {name} -->" in texts(path) for name in ("red", "green", "blue"))
    five = pictures.heat_map(torch.zeros(8, 8, 5, dtype=torch.uint8), "x", tmp_path / "five.svg")
    assert "<!-- channel 4 -->" in texts(five)


def test_curves_of_one_run_are_red_and_blue(tmp_path: Path) -> None:
    picture = seen(pictures.curves({"deep": history(30)}, tmp_path / "curves.png"))

    assert len(places(picture, RED)[0]) > 500
    assert len(places(picture, BLUE)[0]) > 500


@pytest.mark.parametrize("epochs", [1, 30])
def test_curves_without_validation_have_no_blue(tmp_path: Path, epochs: int) -> None:
    rows = history(epochs, validated=False)

    path = pictures.curves({"deep": rows}, tmp_path / "curves.svg")

    assert "<!-- validation -->" not in texts(path)
    assert "<!-- training -->" in texts(path)
    assert "<!-- deep -->" in texts(path)


def test_curves_of_one_epoch_are_dots(tmp_path: Path) -> None:
    picture = seen(pictures.curves({"deep": history(1)}, tmp_path / "curves.png"))

    _, columns = places(picture, BLUE)
    middle_of_left_panel = picture.shape[1] * 0.15 < columns
    assert (middle_of_left_panel & (columns < picture.shape[1] * 0.4)).any()


def test_curves_of_several_runs_are_named(tmp_path: Path) -> None:
    runs = {f"run {n}": history(n + 2, validated=n != 3) for n in range(12)}

    path = pictures.curves(runs, tmp_path / "curves.svg")

    assert all(f"<!-- {name} -->" in texts(path) for name in runs)
    assert "<!-- validation solid, training dotted -->" in texts(path)


def test_no_curves_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no curves"):
        pictures.curves({}, tmp_path / "curves.png")


def test_reconstructions_stand_below_their_originals(tmp_path: Path) -> None:
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    too_blue = torch.tensor([-0.5, 0, 1.5]).view(1, 3, 1, 1).expand(2, 3, 4, 4)

    picture = seen(pictures.reconstructions(red, too_blue, tmp_path / "rec.png"))

    red_rows, red_columns = places(picture, RED)
    blue_rows, blue_columns = places(picture, BLUE)
    assert len(red_rows) == len(blue_rows) == 2 * 84 * 84
    assert red_rows.max() < blue_rows.min()
    assert sorted(set(red_columns)) == sorted(set(blue_columns))


@pytest.mark.parametrize("copies", [None, 1, 3])
def test_augmented_copies_stand_right_of_their_original(tmp_path: Path, copies: int | None) -> None:
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    blue = red.flip(1)
    after = blue if copies is None else blue.unsqueeze(1).expand(-1, copies, -1, -1, -1)

    picture = seen(pictures.augmented_samples(red, after, tmp_path / "samples.png"))

    red_rows, red_columns = places(picture, RED)
    blue_rows, blue_columns = places(picture, BLUE)
    assert len(blue_rows) == 2 * 84 * 84 * (copies or 1)
    assert red_columns.max() < blue_columns.min()
    assert sorted(set(red_rows)) == sorted(set(blue_rows))


def test_images_without_counterpart_are_refused(tmp_path: Path) -> None:
    three, two = torch.zeros(3, 1, 4, 4), torch.zeros(2, 1, 4, 4)

    for draw in (pictures.reconstructions, pictures.augmented_samples):
        with pytest.raises(UsageError, match=r"the same shape(.|\n)*fix"):
            draw(three, two, tmp_path / "rec.png")
        with pytest.raises(UsageError, match="at least one"):
            draw(three[:0], three[:0], tmp_path / "rec.png")


def test_confusion_shows_counts_and_names(tmp_path: Path) -> None:
    matrix = [[91, 2, 0], [11, 83, 0], [0, 0, 0]]  # the third class was never seen

    path = pictures.confusion(matrix, ("cat", "automobile", "dog"), tmp_path / "confusion.svg")

    for text in ("91", "83", "11", "2", "cat", "automobile", "predicted class", "true class"):
        assert f"<!-- {text} -->" in texts(path)


def test_confusion_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\(1, 2\) for 2 classes"):
        pictures.confusion([[1, 2]], ("a", "b"), tmp_path / "confusion.png")


def test_other_file_types_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        pictures.contact_sheet(red_green_blue(), tmp_path / "sheet.jpg")

    assert list(tmp_path.iterdir()) == []


def test_the_same_call_writes_the_same_png(tmp_path: Path) -> None:
    first = pictures.curves({"deep": history(3)}, tmp_path / "first.png")
    second = pictures.curves({"deep": history(3)}, tmp_path / "new" / "folder" / "second.png")

    assert first.read_bytes() == second.read_bytes()


def test_import_is_cheap_and_drawing_needs_no_pyplot(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from rungwise.report import pictures
print("matplotlib" in sys.modules)
rows = [dict(epoch=1, train_loss=1, train_acc=0)]
pictures.curves(dict(a=rows), Path({str(tmp_path)!r}, "a.png"))
print("matplotlib.pyplot" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert ran.stdout.split() == ["False", "False"], ran.stderr


@pytest.mark.parametrize("classes", [1, 2, 10])
def test_long_class_names_leave_room_for_the_matrix(tmp_path: Path, classes: int) -> None:
    names = [f"{label}{'W' * 300}" for label in range(classes)]
    path = pictures.confusion(
        [[1] * classes] * classes, names, tmp_path / "long.png"
    )  # warnings are errors
    with Image.open(path) as drawn:
        assert max(drawn.size) < 3000
