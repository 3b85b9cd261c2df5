"""What the verdicts say, in plain sentences that claim no more than the numbers do."""

from collections.abc import Sequence
from typing import Any

from rungwise.ladder.numbers import counted, percent, points, spread, times
from rungwise.ladder.table import ONE_SEED
from rungwise.report.records import Records, subject

READ_AS = {
    "cumulative": "",
    "add-one": ", alone on {rung},",
    "leave-one-out": ", by leave-one-out from {rung},",
}


def summarize_climb(records: Records) -> str:
    """Return one paragraph."""
    compared = [rung for rung in records.rungs if rung["gain"] is not None]
    sentences = [_opening(records, compared)]
    if len(records.seeds) > 1:
        sentences += _judged(records, compared)
    sentences += [_standing(records), *_references(records), *_final(records)]
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
        warnings.append(
            f"The test set had been opened {times(earlier)} before. Whoever changed anything after "
            "an earlier look has chosen on the test set; the gains on validation images still "
            "stand."
        )
    # Records of earlier versions do not say.
    warnings += [f"A training collapsed: {told}." for told in records.climb.get("collapsed", [])]
    return [*warnings, *_few_seeds(records), *_unopened(records)]


def _few_seeds(records: Records) -> list[str]:
    if len(records.seeds) == 1:
        return [ONE_SEED]
    single = [rung["name"] for rung in records.rungs if len(rung["seeds"]) == 1]
    if not single:
        return []
    return [f"Measured with one seed, which gives no verdict: {', '.join(single)}."]


def _unopened(records: Records) -> list[str]:
    if records.measured_on == "test" or records.chosen_on_test:
        return []
    reason = (
        "The test set stayed sealed"
        if records.dataset["test_images"]
        else "The data set has no test part"
    )
    return [f"{reason}: all figures are of validation images."]


def _opening(records: Records, compared: Sequence[dict[str, Any]]) -> str:
    if not compared:
        return "Nothing was compared: no rung of this climb has a base to be measured against."
    changes = counted(len(compared), "change")
    measured = "was" if len(compared) == 1 else "were"
    how = READ_AS[records.climb["reading"]].format(rung=records.rungs[0]["name"])
    images = f"on {records.chosen_on} images"
    if len(records.seeds) == 1:
        return (
            f"{changes} {measured} measured{how} {images} with one seed only, which cannot tell a "
            "gain from chance: no verdict can be given."
        )
    return f"{changes} {measured} measured{how} {images} with {_seeds(records)}."


def _seeds(records: Records) -> str:
    most = counted(len(records.seeds), "seed")
    if not records.seeds_differ:
        return f"{most}, the same for every rung"
    fewest = min(len(rung["seeds"]) for rung in records.rungs)
    return (
        f"{fewest} to {most}, each rung paired with the same seeds of the one it is compared with"
    )


def _judged(records: Records, compared: Sequence[dict[str, Any]]) -> list[str]:
    judged = [rung for rung in compared if len(rung["seeds"]) > 1]
    by_verdict = {
        verdict: [rung for rung in judged if rung["verdict"] == verdict]
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
    interval = f"(95% interval {points(low)} to {points(high)})"
    gain = f"{points(rung['gain'])} percentage points over"
    if rung["left_out"]:
        return f"{subject(rung)}, with which {rung['base']} has {gain} {rung['name']} {interval}"
    return f"{rung['name']}, {gain} {rung['base']} {interval}"


def _contradiction(rung: dict[str, Any], records: Records) -> str:
    """Say so where the test set does not agree with a verdict from validation images."""
    if records.chosen_on == "test" or rung["test_accuracy"] is None:
        return ""
    lead = records.test_lead(rung)
    gain = -lead if rung["left_out"] else lead
    if gain > 0:
        return ""
    better = f"{rung['base']} was not better than {rung['name']}"
    told = better if rung["left_out"] else f"{rung['name']} was not better"
    return f"On the test set, however, {told} ({points(gain)})."


def _unclear(rungs: Sequence[dict[str, Any]], everything: int) -> str:
    needs = [(rung["gain_details"]["further_seeds"], subject(rung)) for rung in rungs]
    nearest = min(((seeds, name) for seeds, name in needs if seeds), default=None)
    if len(rungs) == 1:
        sentence = (
            f"Unclear: {subject(rungs[0])}; with these seeds and images its gain cannot be told "
            "from noise, which does not mean that it is nothing."
        )
    else:
        names = ", ".join(subject(rung) for rung in rungs)
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


def _standing(records: Records) -> str:
    """Say how good the best rung of an add-one climb is, or the top one of another."""
    alone = records.climb["reading"] == "add-one"
    rung = records.rung(records.best if alone else records.top)
    parts = [
        f"{percent(accuracy['mean'])} of the {name} images"
        for name, accuracy in (
            ("validation", rung["val_accuracy"]),
            ("test", rung["test_accuracy"]),
        )
        if accuracy and not (name == "validation" and records.chosen_on == "test")
    ]
    seeds = len(rung["seeds"])
    mean = f" (means over {seeds} seeds)" if seeds > 1 else ""
    place = "most accurate" if alone else "top"
    return f"The {place} rung, {rung['name']}, is right on {' and '.join(parts)}{mean}."


def _final(records: Records) -> list[str]:
    final = records.final
    if final is None:
        return []
    tested = ""
    if final["test_accuracy"] is not None:
        tested = f", and right on {spread(final['test_accuracy'])} of the test images"
    images = counted(final["train_images"], "image")
    return [f"The final net is {final['rung']}, fitted to {images}{tested}."]


def _references(records: Records) -> list[str]:
    told = [
        f"{percent(rung['reference'])} for {rung['name']} (here {percent(accuracy['mean'])})"
        for rung in records.rungs
        if rung["reference"] is not None and (accuracy := rung["test_accuracy"])
    ]
    return [f"The article gives a test accuracy of {', '.join(told)}."] if told else []
