from pathlib import Path

import pytest
from PIL import Image

from rungwise.errors import UsageError
from rungwise.models import CNN, MLP, MODELS, Multitask, TwoBranch, VGGDeep
from rungwise.models.summary import summarize
from rungwise.report.netdrawing import ROWS_PER_COLUMN, _boxes, _places, draw_network


@pytest.mark.parametrize("name", sorted(MODELS))
def test_no_two_boxes_overlap(name: str) -> None:
    places = list(_places(_boxes(summarize(MODELS[name](), (3, 32, 32), 10))).values())
    for i, one in enumerate(places):
        for other in places[:i]:
            same_row = (one.column, one.row) == (other.column, other.row)
            assert not same_row or abs(one.lane - other.lane) >= 1


def test_branches_stand_side_by_side_and_forks_and_joins_between_them() -> None:
    lanes = {
        name: place.lane
        for name, place in _places(_boxes(summarize(TwoBranch(), (1, 28, 28), 10))).items()
    }
    assert (lanes["decoder.dense"], lanes["code.dense1"], lanes["cnn.conv1"]) == (0, 1, 2)
    assert lanes["encoder.dense3"] == 0.5
    assert lanes["input"] == 1.25
    assert lanes["add"] == lanes["output logits"] == 1.5


def test_every_head_ends_in_an_output() -> None:
    boxes = _boxes(summarize(Multitask(), (1, 28, 28), 10))
    assert boxes["output logits"].inputs == ("classification.logits",)
    assert boxes["output reconstruction"].output == (1, 28, 28)


def test_a_tall_network_goes_on_in_a_second_column() -> None:
    places = _places(_boxes(summarize(VGGDeep(), (3, 32, 32), 10)))
    assert {place.column for place in places.values()} == {0, 1}
    assert max(place.row for place in places.values()) < ROWS_PER_COLUMN


def test_a_box_names_its_kind_once() -> None:
    boxes = _boxes(summarize(MLP(), (1, 28, 28), 10))
    assert boxes["dense"].text == "128, relu"
    assert boxes["logits"].text == "dense 10"
    assert boxes["flatten"].text == ""


def test_svg_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        draw_network(MLP(), (1, 28, 28), 10, tmp_path / name)
    first = (tmp_path / "one.svg").read_bytes()
    assert first.startswith(b"<?xml")
    assert first == (tmp_path / "two.svg").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.svg", "two.svg"]


def test_png_is_an_image_and_shows_something(tmp_path: Path) -> None:
    draw_network(CNN(), (1, 28, 28), 10, tmp_path / "new" / "net.PNG")
    with Image.open(tmp_path / "new" / "net.PNG") as image:
        assert image.height > image.width > 300
        assert len(image.convert("RGB").getcolors(1 << 24)) > 5


def test_another_suffix_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"net\.pdf"):
        draw_network(CNN(), (1, 28, 28), 10, tmp_path / "net.pdf")
    assert not list(tmp_path.iterdir())
