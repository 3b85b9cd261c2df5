"""How often a climb's interval holds the truth, and how often a worthless rung is kept.

Simulates null ladders: rungs that are all equally good, so that the true gain is 0 and every 'keep'
is false. An image is answered rightly with a probability that depends on how hard it is, on what
this rung's kind of net makes of it, and on the seed's luck.

The rows with seeds "3 to 24" climb as a budget does: after 3, 6 and 12 seeds the rungs whose
verdict is open get more, the others none.

Command: python benchmarks/verdicts.py docs/results/verdicts.json   (about 15 minutes)
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rungwise.ladder.comparison import Answers, Gain, compare, verdicts
from rungwise.ladder.verdict import SEEDS_AT_LOOKS, look_at

RUNGS = 5
DESIGNS = ("own images", "shared images", "overlapping images")
SEEDS = (2, 3, 5, 10)


class World(NamedTuple):
    """How many images a rung is measured on, and what it owes to luck."""

    images: int
    seed_luck: float
    taste: float


WORLDS = (
    World(images=200, seed_luck=0.2, taste=1.0),
    World(images=2000, seed_luck=0.2, taste=1.0),
    World(images=2000, seed_luck=0.02, taste=1.0),
    World(images=2000, seed_luck=0.0, taste=0.0),
)
OVERLAP_SHARE = 0.15
"""Each seed validates on this share of a pool, as a climb's splits do."""


def choose_images(rng: np.random.Generator, design: str, seeds: int, images: int) -> np.ndarray:
    """Return the identities of each seed's images: (seeds, images)."""
    if design == "own images":
        return np.arange(seeds * images).reshape(seeds, images)
    if design == "shared images":
        return np.tile(np.arange(images), (seeds, 1))
    pool = int(images / OVERLAP_SHARE)
    return np.stack([rng.choice(pool, images, replace=False) for _ in range(seeds)])


def null_ladder(rng: np.random.Generator, chosen: np.ndarray, world: World) -> list[list[Answers]]:
    """Return the answers of equally good rungs, for each seed, on the chosen images."""
    pool = int(chosen.max()) + 1
    ease = rng.normal(1.5, 2.0, pool)
    tastes = rng.normal(0, world.taste, (RUNGS, pool))
    return [
        [
            Answers(images, rng.random(len(images)) < 1 / (1 + np.exp(-logits)))
            for images in chosen
            for logits in [ease[images] + tastes[rung, images] + rng.normal(0, world.seed_luck)]
        ]
        for rung in range(RUNGS)
    ]


def simulate(
    rng: np.random.Generator,
    design: str,
    seeds: int | None,
    ladders: int,
    world: World,
) -> dict[str, float]:
    """Return the interval's coverage and the shares of false keeps, by rung and by ladder."""
    held, false_keeps, ladders_with_one = 0, 0, 0
    for _ in range(ladders):
        chosen = choose_images(rng, design, seeds or SEEDS_AT_LOOKS[-1], world.images)
        rungs = null_ladder(rng, chosen, world)
        gains = fixed_gains(rungs) if seeds else adaptive_gains(rungs)
        keeps = verdicts(gains).count("keep")
        held += sum(g.interval is not None and g.interval[0] <= 0 <= g.interval[1] for g in gains)
        false_keeps += keeps
        ladders_with_one += keeps > 0
    comparisons = ladders * (RUNGS - 1)
    return {
        "coverage": held / comparisons,
        "false_keeps_per_rung": false_keeps / comparisons,
        "ladders_with_a_false_keep": ladders_with_one / ladders,
    }


def fixed_gains(rungs: list[list[Answers]]) -> list[Gain]:
    """Return the gains of all rungs, each from all seeds."""
    return [compare(rungs[i], rungs[i - 1]) for i in range(1, RUNGS)]


def adaptive_gains(rungs: list[list[Answers]]) -> list[Gain]:
    """Return the gains where looks at the verdicts decide who gets further seeds."""
    counts = [SEEDS_AT_LOOKS[0]] * (RUNGS - 1)
    for after in SEEDS_AT_LOOKS[1:]:
        told = verdicts([gain_after(rungs, i, count) for i, count in enumerate(counts)])
        counts = [
            after if verdict == "unclear" and count == SEEDS_AT_LOOKS[look_at(after) - 2] else count
            for verdict, count in zip(told, counts, strict=True)
        ]
    return [gain_after(rungs, i, count) for i, count in enumerate(counts)]


def gain_after(rungs: list[list[Answers]], index: int, seeds: int) -> Gain:
    """Return the gain of one rung over the one below it from so many seeds."""
    base, rung = rungs[index], rungs[index + 1]
    return compare(rung[:seeds], base[:seeds], looks=look_at(seeds))


def main() -> None:
    """Simulate every design, number of seeds and world, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--ladders", type=int, default=2000)
    options = parser.parse_args()
    rows = []
    for design in DESIGNS:
        for seeds in (*SEEDS, *([None] if design == DESIGNS[-1] else [])):
            for number, world in enumerate(WORLDS):
                rng = np.random.default_rng([DESIGNS.index(design), seeds or 0, number])
                figures = simulate(rng, design, seeds, options.ladders, world)
                rows.append(
                    {"design": design, "seeds": seeds or "3 to 24", **world._asdict(), **figures}
                )
                print(json.dumps(rows[-1]), flush=True)
    names = ("coverage", "false_keeps_per_rung", "ladders_with_a_false_keep")
    means = {name: float(np.mean([row[name] for row in rows])) for name in names}
    print(json.dumps(means))
    record = {"ladders": options.ladders, "means": means, "rows": rows}
    options.path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
