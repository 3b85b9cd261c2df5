"""The formats that a predictor can be exported to, by the names that `--to` takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from rungwise.interfaces.export import onnx_format, torch_export_format
from rungwise.interfaces.export.graph import Graph


@dataclass(frozen=True, kw_only=True)
class Format:
    """How a graph is written to a file and run from it.

    Args:
        suffix: Of its files.
        packages: What has to be installed beside rungwise's own needs, by the extra `onnx`.
        write: Writes a graph and its description to a path.
        read: Returns a file as a function from (N, H, W, C) uint8 to (N, K) float32.
        usage: A program that runs the file without rungwise; {file}, {height}, {width} and
            {channels} are to be filled in.
        needs: What that program needs, in words.
    """

    suffix: str
    packages: tuple[str, ...] = ()
    write: Callable[[Graph, Mapping[str, str], Path], None]
    read: Callable[[Path], Callable[[torch.Tensor], torch.Tensor]]
    usage: str
    needs: str


FORMATS: dict[str, Format] = {
    "onnx": Format(
        suffix=".onnx",
        packages=("onnx", "onnxscript", "onnxruntime"),
        write=onnx_format.write,
        read=onnx_format.read,
        usage=onnx_format.USAGE,
        needs="numpy and onnxruntime",
    ),
    "torch-export": Format(
        suffix=".pt2",
        write=torch_export_format.write,
        read=torch_export_format.read,
        usage=torch_export_format.USAGE,
        needs="torch",
    ),
}
