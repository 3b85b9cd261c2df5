"""The summary claims what the verdicts say, and no more."""

from dataclasses import replace
from typing import Any

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
        rung("a", 0.5), rung("b", 0.9, "a", gain=0.4, verdict="unclear"), seeds=[0]
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
    article = replace(plain, circumstances={"recipes": recipes})

    assert warnings_of(plain) == []
    assert "had been opened 3 times before" in " ".join(warnings_of(again))
    assert warnings_of(article)[0].startswith("Chosen on the test set")
    assert "The test set was used for choosing" in summarize_climb(article)
    assert "validation images" not in summarize_climb(article)
