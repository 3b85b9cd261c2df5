"""What the verdicts say, in plain sentences that claim no more than the numbers do."""

from collections.abc import Sequence
from typing import Any

from rungwise.ladder.numbers import counted, percent, points
from rungwise.report.records import Records


def summarize_climb(records: Records) -> str:
    """Return one paragraph."""
    compared = [rung for rung in records.rungs if rung["gain"] is not None]
    sentences = [_opening(records, compared)]
    if compared and len(records.seeds) > 1:
        sentences += _judged(records, compared)
    sentences += [_top(records), *_references(records)]
    if records.chosen_on_test:
        sentences.append(
            "The test set was used for choosing, as the article did, so these accuracies are "
            "better than what unseen images would give."
        )
    return " ".join(sentence for sentence in sentences if sentence)


def warnings_of(records: Records) -> list[str]:
    """Return what a reader must know before believing the figures."""
    warnings = []
    if records.chosen_on_test:
        warnings.append(
            "Chosen on the test set: this climb follows the article's own protocol. Its test "
            "accuracies are no measure of unseen images."
        )
    earlier = records.climb["test_opened_before"]
    if earlier:
        times = "once" if earlier == 1 else f"{earlier} times"
        warnings.append(
            f"The test set had been opened {times} before. Whoever changed anything after an "
            "earlier look has chosen on the test set; the gains on validation images still stand."
        )
    if len(records.seeds) == 1:
        warnings.append(
            "One seed: nothing is known about the spread, and no verdict can be given. Climb with "
            "three seeds or more."
        )
    if records.measured_on == "validation":
        warnings.append("The data set has no test part: all figures are of validation images.")
    return warnings


def _opening(records: Records, compared: Sequence[dict[str, Any]]) -> str:
    if not compared:
        return "Nothing was compared: no rung of this climb has a base to be measured against."
    changes = counted(len(compared), "change")
    images = "validation images" if records.chosen_on == "validation" else "test images"
    measured = "was" if len(compared) == 1 else "were"
    seeds = counted(len(records.seeds), "seed")
    if len(records.seeds) == 1:
        return (
            f"{changes} {measured} measured on {images} with one seed only, which cannot tell a "
            "gain from chance: no verdict can be given."
        )
    return f"{changes} {measured} measured on {images} with {seeds}, the same for every rung."


def _judged(records: Records, compared: Sequence[dict[str, Any]]) -> list[str]:
    by_verdict = {
        verdict: [rung for rung in compared if rung["verdict"] == verdict]
        for verdict in ("keep", "drop", "unclear")
    }
    kept = [rung for rung in by_verdict["keep"] if not rung["control"]]
    sentences = []
    if kept:
        sentences.append(f"Worth keeping: {_listed(kept)}.")
        sentences += [_contradiction(rung, records) for rung in kept]
    sentences += [
        f"Better, though a control: {_told(rung)}. So much has another cause than the technique "
        "that it controls for."
        for rung in by_verdict["keep"]
        if rung["control"]
    ]
    if by_verdict["drop"]:
        sentences.append(f"Made it worse: {_listed(by_verdict['drop'])}.")
    if by_verdict["unclear"]:
        sentences.append(_unclear(by_verdict["unclear"], everything=len(compared)))
    return sentences


def _listed(rungs: Sequence[dict[str, Any]]) -> str:
    return "; ".join(_told(rung) for rung in rungs)


def _told(rung: dict[str, Any]) -> str:
    low, high = rung["interval"]
    return (
        f"{rung['name']}, {points(rung['gain'])} percentage points over {rung['base']} "
        f"(95% interval {points(low)} to {points(high)})"
    )


def _contradiction(rung: dict[str, Any], records: Records) -> str:
    """Say so where the test set does not agree with a verdict from validation images."""
    if records.chosen_on == "test" or rung["test_accuracy"] is None:
        return ""
    base = records.rung(rung["base"])
    gain = rung["test_accuracy"]["mean"] - base["test_accuracy"]["mean"]
    if gain > 0:
        return ""
    return f"On the test set, however, {rung['name']} was not better ({points(gain)})."


def _unclear(rungs: Sequence[dict[str, Any]], everything: int) -> str:
    needs = [(rung["gain_details"]["further_seeds"], rung["name"]) for rung in rungs]
    nearest = min(((seeds, name) for seeds, name in needs if seeds), default=None)
    if len(rungs) == 1:
        sentence = (
            f"Unclear: {rungs[0]['name']}; with these seeds and images its gain cannot be told "
            "from noise, which does not mean that it is nothing."
        )
    else:
        names = ", ".join(rung["name"] for rung in rungs)
        which = "All of them are unclear" if len(rungs) == everything else f"Unclear: {names}"
        sentence = (
            f"{which}; with these seeds and images their gains cannot be told from noise, which "
            "does not mean that they are nothing."
        )
    if nearest is None:
        return sentence
    seeds, name = nearest
    return (
        f"{sentence} If the difference that {name} makes is as large as it looks, about "
        f"{counted(seeds, 'further seed')} would show it."
    )


def _top(records: Records) -> str:
    rung = records.rung(records.top)
    parts = [
        f"{percent(accuracy['mean'])} of the {name} images"
        for name, accuracy in (
            ("validation", rung["val_accuracy"]),
            ("test", rung["test_accuracy"]),
        )
        if accuracy and not (name == "validation" and records.chosen_on_test)
    ]
    mean = f" (means over {len(records.seeds)} seeds)" if len(records.seeds) > 1 else ""
    return f"The top rung, {rung['name']}, is right on {' and '.join(parts)}{mean}."


def _references(records: Records) -> list[str]:
    told = [
        f"{percent(rung['reference'])} for {rung['name']} (here {percent(accuracy['mean'])})"
        for rung in records.rungs
        if rung["reference"] is not None and (accuracy := rung["test_accuracy"])
    ]
    return [f"The article gives a test accuracy of {', '.join(told)}."] if told else []
