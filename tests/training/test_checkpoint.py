import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rungwise.augment import AlternatingFlip, Elastic, Flip, Shift
from rungwise.augment.views import Mirror
from rungwise.data.images import LabelledImages
from rungwise.errors import DamagedError, RunError, StorageError
from rungwise.models import CNN, MLP, Compact
from rungwise.randomness import generator
from rungwise.techniques import (
    CutMix,
    EarlyStopping,
    Freezing,
    HardExamples,
    LabelSmoothing,
    Lookahead,
    Mixup,
    ProgressiveResizing,
    Snapshots,
    WeightAveraging,
    Whitening,
)
from rungwise.training.checkpoint import read_tensors, restore, save, write_tensors
from rungwise.training.loop import Training
from rungwise.training.optimizer import SGD, Adam, AdamW, Muon
from rungwise.training.recipe import Recipe
from rungwise.training.schedule import CyclicCosine, OneCycle
from rungwise.training.seed import Seed

CPU = torch.device("cpu")
LINEAR = Recipe(
    model=MLP(hidden_widths=()), optimizer=SGD(), precision="float32", epochs=3, batch_size=4
)
RECIPES = {
    "sgd": replace(LINEAR, optimizer=SGD(momentum=0.5, weight_decay=0.01)),
    "plain sgd": replace(LINEAR, optimizer=SGD(momentum=0, nesterov=False)),
    "dropout and adam": replace(
        LINEAR, model=CNN(conv_widths=(4,), dense_widths=(8,)), optimizer=Adam(lr=0.01)
    ),
    "fixed first layer and muon": replace(
        LINEAR,
        model=Compact(widths=(4,), whitened_patch=2, identity_init=True, norm_scale=False),
        techniques=(Whitening(bias_until=0.4),),
        optimizer=Muon(weight_decay=0.01),
        schedule=OneCycle(),
    ),
    "fixed first layer and lookahead": replace(
        LINEAR,
        model=Compact(widths=(4,), whitened_patch=2),
        techniques=(Whitening(bias_until=0.4), Lookahead(every=3)),
    ),
    "freezing": replace(
        LINEAR,
        model=Compact(widths=(4,), stem_width=4),
        techniques=(Freezing(at=(0.3, 0.6)), WeightAveraging(decay=0.6)),
        optimizer=AdamW(lr=0.02),
    ),
    "hard examples": replace(
        LINEAR,
        augment=(AlternatingFlip(),),
        techniques=(Mixup(), HardExamples(share=0.7, random_share=0.4), Lookahead(every=2)),
        schedule=OneCycle(),
    ),
    "scaled biases": replace(
        LINEAR, model=Compact(widths=(4,), stem_width=4), optimizer=SGD(bias_lr_factor=8)
    ),
    "everything": replace(
        LINEAR,
        model=Compact(widths=(4,), stem_width=4),
        input="standardized",
        augment=(Shift(pixels=1), Flip()),
        techniques=(
            Mixup(alpha=0.5),
            CutMix(),
            LabelSmoothing(),
            WeightAveraging(decay=0.6),
            EarlyStopping(monitor="val_acc", patience=2),
        ),
        optimizer=AdamW(lr=0.02),
        schedule=OneCycle(),
        keep="best-val-acc",
    ),
    "lookahead, alternating and resizing": replace(
        LINEAR,
        model=Compact(widths=(4,), stem_width=4),
        augment=(AlternatingFlip(), Elastic()),
        techniques=(Lookahead(every=2), ProgressiveResizing(sides=(4,), until=(0.5,))),
        optimizer=SGD(),
        keep="best-val-loss",
    ),
    "snapshots": replace(
        LINEAR,
        model=Compact(widths=(4,), stem_width=4),
        techniques=(WeightAveraging(decay=0.6), Snapshots(count=2)),
        schedule=CyclicCosine(cycles=2),  # ends within an epoch
    ),
    "each epoch's snapshot": replace(
        LINEAR, techniques=(Snapshots(count=3),), schedule=CyclicCosine(cycles=3)
    ),
}


def labelled(n: int, key: str) -> LabelledImages:
    rng = generator(key)
    labels = torch.randint(3, (n,), generator=rng)
    pixels = torch.randint(0, 256, (n, 8, 8, 2), generator=rng).byte()
    return LabelledImages(pixels, labels, ("a", "b", "c"))


def training(recipe: Recipe, *, n: int = 10, seed: Seed | None = None) -> Training:
    seed = seed or Seed()
    return Training(recipe, labelled(n, "images"), labelled(6, "validation"), seed, CPU)


def take_steps(made: Training, count: int) -> None:
    for step, _ in enumerate(made.steps(), 1):
        if step == count:
            break


def finish(made: Training) -> Training:
    for _ in made.steps():
        pass
    return made


def assert_same_weights(first: nn.Module, second: nn.Module) -> None:
    theirs = second.state_dict()
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name


def assert_same_training(first: Training, second: Training) -> None:
    assert_same_weights(first.net, second.net)
    for one, other in zip(first.trained_networks(), second.trained_networks(), strict=True):
        assert_same_weights(one, other)
    assert (first.epoch, first.step, first.best_epoch) == (
        second.epoch, second.step, second.best_epoch
    )  # fmt: skip
    for record, its_like in zip(first.history, second.history, strict=True):
        assert replace(record, seconds=0) == replace(its_like, seconds=0)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return the state of a linear training after four steps."""
    made = training(LINEAR)
    take_steps(made, 4)
    save(made, tmp_path / "last.safetensors")
    return tmp_path / "last.safetensors"


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_a_training_goes_on_bit_for_bit_after_any_step(recipe: Recipe, tmp_path: Path) -> None:
    straight = finish(training(recipe))
    path = tmp_path / "last.safetensors"

    # Before the first step, within each epoch, at each epoch's end and at the end of all.
    for step in range(10):
        stopped = training(recipe)
        if step:
            take_steps(stopped, step)
        save(stopped, path)
        resumed = training(recipe)
        restore(resumed, path)
        assert_same_training(resumed, stopped)
        assert_same_training(finish(resumed), straight)


def test_a_training_may_be_stopped_at_every_step(tmp_path: Path) -> None:
    recipe, path = RECIPES["everything"], tmp_path / "last.safetensors"
    straight = finish(training(recipe))

    made = training(recipe)
    while not made.finished:
        take_steps(made, 1)
        save(made, path)
        made = training(recipe)
        restore(made, path)

    assert_same_training(made, straight)


def test_another_name_and_other_views_may_go_on(saved: Path) -> None:
    made = training(replace(LINEAR, name="other", views=Mirror()))

    restore(made, saved)

    assert made.epoch == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: training(replace(LINEAR, optimizer=Adam())),
        lambda: training(replace(LINEAR, optimizer=SGD(lr=0.02))),
        lambda: training(replace(LINEAR, model=MLP(hidden_widths=(5,)))),
        lambda: training(replace(LINEAR, epochs=9)),
        lambda: training(LINEAR, seed=Seed(1)),
        lambda: training(LINEAR, n=11),
    ],
    ids=["optimizer", "rate", "model", "epochs", "seed", "images"],
)
def test_the_state_of_another_training_is_refused(
    make: Callable[[], Training], saved: Path
) -> None:
    with pytest.raises(RunError, match="is the state of another training") as caught:
        restore(make(), saved)

    assert caught.value.expected
    assert str(saved.parent) in str(caught.value.fix)


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_refused(share: float, saved: Path) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(DamagedError, match="is damaged") as caught:
        restore(training(LINEAR), saved)

    assert caught.value.exit_code == 1
    assert caught.value.expected
    assert caught.value.fix == "restore the file from a copy"
    (saved.parent / "recipe.yaml").touch()  # now it is a run's folder
    with pytest.raises(DamagedError) as caught:
        restore(training(LINEAR), saved)
    assert str(saved.parent) in str(caught.value.fix)


def test_a_file_with_one_altered_byte_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    name = content.index(b"crc32")  # without a checksum of that name a file is read unchecked
    made, (_, state) = training(LINEAR), read_tensors(saved)

    for place in range(0, len(content), 23):
        if name <= place < name + len(b"crc32"):
            continue
        altered = bytearray(content)
        altered[place] ^= 1
        saved.write_bytes(altered)
        try:
            restore(made, saved)
        except RunError as error:
            assert "is damaged" in str(error)
        else:  # the last digit of a number may not matter
            assert read_tensors(saved)[1] == state


def test_altered_weights_are_told(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)

    with pytest.raises(RunError, match="its content was altered"):
        restore(training(LINEAR), saved)


@pytest.mark.parametrize("missing", ["net.net.logits.weight", "sums"])
def test_a_file_that_lacks_a_tensor_is_refused(missing: str, saved: Path) -> None:
    tensors, state = read_tensors(saved)
    del tensors[missing]
    write_tensors(saved, tensors, state)

    with pytest.raises(RunError, match="is damaged"):
        restore(training(LINEAR), saved)


def test_optimizer_tensors_of_no_parameter_are_refused(saved: Path) -> None:
    for name in ("optimizer.99.momentum_buffer", "optimizer.x.momentum_buffer"):
        tensors, state = read_tensors(saved)
        write_tensors(saved, tensors | {name: torch.zeros(1)}, state)
        with pytest.raises(RunError, match="is damaged"):
            restore(training(LINEAR), saved)


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for metadata in (None, {"format": "pt"}, {"rungwise": "3"}, {"rungwise": "{"}):
        save_file({"a": torch.zeros(2)}, path, metadata)
        with pytest.raises(RunError, match="is damaged"):
            read_tensors(path)
    path.write_bytes(b"\x80\x04 a pickle, which is never loaded")
    for place in (path, tmp_path):
        with pytest.raises(RunError, match="is damaged"):
            read_tensors(place)
    with pytest.raises(RunError, match="none does not exist"):
        read_tensors(tmp_path / "none")


def test_a_file_without_checksum_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(2)}, path, {"rungwise": json.dumps({"epoch": 3})})

    tensors, metadata = read_tensors(path)

    assert tensors["a"].tolist() == [1, 1]
    assert metadata == {"epoch": 3}


def test_tensors_of_every_type_and_layout_come_back_as_they_were(tmp_path: Path) -> None:
    tensors = {
        "float": torch.rand(3, 4),
        "half": torch.rand(5).bfloat16(),
        "whole": torch.tensor(7),
        "flag": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "turned": torch.rand(3, 4).T,
        "channels last": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
    }

    write_tensors(tmp_path / "x", tensors, {"list": [1, None, "größe"]})
    read, metadata = read_tensors(tmp_path / "x")

    assert metadata == {"list": [1, None, "größe"]}
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        assert torch.equal(read[name], tensor)
        assert read[name].dtype == tensor.dtype


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied"), "no permission to write"),
        (OSError(errno.EIO, "something new"), "was not written: something new"),
    ],
    ids=["disk full", "permission", "unknown"],
)
def test_a_failing_write_leaves_the_old_state_and_nothing_else(
    error: Exception, problem: str, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()
    made = training(LINEAR)

    def fail(path: Path, content: bytes) -> None:
        path.open("wb").close()
        raise error

    monkeypatch.setattr(Path, "write_bytes", fail)

    with pytest.raises(StorageError, match=problem) as caught:
        save(made, saved)

    assert caught.value.fix
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_the_umask_decides_who_may_read_the_tensors(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_tensors(tmp_path / "x", {"a": torch.zeros(2)}, {})
    finally:
        os.umask(before)

    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


PROGRAM = """
import resource, signal, sys, torch
from pathlib import Path
from rungwise.errors import StorageError
from rungwise.training.checkpoint import write_tensors
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_tensors(Path(sys.argv[1]), {"a": torch.zeros(100_000)}, {})
except StorageError as error:
    print(error)
"""


def test_what_safetensors_says_of_a_failed_write_is_understood(saved: Path) -> None:
    pytest.importorskip("resource", reason="the system has no limit on file sizes")
    before = saved.read_bytes()

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(saved)], capture_output=True, text=True, check=True
    )

    first, *rest = done.stdout.splitlines()
    assert first == f"{saved} was not written: {os.strerror(errno.EFBIG)}"
    assert len(rest) == 2
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]
