import math
from dataclasses import replace

import pytest
import torch

from rungwise.data.images import LabelledImages
from rungwise.errors import ConfigError
from rungwise.models import MLP, Compact
from rungwise.randomness import generator
from rungwise.techniques import Lookahead, WeightAveraging
from rungwise.training import loop
from rungwise.training.loop import Training
from rungwise.training.optimizer import SGD
from rungwise.training.passes import Recorded
from rungwise.training.recipe import Recipe
from rungwise.training.seed import Seed

RECIPE = Recipe(
    model=Compact(widths=(4,), stem_width=4),
    techniques=(Lookahead(every=3, decay=0.8),),
    optimizer=SGD(lr=0.05, momentum=0, nesterov=False),
    epochs=4,
    batch_size=4,
    precision="float32",
)


def training(recipe: Recipe, n: int = 10) -> Training:
    pixels = torch.randint(256, (n, 8, 8, 1), generator=generator("pixels")).byte()
    data = LabelledImages(pixels, torch.arange(n) % 3, ("a", "b", "c"))
    return Training(recipe, data, data, Seed(), torch.device("cpu"))


def test_slow_weights_start_as_a_copy_of_the_first() -> None:
    weights = {"w": torch.tensor([2.0])}

    slow = Lookahead().average(None, weights, 1, 100)
    weights["w"].add_(1)

    assert slow is not None
    assert slow["w"].tolist() == [2.0]


def test_both_meet_every_few_steps_and_not_between() -> None:
    technique = Lookahead(every=5, decay=0.64)
    slow, net = {"w": torch.tensor([1.0])}, {"w": torch.tensor([5.0])}

    for step in (2, 3, 4, 6):
        technique.average(slow, net, step, 20)
        assert (slow["w"].item(), net["w"].item()) == (1.0, 5.0)

    # step 10 of 20: d = 0.64 · (1/2)³ = 0.08, so 1 + 0.92 · 4
    technique.average(slow, net, 10, 20)
    assert slow["w"].item() == net["w"].item() == pytest.approx(4.68)
    # step 20 of 20: d = 0.64, so 4.68 + 0.36 · (10 - 4.68)
    net["w"].fill_(10)
    technique.average(slow, net, 20, 20)
    assert slow["w"].item() == net["w"].item() == pytest.approx(6.5952)


def test_float_buffers_take_part_and_counters_stay_the_nets() -> None:
    slow = {"running_mean": torch.tensor(1.0), "num_batches": torch.tensor(3)}
    net = {"running_mean": torch.tensor(5.0), "num_batches": torch.tensor(9)}

    Lookahead(every=5, decay=0.5).average(slow, net, 10, 10)

    assert slow["running_mean"].item() == net["running_mean"].item() == 3.0
    assert slow["num_batches"].item() == net["num_batches"].item() == 9


def test_default_decay_is_that_of_the_source() -> None:
    assert Lookahead().decay == pytest.approx(0.77378, abs=1e-5)  # 0.95^5


def flat(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def test_a_training_follows_the_rule_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    made = training(RECIPE)
    steps = iter(made.steps())
    next(steps)
    slow = flat(made.net)
    fast = {}
    act = Lookahead.average

    def noted(self: Lookahead, average, weights, step, steps):  # type: ignore[no-untyped-def]
        fast.update({name: tensor.clone() for name, tensor in weights.items()})
        return act(self, average, weights, step, steps)

    monkeypatch.setattr(Lookahead, "average", noted)
    for step, _ in enumerate(steps, 2):
        if step % 3 == 0:
            follow = 1 - 0.8 * (step / 12) ** 3
            for name, tensor in slow.items():
                if tensor.is_floating_point():
                    slow[name] = tensor + follow * (fast[name] - tensor)
                else:
                    slow[name] = fast[name]
            torch.testing.assert_close(flat(made.net), slow)
        else:
            torch.testing.assert_close(flat(made.net), fast)
        torch.testing.assert_close(made.average, slow)
    assert step == 12


def test_the_last_steps_behind_a_meeting_do_not_count() -> None:
    made = training(replace(RECIPE, techniques=(Lookahead(every=7),)))

    at_seven = None
    for step, _ in enumerate(made.steps(), 1):
        if step == 7:
            at_seven = flat(made.net)

    kept = flat(made.trained_network())
    assert at_seven is not None
    assert all(torch.equal(kept[name], at_seven[name]) for name in kept)
    weight = "net.head.weight"
    assert not torch.equal(made.net.state_dict()[weight], kept[weight])


def test_the_program_and_pytorchs_own_pass_go_on_from_the_same_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fast = training(RECIPE)
    monkeypatch.setattr(loop, "make_pass", Recorded)
    slow = training(RECIPE)

    for one in (fast, slow):
        for _ in one.steps():
            pass

    torch.testing.assert_close(flat(fast.net), flat(slow.net), atol=1e-4, rtol=1e-3)


def test_a_second_technique_that_keeps_weights_is_refused() -> None:
    with pytest.raises(ConfigError, match="lookahead and weight-averaging each say") as caught:
        Recipe(model=MLP(), techniques=(Lookahead(), WeightAveraging()))

    assert caught.value.expected
    assert caught.value.fix


def test_a_training_that_is_too_short_is_refused() -> None:
    made = training(replace(RECIPE, epochs=1, techniques=(Lookahead(every=4),)))

    with pytest.raises(ConfigError, match="every 4 steps, and the training has 3") as caught:
        list(made.steps())

    assert caught.value.fix


@pytest.mark.parametrize(
    "settings",
    [{"every": 1}, {"every": 0}, {"decay": 0}, {"decay": 1}, {"decay": 77}, {"decay": math.nan}],
    ids=str,
)
def test_impossible_settings_are_refused_in_three_parts(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="lookahead") as caught:
        Lookahead(**settings)  # type: ignore[arg-type]

    assert caught.value.expected
    assert caught.value.fix
