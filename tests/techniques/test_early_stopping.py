import math
from typing import Any

import pytest

from rungwise.errors import ConfigError
from rungwise.models import MLP
from rungwise.techniques import EarlyStopping, EpochRecord

NAN = float("nan")


def history(losses: list[float | None]) -> list[EpochRecord]:
    """Return records with these validation losses; the accuracy is one less the loss."""
    return [
        EpochRecord(epoch, 0.0, 0.0, loss, None if loss is None else 1 - loss, 0.1, 1.0)
        for epoch, loss in enumerate(losses, 1)
    ]


def epochs_until_stop(technique: EarlyStopping, values: list[float | None]) -> int | None:
    records = history(values)
    return next((n for n in range(1, len(records) + 1) if technique.stops(records[:n])), None)


def keras_epochs(values: list[float | None], patience: int, min_delta: float) -> int | None:
    """Follow `keras.callbacks.EarlyStopping.on_epoch_end`, mode 'min', line by line."""
    best, wait = math.inf, 0
    for epoch, current in enumerate(values):
        if current is None:
            continue
        wait += 1
        if current - -min_delta < best:
            best, wait = current, 0
            continue
        if wait >= patience and epoch > 0:
            return epoch + 1
    return None


SEQUENCES: list[list[float | None]] = [
    [1.0, 0.9, 0.8, 0.7],
    [1.0, 1.0, 1.0, 1.0],
    [1.0, 0.9, 0.9, 0.9, 0.8, 0.8, 0.8],
    [0.5, 0.6, 0.55, 0.5, 0.49, 0.6, 0.7, 0.8],
    [1.0, 0.95, 0.9, 0.85, 0.8, 0.75],
    [0.3, 0.2, 0.1, 0.1, 0.0],
    [NAN, NAN, NAN, 0.5, NAN, NAN],
    [1.0, NAN, 0.9, NAN, NAN, 0.8],
    [NAN, 1.0, 0.5],
    [None, 1.0, None, 1.0, None, None, 1.0],
    [None, None, None],
    [0.5, math.inf, 0.4, math.inf, math.inf],
]


@pytest.mark.parametrize("values", SEQUENCES, ids=str)
@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("min_delta", [0.0, 0.05, 0.1])
def test_epochs_are_counted_as_keras_does(
    values: list[float | None], patience: int, min_delta: float
) -> None:
    technique = EarlyStopping(patience=patience, min_delta=min_delta)

    assert epochs_until_stop(technique, values) == keras_epochs(values, patience, min_delta)


def test_patience_is_borne_after_the_best_epoch() -> None:
    # best in epoch 2, then three epochs without improvement
    assert epochs_until_stop(EarlyStopping(patience=3), [0.9, 0.5, 0.6, 0.7, 0.8, 0.4]) == 5


def test_an_equal_loss_is_no_improvement() -> None:
    assert epochs_until_stop(EarlyStopping(patience=2), [0.5, 0.5, 0.5]) == 3


def test_an_improvement_has_to_be_larger_than_min_delta() -> None:
    quarter = EarlyStopping(patience=1, min_delta=0.25)

    assert epochs_until_stop(quarter, [1.0, 0.75, 0.5]) == 2
    assert epochs_until_stop(quarter, [1.0, 0.7499, 0.49]) is None


def test_small_steps_add_up_against_the_best_epoch() -> None:
    # 0.96 is no improvement on 1.0 by 0.1, but 0.89 is
    technique = EarlyStopping(patience=3, min_delta=0.1)

    assert epochs_until_stop(technique, [1.0, 0.96, 0.92, 0.89, 0.9, 0.9, 0.9]) == 7


def test_accuracy_is_to_rise() -> None:
    technique = EarlyStopping(monitor="val_acc", patience=2)

    # accuracies 0.5, 0.6, 0.6, 0.55
    assert epochs_until_stop(technique, [0.5, 0.4, 0.4, 0.45]) == 4
    assert epochs_until_stop(technique, [0.5, 0.4, 0.3, 0.2]) is None


def test_training_never_stops_before_or_in_its_first_epoch() -> None:
    technique = EarlyStopping(patience=1)

    assert not technique.stops([])
    assert not technique.stops(history([NAN]))
    assert technique.stops(history([NAN, NAN]))


def test_training_without_validation_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing to watch"):
        EarlyStopping().check(MLP(), validated=False)


@pytest.mark.parametrize(
    "settings",
    [{"patience": 0}, {"min_delta": -0.1}, {"min_delta": NAN}, {"monitor": "val_accuracy"}],
    ids=str,
)
def test_an_impossible_setting_is_refused_in_three_parts(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="early-stopping") as caught:
        EarlyStopping(**settings)

    assert caught.value.expected
    assert caught.value.fix


def test_a_training_likely_takes_three_times_the_patience_and_never_more_than_its_epochs() -> None:
    assert EarlyStopping(patience=5).likely_epochs(100) == 15
    assert EarlyStopping(patience=5).likely_epochs(12) == 12
