"""The verdict table of the page."""

from typing import Any

from rungwise.report.verdict_table import headings, notes, shown_rows


def test_a_control_stands_below_what_it_checks(records_of: Any, rung: Any) -> None:
    rows = shown_rows(
        records_of(
            rung("cnn", 0.5),
            rung("branch", 0.5, "cnn", gain=0.0, verdict="unclear", control=True),
            rung("weights", 0.5, "branch", gain=0.0, verdict="unclear", control=True),
            rung("autoencoder", 0.6, "weights", gain=0.1, verdict="unclear"),
            rung("denoising", 0.6, "weights", gain=0.1, verdict="unclear"),
            rung("idle", 0.5, "cnn", gain=0.0, verdict="unclear", control=True),
        )
    )

    assert [(row["rung"], row["checks"], row["joined"]) for row in rows] == [
        ("cnn", "", False),
        ("autoencoder", "", True),
        ("weights", "autoencoder and denoising", True),
        ("branch", "weights", False),
        ("denoising", "", False),
        ("idle", "", False),
    ]
    assert [row["rung"] for row in rows if row["on_control"]] == [
        *("autoencoder", "weights", "denoising")
    ]


def test_seeds_have_a_column_where_they_differ(records_of: Any, rung: Any) -> None:
    few = rung("few", 0.6, "a", gain=0.1, verdict="unclear", seeds=[0])
    same = records_of(rung("a", 0.5))
    differing = records_of(rung("a", 0.5), few, budget=90.0)

    assert headings(same)["seeds"] == ""
    assert headings(differing)["seeds"] == "seeds"
    assert [(row["seeds"], row["further"]) for row in shown_rows(differing)] == [
        ("2", ""),
        ("1", "one seed"),
    ]
    assert "paid for by wider intervals" in notes(differing)
    assert "over the rung's own seeds alone" in notes(differing)
    assert "wider" not in notes(same)
    assert "own seeds" not in notes(same)


def test_balanced_accuracy_has_a_column_where_classes_are_unequal(
    records_of: Any, rung: Any
) -> None:
    equal, unequal = (records_of(rung("a", 0.5), unequal_classes=told) for told in (False, True))

    assert [headings(one)["balanced"] for one in (equal, unequal)] == ["", "balanced"]
    assert [shown_rows(one)[0]["balanced"] for one in (equal, unequal)] == ["", "40.00% ± 2.00"]
    assert "mean over the classes" in notes(unequal)
    assert "classes" not in notes(equal)


def test_left_out_rungs_and_a_sealed_test_set_change_the_headings(
    records_of: Any, rung: Any
) -> None:
    records = records_of(rung("top", 0.5, test_accuracy=None), reading="leave-one-out")

    assert headings(records) == {
        "base": "left out of",
        "gain": "gain with it",
        "test": "",
        "balanced": "",
        "reference": "",
        "seeds": "",
    }
