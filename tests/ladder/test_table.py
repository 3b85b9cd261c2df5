"""A climb's table and what stands beneath it."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rungwise.ladder.comparison import Answers, Gain
from rungwise.ladder.result import ClimbResult, Final, Measured, RungResult
from rungwise.ladder.run import Run
from rungwise.ladder.rung import Ladder, Rung
from rungwise.ladder.table import header, notes, rows, title, to_html, to_text
from rungwise.models import MLP
from rungwise.training.recipe import Recipe

RUN = Run(Path(), {"seconds": 2.0, "flops": 3e9})


def measured(*accuracies: float, images: tuple[int, ...] = (3, 4)) -> tuple[Measured, ...]:
    per_class = [SimpleNamespace(images=count) for count in images]
    evaluations = [
        SimpleNamespace(accuracy=one, balanced_accuracy=one - 0.2, per_class=per_class)
        for one in accuracies
    ]
    return tuple(
        Measured(cast(Any, evaluation), cast(Answers, None), Path("p"), "fingerprint")
        for evaluation in evaluations
    )


def result_of(name: str, *accuracies: float, **settings: Any) -> RungResult:
    seeds = tuple(range(len(accuracies)))
    rung = Rung(recipe=Recipe(name=name, model=MLP()), change="+ <that>", **settings)
    test = measured(*(one - 0.1 for one in accuracies))
    return RungResult(rung, seeds, measured(*accuracies), test, ((RUN,),) * len(seeds))


def gain_of(values: tuple[float, ...], further_seeds: int | None) -> Gain:
    interval = (-0.01, 0.03) if len(values) > 1 else None
    return Gain(0.0125, values, interval, None, 0.0, 0.5, further_seeds)


PLAIN = result_of("plain", 0.9, 0.9)
SHIFTED = replace(
    result_of("shifted", 0.9, 0.92, base="plain"),
    gain=gain_of((0.0, 0.02), 4),
    verdict="unclear",
)


@pytest.fixture
def result(tmp_path: Path) -> ClimbResult:
    ladder = Ladder(name="two", data="digits", title="Two", rungs=(PLAIN.rung, SHIFTED.rung))
    folder = tmp_path / "climbs" / "two"
    return ClimbResult(ladder, "digits", (0, 1), "sealed", (PLAIN, SHIFTED), folder, 0)


def cell(result: ClimbResult, row: int, column: str) -> str:
    return rows(result)[row][header(result).index(column)]


def with_rung(result: ClimbResult, rung: RungResult) -> ClimbResult:
    return replace(result, rungs=(PLAIN, rung))


def test_a_row_tells_figures_over_the_seeds_and_what_was_gained(result: ClimbResult) -> None:
    assert dict(zip(header(result), rows(result)[1], strict=True)) == {
        "rung": "shifted",
        "change": "+ <that>",
        "validation": "91.00% ± 1.41",
        "test": "81.00% ± 1.41",
        "over": "plain",
        "gain": "+1.25 (−1.00 to +3.00)",
        "verdict": "unclear: 4 more seeds",
        "seeds": "2",
        "seconds": "2.0",
        "operations": "3e+09",
    }


def test_balanced_accuracy_has_a_column_where_classes_are_unequal(result: ClimbResult) -> None:
    unequal = replace(SHIFTED, validation=measured(0.9, 0.92, images=(2, 3)))

    shown = with_rung(result, unequal)

    assert header(shown)[2:5] == ["validation", "test", "balanced"]
    assert cell(shown, 1, "balanced") == "71.00% ± 1.41"
    assert any(note.startswith("Balanced: ") for note in notes(shown))
    assert "balanced" not in header(result)
    assert not any(note.startswith("Balanced: ") for note in notes(result))
    assert unequal.to_dict()["val_balanced_accuracy"]["mean"] == pytest.approx(0.71)


def test_the_first_rung_has_no_gain(result: ClimbResult) -> None:
    assert [cell(result, 0, name) for name in ("over", "gain", "verdict")] == ["", "", ""]


def test_articles_figures_stand_beside_ours_where_there_are_any(result: ClimbResult) -> None:
    rung = replace(SHIFTED, rung=replace(SHIFTED.rung, reference=0.995))

    assert "article" not in header(result)
    assert cell(with_rung(result, rung), 1, "article") == "99.50%"
    assert cell(with_rung(result, rung), 0, "article") == ""


def test_a_control_is_named_one(result: ClimbResult) -> None:
    rung = replace(SHIFTED, rung=replace(SHIFTED.rung, control=True))

    assert cell(with_rung(result, rung), 1, "rung") == "shifted (control)"


def test_validation_on_the_test_set_and_sealed_tests_are_told(result: ClimbResult) -> None:
    recipe = replace(SHIFTED.rung.recipe, validation="test")
    rung = replace(SHIFTED, rung=replace(SHIFTED.rung, recipe=recipe), test=())

    assert cell(with_rung(result, rung), 1, "validation") == "= test"
    assert cell(with_rung(result, rung), 1, "test") == "-"


@pytest.mark.parametrize(
    ("gain", "verdict", "told"),
    [
        (gain_of((0.0, 0.02), None), "unclear", "unclear"),
        (gain_of((0.0, 0.02), 1), "unclear", "unclear: 1 more seed"),
        (gain_of((0.02,), None), "unclear", "unclear"),
        (gain_of((0.0, 0.02), 0), "keep", "keep"),
    ],
)
def test_a_verdict_that_is_open_tells_what_it_would_take(
    result: ClimbResult, gain: Gain, verdict: Any, told: str
) -> None:
    rung = replace(SHIFTED, gain=gain, verdict=verdict)

    assert cell(with_rung(result, rung), 1, "verdict") == told


def test_a_gain_of_one_seed_has_no_interval(result: ClimbResult) -> None:
    rung = replace(SHIFTED, gain=gain_of((0.02,), None))

    assert cell(with_rung(result, rung), 1, "gain") == "+1.25"


def test_the_title_tells_the_most_seeds_where_rungs_have_different_numbers(
    result: ClimbResult,
) -> None:
    more = replace(result_of("shifted", 0.9, 0.9, 0.9, base="plain"), gain=SHIFTED.gain)

    assert title(result) == "Two [digits, 2 seeds]"
    assert title(replace(with_rung(result, more), seeds=(0, 1, 2))) == "Two [digits, up to 3 seeds]"


def test_what_was_left_out_and_the_budget_are_told(result: ClimbResult) -> None:
    told = notes(replace(result, budget=90.0, left_out=("shifted was not measured",)))

    assert "paid for by wider intervals" in told[0]
    assert told[-2:] == ["Budget: 1m30s.", "Left out: shifted was not measured."]
    assert "paid for" not in notes(result)[0]


@pytest.mark.parametrize(("count", "times"), [(1, "once"), (2, "2 times")])
def test_earlier_openings_of_the_test_set_are_told(
    result: ClimbResult, count: int, times: str
) -> None:
    ledger = result.folder.parent.parent / "ledger.jsonl"

    told = notes(replace(result, earlier_openings=count))

    assert f"The test set had been opened {times} before ({ledger})." in told
    assert not [note for note in notes(result) if "opened" in note]


def test_a_sealed_test_set_and_a_single_seed_are_told(result: ClimbResult) -> None:
    sealed = replace(result, rungs=tuple(replace(rung, test=()) for rung in result.rungs))

    assert "No test images were looked at." in notes(sealed)
    assert "No test images were looked at." not in notes(result)
    assert notes(replace(result, seeds=(0,)))[-1].startswith("One seed tells nothing")


def test_the_net_to_use_is_told_with_its_file(result: ClimbResult) -> None:
    final = Final(SHIFTED.rung.recipe, ((RUN,),), Path("model.safetensors"), 1347)
    tested = replace(final, test=tuple(measured(0.8125)))

    path = Path("model.safetensors").resolve()
    assert notes(replace(result, final=final))[-1] == (
        f"Final net: shifted, fitted to 1347 images: {path}"
    )
    assert "1347 images, test 81.25%: " in notes(replace(result, final=tested))[-1]
    twice = replace(final, runs=((RUN,), (RUN,)), test=tuple(measured(0.8, 0.9)))
    assert (
        "1347 images with 2 seeds, test 85.00% ± 7.07: "
        in (notes(replace(result, final=twice))[-1])
    )


def test_a_reading_is_explained_unless_it_is_the_usual_one(result: ClimbResult) -> None:
    leaving_out = replace(result, ladder=replace(result.ladder, reading="leave-one-out"))

    assert any(note.startswith("Reading: leave-one-out.") for note in notes(leaving_out))
    assert not any(note.startswith("Reading") for note in notes(result))


def test_text_is_a_table_whose_columns_stand_beneath_each_other(result: ClimbResult) -> None:
    lines = to_text(result).splitlines()

    assert lines[0] == title(result)
    place = lines[1].index("verdict")
    assert lines[3][place:].startswith("unclear: 4 more seeds  ")
    assert lines[-1] == f"Report: {result.report.resolve()}"
    assert repr(result) == to_text(result)


def test_html_holds_the_same_cells_escaped(result: ClimbResult) -> None:
    html = to_html(result)

    assert html.count("<tr>") == 3
    assert "<td>+ &lt;that&gt;</td>" in html
    assert "<that>" not in html
