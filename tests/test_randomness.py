import itertools
import subprocess
import sys

import numpy as np
import torch

from rungwise.randomness import generator, seed_of


def test_seeds_are_positive_numbers_of_63_bits() -> None:
    seeds = [seed_of("a", number) for number in range(200)]

    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**62


def test_keys_that_differ_in_any_part_have_other_seeds() -> None:
    keys = list(itertools.product(range(5), ["order", "step"], range(20)))

    assert len({seed_of(*key) for key in keys}) == len(keys)


def test_parts_cannot_run_into_one_another() -> None:
    keys: list[tuple[int | str, ...]] = [(1, 23), (12, 3), (123,), ("1", 23), ("1, 23",), ()]

    assert len({seed_of(*key) for key in keys}) == len(keys)


def test_numpys_whole_numbers_are_the_same_keys() -> None:
    assert seed_of(np.int64(3), "order", np.uint8(1)) == seed_of(3, "order", 1)


def test_a_seed_is_the_same_in_another_process() -> None:
    # Python's own hash() of a text is not. The number is pinned: runs on file depend on it.
    program = "from rungwise.randomness import seed_of; print(seed_of(0, 'order', 1))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert int(done.stdout) == seed_of(0, "order", 1) == 7021862330116196507


def test_generators_of_one_key_draw_alike_and_apart_from_the_global_one() -> None:
    before = torch.get_rng_state()

    first, second = (torch.rand(5, generator=generator(3, "x")) for _ in range(2))
    other = torch.rand(5, generator=generator(4, "x"))

    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
