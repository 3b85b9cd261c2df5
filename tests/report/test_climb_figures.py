"""The pictures of a climb."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.augment import MirroredCopies, Shift
from rungwise.data import load
from rungwise.ladder.climb import Climb
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import MLP, Multitask
from rungwise.report import pictures
from rungwise.report.climb_figures import Sources, draw_climb_figures
from rungwise.report.records import read_records
from rungwise.techniques import Reconstruction
from rungwise.training.recipe import Members, Recipe

PLAIN = Recipe(
    name="plain", model=MLP(hidden_widths=(4,)), epochs=1, batch_size=20, precision="float32"
)
TASKS = replace(
    PLAIN,
    name="tasks",
    model=Multitask(conv_width=2, dense_width=4),
    techniques=(Reconstruction(),),
    augment=(MirroredCopies(),),
)
TWO = replace(
    PLAIN,
    name="two",
    ensemble=(Members(count=1), Members(count=1, augment=(Shift(pixels=1),))),
)
LADDER = Ladder(
    name="small",
    data="digits",
    title="Three rungs",
    rungs=(
        Rung(recipe=PLAIN, change="nothing yet"),
        Rung(recipe=TWO, change="two nets"),
        Rung(recipe=TASKS, change="an autoencoder"),
    ),
)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    whole = load("digits")
    assert whole.test is not None
    dataset = replace(
        whole,
        train=whole.train.take(torch.arange(60)),
        test=whole.test.take(torch.arange(20)),
    )
    work = Climb(LADDER, dataset, (0,), tmp_path, torch.device("cpu"))
    result = work.run()
    return Sources(read_records(result.folder), dataset)


def test_every_net_shows_what_it_has(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_curves: list[list[str]] = []
    real = pictures.curves

    def watch(histories: dict[str, Any], path: Path) -> Path:
        drawn_curves.append(list(histories))
        return real(histories, path)

    monkeypatch.setattr(pictures, "curves", watch)

    sections = draw_climb_figures(sources)

    names = [picture.name for section in sections for picture in section.pictures]
    assert names == [
        *("waterfall", "curves", "confusion", "reliability", "mistakes"),
        *("reconstructions-tasks", "augmented-two.1", "network"),
    ]
    figures = sources.records.folder / "figures"
    assert {path.name for path in figures.iterdir()} == {
        f"{name}{suffix}" for name in names for suffix in (".png", ".svg")
    }
    # The ensemble's first member is the first rung's net.
    assert drawn_curves == [["plain", "tasks"], ["plain", "tasks"]]


def test_a_perfect_rung_has_no_gallery_and_an_old_one_goes(sources: Sources) -> None:
    draw_climb_figures(sources)
    gallery = sources.records.folder / "figures" / "mistakes.png"
    assert gallery.is_file()
    sources.__dict__["wrong"] = []

    sections = draw_climb_figures(sources)

    [mistakes] = [
        section for section in sections if section.title == "Most confident mistakes of tasks"
    ]
    assert mistakes.pictures == []
    assert "made no mistake on the validation images of seed 0" in mistakes.note
    assert not gallery.exists()


def test_without_the_data_old_pictures_stay_and_missing_ones_are_told(sources: Sources) -> None:
    blind = Sources(sources.records, None, "the data set digits is gone")

    sections = {section.title: section for section in draw_climb_figures(blind)}

    assert sections["Gains, rung by rung"].pictures
    assert sections["What tasks confuses"].pictures
    for title in ("Most confident mistakes of tasks", "Reconstructions", "Augmented images"):
        assert sections[title].pictures == []
        assert sections[title].note == "Left out: the data set digits is gone."
    draw_climb_figures(sources)
    assert all(section.pictures for section in draw_climb_figures(blind))
