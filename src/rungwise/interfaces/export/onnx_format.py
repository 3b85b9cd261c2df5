"""ONNX: a graph for onnxruntime and other engines, in one file with its description."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import torch

from rungwise.interfaces.export.graph import Graph, silence

USAGE = """\
import json

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}")
classes = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
images = np.zeros((2, {height}, {width}, {channels}), dtype=np.uint8)  # yours: 0 to 255
(probabilities,) = session.run(["probabilities"], {{"pixels": images}})
print([classes[index] for index in probabilities.argmax(axis=1)])
"""


def write(graph: Graph, description: Mapping[str, str], path: Path) -> None:
    """Write the graph with any number of images as its input, and the description beside it."""
    with silence():
        exported = torch.onnx.export(
            graph,
            (graph.example(),),
            input_names=["pixels"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("images")},),
            dynamo=True,
            verbose=False,
        )
        program = cast(torch.onnx.ONNXProgram, exported)  # None is the other exporter's
        program.model.metadata_props.update(description)
        program.save(path, external_data=False)


def read(path: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the file as a function of images, run by onnxruntime on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )

    def answer(pixels: torch.Tensor) -> torch.Tensor:
        found = session.run(["probabilities"], {"pixels": pixels.contiguous().numpy()})
        return torch.from_numpy(found[0])

    return answer
