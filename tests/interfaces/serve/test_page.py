"""The page in a real browser: drawing, files, phones, keys, darkness."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rungwise.augment import Shift
from rungwise.augment.views import Mirror, RandomCopies
from rungwise.data import load
from rungwise.models import Multitask
from rungwise.prediction.predictor import Predictor

pytestmark = pytest.mark.slow
Make = Any
ONE = [(0.5, 0.15), (0.5, 0.85)]
ZERO = [(0.5, 0.1), (0.72, 0.3), (0.72, 0.7), (0.5, 0.9), (0.28, 0.7), (0.28, 0.3), (0.5, 0.1)]
READY = "!document.getElementById('files').hidden"
ANSWERED = "document.getElementById('answer').checkVisibility() && document.images[0].complete"


def page(client: Any) -> str:
    return f"http://127.0.0.1:{client.port}/"


def seen(browser: Any, shown: Make) -> Any:
    """Return the pixels of the picture that the net sees, by the page."""
    return shown(browser.value("document.getElementById('picture').src"))


def test_a_digit_drawn_with_the_mouse_is_read(
    browser: Make, serving: Make, digit_reader: Path, tmp_path: Path
) -> None:
    with serving(Predictor.load(digit_reader)) as client:
        browser.show(1100)
        browser.open(page(client))
        browser.wait_for(READY)
        browser.draw("#board", ZERO)
        browser.wait_for("document.getElementById('class').textContent === '0'")
        browser.screenshot(tmp_path / "drawn.png")
        browser.value("document.getElementById('clear').click()")
        assert browser.text("#answer") == ""
        browser.draw("#board", ONE)
        browser.wait_for("document.getElementById('class').textContent === '1'")
        bars = browser.value("[...document.querySelectorAll('#bars li')].map(e => e.textContent)")

        assert [bar[0] for bar in bars] == list("0123456789")
        assert browser.text("#probability").endswith("%")
        assert browser.text("#looks") == ""
        assert browser.problems() == []
        own = page(client)
        assert all(url.startswith(own) for url in browser.asked()), browser.asked()


def test_a_drawing_for_28_pixels_is_made_as_mnist_s_digits_are(
    browser: Make, serving: Make, untrained: Make, shown: Make
) -> None:
    with serving(untrained(shape=(1, 28, 28))) as client:
        browser.show(1100)
        browser.open(page(client))
        browser.wait_for(READY)
        # A corner, thick at the top: its middle and its centre of mass are apart.
        browser.draw("#board", [(0.1, 0.1), (0.5, 0.1), (0.1, 0.1), (0.1, 0.5)])
        browser.wait_for(ANSWERED)
        picture = seen(browser, shown).astype(float)
        rows, columns = picture.any(1).nonzero()[0], picture.any(0).nonzero()[0]
        places = torch.arange(28) + 0.5
        centre = [
            float((torch.tensor(picture.sum(axis)) * places).sum() / picture.sum())
            for axis in (1, 0)
        ]

        assert rows[-1] - rows[0] + 1 == columns[-1] - columns[0] + 1 == 20
        assert centre == pytest.approx([14, 14], abs=0.5)
        assert picture.max() == 255
        browser.value("document.getElementById('centre').click()")
        raw = "document.getElementById('picture').src !== before"
        browser.value("window.before = document.getElementById('picture').src")
        browser.wait_for(raw)
        assert seen(browser, shown)[:2, :2].max() < 255
        assert seen(browser, shown)[18:, 18:].max() == 0
        assert browser.problems() == []


def test_a_digit_drawn_with_keys_is_read(browser: Make, serving: Make, digit_reader: Path) -> None:
    with serving(Predictor.load(digit_reader)) as client:
        browser.show(1100)
        browser.open(page(client))
        browser.wait_for(READY)
        browser.press("Tab")
        assert browser.value("document.activeElement.id") == "board"
        browser.press("ArrowUp", 14)
        browser.press(" ")
        browser.press("ArrowDown", 28)
        browser.wait_for("document.getElementById('class').textContent === '1'")
        browser.press("Delete")
        browser.wait_for("!document.getElementById('answer').checkVisibility()")
        assert browser.problems() == []


def test_a_digit_drawn_with_a_finger_on_a_phone_is_read(
    browser: Make, serving: Make, digit_reader: Path
) -> None:
    with serving(Predictor.load(digit_reader)) as client:
        browser.show(360, height=640)
        browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
        browser.open(page(client))
        browser.wait_for(READY)
        browser.draw("#board", ZERO, finger=True)
        browser.wait_for("document.getElementById('class').textContent === '0'")

        assert browser.value("scrollY") == 0
        assert browser.value("document.getElementById('class').getBoundingClientRect().top") < 640
        assert browser.problems() == []


def test_a_pasted_picture_is_read(
    browser: Make, serving: Make, untrained: Make, png: Make, shown: Make
) -> None:
    paste = """
    (() => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(%s)], "a.png", { type: "image/png" }));
      document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
    })()
    """
    with serving(untrained()) as client:
        browser.show(1100)
        browser.open(page(client))
        browser.wait_for(READY)
        browser.value(paste % list(png()))
        browser.wait_for(ANSWERED)

        noise = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
        assert (seen(browser, shown) == noise).all()


def test_a_dropped_file_is_read_and_a_wrong_one_explained(
    browser: Make, serving: Make, digit_reader: Path, tmp_path: Path, shown: Make
) -> None:
    test = load("digits").test
    assert test is not None
    good, wrong = tmp_path / "good.png", tmp_path / "wrong.png"
    Image.fromarray(test.pixels[0, ..., 0].numpy()).save(good)
    Image.new("L", (30, 20)).save(wrong)
    with serving(Predictor.load(digit_reader)) as client:
        browser.show(1100)
        browser.open(page(client))
        browser.wait_for(READY)
        browser.drop(300, 300, good)
        browser.wait_for(ANSWERED)
        assert browser.text("#class") == test.class_names[int(test.labels[0])]
        assert (seen(browser, shown) == test.pixels[0, ..., 0].numpy()).all()
        browser.drop(300, 300, wrong)
        browser.wait_for("document.getElementById('problem').checkVisibility()")
        assert "30x20 pixels" in browser.text("#what")
        assert "resize it to 8x8" in browser.text("#fix")
        browser.drop(300, 300, good, wrong)
        browser.wait_for("document.getElementById('what').textContent === '2 pictures at once'")
        browser.drop(300, 300, good)
        browser.wait_for(ANSWERED)
        assert browser.text("#problem") == ""


def test_views_and_reconstruction_show(browser: Make, serving: Make, untrained: Make) -> None:
    shift = {"augment": (Shift(pixels=1),), "views": RandomCopies(copies=5)}
    with serving(untrained(Multitask(conv_width=2, dense_width=4), **shift)) as client:
        browser.show(1100)
        browser.open(page(client))
        browser.wait_for(READY)
        browser.draw("#board", ONE)
        browser.wait_for(ANSWERED)

        assert browser.value("document.querySelectorAll('#views li').length") == 5
        assert browser.text("#rebuilt") == "its reconstruction"
        assert browser.value("document.getElementById('reconstruction').naturalWidth") == 8
        assert browser.problems() == []


def test_a_net_for_colours_has_no_board_and_takes_files(
    browser: Make, serving: Make, untrained: Make, png: Make, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(size=(40, 60), channels=3))
    predictor = replace(untrained(shape=(3, 8, 8), views=Mirror()), resizes=True)
    with serving(predictor) as client:
        browser.show(1100)
        browser.open(page(client))
        browser.wait_for(READY)
        assert browser.text("#drawing") == ""
        assert "any size" in browser.text("#size")
        node = browser.call("DOM.getDocument")["root"]["nodeId"]
        field = browser.call("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
        browser.call("DOM.setFileInputFiles", files=[str(photo)], nodeId=field)
        browser.wait_for(ANSWERED)
        assert browser.text("#class") in ("cat", "dog", "eel")
        assert browser.problems() == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out_and_text_is_readable(
    browser: Make, serving: Make, untrained: Make, width: int, dark: bool, tmp_path: Path
) -> None:
    names = ("a class with a name of some length", "x" * 60, "eel")
    predictor = replace(untrained(views=Mirror()), class_names=names)
    with serving(predictor) as client:
        browser.show(width, dark=dark)
        browser.open(page(client))
        browser.wait_for(READY)
        browser.draw("#board", ONE)
        browser.wait_for(ANSWERED)
        browser.screenshot(tmp_path / "page.png")

        assert browser.value("document.documentElement.scrollWidth") == width
        assert browser.least_contrast() >= 4.5
        assert browser.problems() == []


def test_the_token_is_asked_for(browser: Make, serving: Make, untrained: Make) -> None:
    with serving(untrained(), token="sesame") as client:
        browser.show(1100)
        browser.open(page(client))
        browser.wait_for("!document.getElementById('key').hidden")
        assert browser.text("#drawing") == ""
        for token in ("wrong", "sesame"):
            browser.value(f"document.getElementById('token').value = '{token}'")
            browser.value("document.querySelector('#key button').click()")
            browser.wait_for(
                "document.getElementById('what').textContent === 'the token is wrong'"
                if token == "wrong"
                else READY
            )
        browser.draw("#board", ONE)
        browser.wait_for(ANSWERED)


def test_a_service_that_is_gone_is_told(browser: Make, serving: Make, untrained: Make) -> None:
    with serving(untrained()) as client:
        browser.show(1100)
        browser.open(page(client))
        browser.wait_for(READY)
    browser.draw("#board", ONE)
    browser.wait_for("document.getElementById('problem').checkVisibility()")

    assert browser.text("#what") == "the service does not answer"
