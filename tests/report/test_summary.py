"""The summary claims what the verdicts say, and no more."""

from dataclasses import replace
from typing import Any

import pytest

from rungwise.report.summary import summarize_climb, warnings_of


def test_each_verdict_has_its_sentence(records_of: Any, rung: Any) -> None:
    text = summarize_climb(
        records_of(
            rung("plain", 0.5, reference=0.55),
            rung("kept", 0.6, "plain", gain=0.1, interval=[0.05, 0.15], verdict="keep"),
            rung("bad", 0.5, "kept", gain=-0.1, interval=[-0.2, -0.05], verdict="drop"),
            rung(
                *("vague", 0.61, "kept"),
                gain=0.01,
                interval=[-0.1, 0.12],
                verdict="unclear",
                further_seeds=4,
            ),
        )
    )

    assert "3 changes were measured on validation images with 2 seeds" in text
    assert "Worth keeping: kept, +10.00 percentage points over plain" in text
    assert "(95% interval +5.00 to +15.00)" in text
    assert "Made it worse: bad, −10.00" in text
    assert "Unclear: vague; with these seeds and images its gain cannot be told" in text
    assert "about 4 further seeds would show it" in text
    assert "The top rung, vague, is right on 61.00% of the validation images" in text
    assert "The article gives a test accuracy of 55.00% for plain (here 50.00%)." in text


def test_an_unclear_ladder_praises_nothing(records_of: Any, rung: Any) -> None:
    vague = {"gain": 0.01, "interval": [-0.1, 0.12], "verdict": "unclear"}
    text = summarize_climb(
        records_of(rung("a", 0.5), rung("b", 0.51, "a", **vague), rung("c", 0.52, "b", **vague))
    )

    assert "All of them are unclear" in text
    assert "Worth keeping" not in text
    assert "would show it" not in text


def test_a_control_that_gains_is_no_praise_of_the_technique(records_of: Any, rung: Any) -> None:
    better = {"gain": 0.1, "interval": [0.05, 0.15], "verdict": "keep", "control": True}
    text = summarize_climb(records_of(rung("a", 0.5), rung("b", 0.6, "a", **better)))

    assert "Better, though a control: b, +10.00" in text
    assert "Worth keeping" not in text
    assert "The top rung, a," in text


def test_a_test_set_that_disagrees_is_told(records_of: Any, rung: Any) -> None:
    kept = rung("b", 0.6, "a", gain=0.1, interval=[0.05, 0.15], verdict="keep")
    kept["test_accuracy"] = {"mean": 0.49, "std": 0.0, "values": [0.49, 0.49]}

    assert "On the test set, however, b was not better (−1.00)." in summarize_climb(
        records_of(rung("a", 0.5), kept)
    )


def test_one_seed_gives_no_verdict(records_of: Any, rung: Any) -> None:
    records = records_of(
        rung("a", 0.5, seeds=[0]),
        rung("b", 0.9, "a", gain=0.4, verdict="unclear", seeds=[0]),
        seeds=[0],
    )

    assert "no verdict can be given" in summarize_climb(records)
    assert "unclear" not in summarize_climb(records)
    assert any(text.startswith("One seed") for text in warnings_of(records))


def test_a_rung_alone_is_compared_with_nothing(records_of: Any, rung: Any) -> None:
    assert "Nothing was compared" in summarize_climb(records_of(rung("a", 0.5)))


def test_openings_and_choosing_on_the_test_set_are_warned_of(records_of: Any, rung: Any) -> None:
    plain = records_of(rung("a", 0.5))
    again = records_of(rung("a", 0.5), test_opened_before=3)
    recipes = {"a": {**plain.circumstances["recipes"]["a"], "validation": "test"}}
    article = replace(plain, circumstances={**plain.circumstances, "recipes": recipes})

    assert warnings_of(plain) == []
    assert "had been opened 3 times before" in " ".join(warnings_of(again))
    assert warnings_of(article)[0].startswith("Chosen on the test set")
    assert "The test set was used for choosing" in summarize_climb(article)
    assert "validation images" not in summarize_climb(article)


def test_seeds_that_differ_are_told_and_a_single_one_judges_nothing(
    records_of: Any, rung: Any
) -> None:
    records = records_of(
        rung("a", 0.5),
        rung("b", 0.6, "a", gain=0.1, interval=[0.05, 0.15], verdict="keep"),
        rung("c", 0.9, "b", gain=0.4, verdict="unclear", seeds=[0]),
    )

    text = summarize_climb(records)

    assert "with 1 to 2 seeds, each rung paired with the same seeds" in text
    assert "Worth keeping: b" in text
    assert "nclear" not in text
    assert "The top rung, c, is right on 90.00% of the validation images and" in text
    assert "(means over" not in text
    assert warnings_of(records) == ["Measured with one seed, which gives no verdict: c."]


def test_what_is_left_out_is_praised_where_the_top_is_better(records_of: Any, rung: Any) -> None:
    lacking = {"left_out": True, "interval": [0.05, 0.15], "verdict": "keep", "gain": 0.1}
    better_without = rung("without-decay", 0.5, "top", **lacking)
    better_without["test_accuracy"] = {"mean": 0.62, "std": 0.0, "values": [0.62, 0.62]}
    unclear = {"left_out": True, "gain": 0.01, "interval": [-0.1, 0.12], "verdict": "unclear"}
    records = records_of(
        rung("top", 0.6),
        better_without,
        rung("without-shift", 0.59, "top", **unclear),
        reading="leave-one-out",
    )

    text = summarize_climb(records)

    assert text.startswith("2 changes were measured, by leave-one-out from top, on validation")
    assert "Worth keeping: decay, with which top has +10.00 percentage points over" in text
    assert "On the test set, however, top was not better than without-decay (−2.00)." in text
    assert "Unclear: shift;" in text
    assert "The top rung, top, is right on 60.00%" in text


def test_added_one_at_a_time_the_best_stands_for_all(records_of: Any, rung: Any) -> None:
    unclear = {"gain": 0.1, "interval": [-0.1, 0.3], "verdict": "unclear"}
    records = records_of(
        rung("first", 0.5),
        rung("good", 0.7, "first", **unclear),
        rung("last", 0.6, "first", **unclear),
        reading="add-one",
    )

    text = summarize_climb(records)

    assert "2 changes were measured, alone on first, on validation images" in text
    assert "The most accurate rung, good, is right on 70.00%" in text
    assert records.featured == "good"


@pytest.mark.parametrize(("test_images", "reason"), [(360, "stayed sealed"), (0, "no test part")])
def test_why_no_test_image_was_looked_at(
    records_of: Any, rung: Any, test_images: int, reason: str
) -> None:
    sealed = records_of(rung("a", 0.5, test_accuracy=None))
    sealed.circumstances["dataset"]["test_images"] = test_images

    [warning] = warnings_of(sealed)

    assert reason in warning
    assert "the test images" not in summarize_climb(sealed)


def test_the_final_net_is_told_with_or_without_test_images(records_of: Any, rung: Any) -> None:
    final = {"rung": "a", "model": "m", "train_images": 1438, "test_accuracy": None}
    accuracy = {"mean": 0.975, "std": 0.001, "values": [0.974, 0.976]}
    tested = records_of(rung("a", 0.5), rung("b", 0.4), final={**final, "test_accuracy": accuracy})
    untested = records_of(rung("a", 0.5), final=final)

    assert "The final net is a, fitted to 1438 images, and right on 97.50% ± 0.10 of the test" in (
        summarize_climb(tested)
    )
    assert summarize_climb(untested).endswith("The final net is a, fitted to 1438 images.")
    assert (tested.top, tested.featured) == ("b", "a")
