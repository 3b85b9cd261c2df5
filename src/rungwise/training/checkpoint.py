"""A training's whole state in one safetensors file, written atomically, with no pickle."""

import contextlib
import dataclasses
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_safetensors

from rungwise.errors import DamagedError, RunError, UsageError
from rungwise.json_text import Amount, Count, parse_json, shaped
from rungwise.models.size import bytes_of
from rungwise.storage import write_bytes
from rungwise.techniques import EpochRecord, Weights
from rungwise.training.loop import Training
from rungwise.training.parsing import dump_training

CHECKSUM = "crc32"

MOST_HEADER_BYTES = 2**24
MOST_COPIES_OF_WEIGHTS = 20
"""Weights, their average, the best and the frozen ones, and an optimizer's moments in float64."""

_UNUSABLE = (SafetensorError, OSError, ValueError, KeyError, TypeError, IndexError, RuntimeError)
"""What a header that does not fit makes its reader raise."""


class _State(TypedDict):
    """The description of a training's state, beside its tensors."""

    epoch: Count
    step: Count
    best_epoch: Count
    seconds: Amount
    history: list[dict[str, float | None]]


def save(training: Training, path: Path) -> None:
    """Write all that `restore` needs to go on bit for bit.

    Raises:
        StorageError: The disk is full or the place cannot be written.
    """
    tensors = {f"net.{name}": tensor for name, tensor in training.net.state_dict().items()}
    groups = {
        "average": training.average,
        "best": training.best,
        "frozen": training.frozen,
        "choice": training.supply.choice,
    }
    for group, weights in groups.items():
        tensors |= {f"{group}.{name}": tensor for name, tensor in (weights or {}).items()}
    for number, weights in enumerate(training.snapshots):
        tensors |= {f"snapshot.{number}.{name}": tensor for name, tensor in weights.items()}
    for index, slots in training.optimizer.state_dict()["state"].items():
        for name, tensor in slots.items():
            if tensor is not None:
                tensors[f"optimizer.{index}.{name}"] = tensor
    tensors["sums"] = training.sums
    write_tensors(
        path,
        tensors,
        {
            "training": _identity(training),
            "epoch": training.epoch,
            "step": training.step,
            "best_epoch": training.best_epoch,
            "seconds": training.seconds,
            "history": [dataclasses.asdict(record) for record in training.history],
        },
    )


def restore(training: Training, path: Path) -> None:
    """Put a fresh training of the same recipe, data and seed into the saved state.

    Raises:
        RunError: The file is damaged, or of another recipe, seed or number of images.
    """
    with opened_tensors(path) as file:
        if file.bytes > _most_bytes(training):
            raise ValueError(f"it holds {file.bytes:,} bytes, more than such a training has")
        tensors, identity = file.read(), _identity(training)
        if file.metadata.get("training", identity) != identity:
            raise RunError(
                f"{path} is the state of another training",
                expected="the state of this recipe, seed and number of images",
                fix=f"remove the run's folder {path.parent} and train it again",
            )
        state = shaped(_State, file.metadata)
        history: list[dict[str, Any]] = [{**record} for record in state["history"]]
    names = ("net", "average", "best", "frozen", "choice", "optimizer")
    groups: dict[str, Weights] = {name: {} for name in names}
    for name, tensor in tensors.items():
        group, _, rest = name.partition(".")
        groups.setdefault(group, {})[rest] = tensor.to(training.device)
    try:
        training.net.load_state_dict(groups["net"])
        training.sums = tensors["sums"].to(training.device)
        training.history = [EpochRecord(**record) for record in history]
        training.epoch, training.step = state["epoch"], state["step"]
        training.seconds, training.best_epoch = state["seconds"], state["best_epoch"]
        _restore_optimizer(training.optimizer, groups["optimizer"])
        training.snapshots = _snapshots(groups.get("snapshot", {}))
        for name, tensor in training.supply.choice.items():
            tensor.copy_(groups["choice"][name])
    except (RuntimeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise damaged(path, str(error).splitlines()[0]) from None
    training.average = groups["average"] or None
    training.best = groups["best"] or None
    training.frozen = groups["frozen"]


def _most_bytes(training: Training) -> int:
    """Return more bytes than a training's state can take."""
    held = [*training.net.state_dict().values(), *training.supply.choice.values()]
    copies = training.recipe.nets + MOST_COPIES_OF_WEIGHTS
    return sum(map(bytes_of, held)) * copies + MOST_HEADER_BYTES


def _identity(training: Training) -> dict[str, Any]:
    """Tell, in JSON's plain values, which trainings may go on from a state."""
    recipe = dump_training(training.recipe)
    return {"recipe": recipe, "seed": str(training.seed), "images": len(training.supply.images)}


def _snapshots(tensors: Weights) -> list[Weights]:
    snapshots: dict[int, Weights] = {}
    for name, tensor in tensors.items():
        number, _, rest = name.partition(".")
        snapshots.setdefault(int(number), {})[rest] = tensor
    return [snapshots[number] for number in sorted(snapshots)]


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Weights) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, slot = name.partition(".")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # Fused optimizers walk the memory: the slots must be laid out as the parameter is.
            tensor = torch.empty_like(parameter).copy_(tensor)
        slots.setdefault(int(index), {})[slot] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})


def write_tensors(path: Path, tensors: Weights, metadata: dict[str, Any]) -> None:
    """Write tensors and JSON metadata as one safetensors file, whole or not at all.

    The memory layout (channels-last) is not kept: the file holds plain row-major tensors.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps({**metadata, CHECKSUM: _checksum(plain, metadata)})
    # Not `save_file`, which puts a file of its own, without our mode and lock, in this one's place.
    write_bytes(path, as_safetensors(plain, {"rungwise": text}))


def _checksum(tensors: Weights, metadata: dict[str, Any]) -> int:
    """Return a sum over the metadata and each tensor that tells altered bytes."""
    total = zlib.crc32(json.dumps(metadata).encode())
    for name, tensor in sorted(tensors.items()):
        total = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), total)
        total = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, total)
    return total


@dataclasses.dataclass(frozen=True)
class TensorFile:
    """A file that `write_tensors` wrote, of which only the header was read.

    Args:
        path: The file.
        metadata: Its description, JSON values.
        shapes: Of its tensors, by name.
        bytes: Of all tensors.
    """

    path: Path
    metadata: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    bytes: int
    _file: Any
    _checksum: int | None

    def read(self) -> Weights:
        """Read all tensors.

        Raises:
            DamagedError: Their content was altered.
        """
        tensors = {name: self._file.get_tensor(name) for name in self.shapes}
        if self._checksum not in (None, _checksum(tensors, self.metadata)):
            raise damaged(self.path, "its content was altered")
        return tensors


@contextlib.contextmanager
def opened_tensors(path: Path) -> Iterator[TensorFile]:
    """Open what `write_tensors` wrote; no tensor takes memory before `read` is called.

    So what the header claims can be checked first. What the block raises over values that do not
    fit is told as damage of the file.

    Raises:
        RunError: The file is missing, cut off, altered or not ours.
    """
    if not os.path.lexists(path):
        raise RunError(
            f"{path} does not exist",
            expected="a .safetensors file that rungwise wrote",
            fix="check the path",
        )
    try:
        _require_short_header(path)
        with safe_open(path, framework="pt") as file:
            yield _looked_at(path, file)
    except UsageError as error:
        raise damaged(path, error.problem) from None
    except _UNUSABLE as error:
        raise damaged(path, (str(error) or type(error).__name__).splitlines()[0]) from None


def _require_short_header(path: Path) -> None:
    """Refuse a header that would take much memory to parse; it begins with its length."""
    with path.open("rb") as file:
        if int.from_bytes(file.read(8), "little") > MOST_HEADER_BYTES:
            raise ValueError("its header is too long")


def _looked_at(path: Path, file: Any) -> TensorFile:
    metadata = parse_json((file.metadata() or {}).get("rungwise", "null"))
    if not isinstance(metadata, dict):
        raise damaged(path, "it was not written by rungwise")
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
    shapes = {name: tuple(one.get_shape()) for name, one in slices.items()}
    size = path.stat().st_size  # safetensors has compared it with the shapes
    return TensorFile(path, metadata, shapes, size, file, metadata.pop(CHECKSUM, None))


def read_tensors(path: Path) -> tuple[Weights, dict[str, Any]]:
    """Read what `write_tensors` wrote, of which nothing is known beforehand.

    Raises:
        RunError: The file is missing, cut off, altered or not ours.
    """
    with opened_tensors(path) as file:
        return file.read(), file.metadata


def damaged(path: Path, why: str) -> DamagedError:
    """Return the error for a file of a run that cannot be used."""
    of_a_run = (path.parent / "recipe.yaml").exists()
    return DamagedError(
        f"{path} is damaged: {why}",
        expected="a file as rungwise wrote it",
        fix=f"remove the run's folder {path.parent} and train it again, or restore the file"
        if of_a_run
        else "restore the file from a copy",
    )
