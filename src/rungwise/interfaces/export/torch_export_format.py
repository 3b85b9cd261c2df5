"""torch.export: a graph for PyTorch without rungwise, in one file with its description."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from rungwise.interfaces.export.graph import Graph, silence

USAGE = """\
import json

import torch

about = {{"class_names": ""}}
model = torch.export.load("{file}", extra_files=about).module()
classes = json.loads(about["class_names"])
images = torch.zeros(2, {height}, {width}, {channels}, dtype=torch.uint8)  # yours: 0 to 255
with torch.no_grad():
    probabilities = model(images)
print([classes[index] for index in probabilities.argmax(1)])
"""


def write(graph: Graph, description: Mapping[str, str], path: Path) -> None:
    """Write the graph with any number of images as its input, and the description beside it."""
    images = torch.export.Dim("images")
    content = io.BytesIO()
    with silence():
        program = torch.export.export(graph, (graph.example(),), dynamic_shapes=({0: images},))
        # What nothing comes of, a reconstruction's layers, would be computed at each call. Not
        # `run_decompositions`, whose graphs fail on maps that are channels-last in memory.
        program.graph.eliminate_dead_code()
        program.graph_module.recompile()
        torch.export.save(program, content, extra_files=dict(description))
    path.write_bytes(content.getvalue())


def read(path: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the file as a function of images."""
    module = torch.export.load(io.BytesIO(path.read_bytes())).module()

    def answer(pixels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = module(pixels)
        return found

    return answer
