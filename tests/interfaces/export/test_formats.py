"""Each format with each kind of predictor, and each architecture in each format."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.interfaces.export.formats import FORMATS, Format
from rungwise.interfaces.export.graph import Graph
from rungwise.prediction.predictor import Predictor

DESCRIPTION = {"class_names": '["a", "b", "c"]', "recipe": "own"}


@pytest.fixture(params=list(FORMATS))
def kind(request: pytest.FixtureRequest) -> Format:
    kind = FORMATS[request.param]
    for package in kind.packages:
        pytest.importorskip(package, reason="needs the extra onnx")
    return kind


def test_a_file_gives_the_predictors_answers_for_any_number_of_images(
    predictor: Predictor, kind: Format, noise: Any, tmp_path: Path
) -> None:
    kind.write(Graph(predictor), DESCRIPTION, tmp_path / "file")
    answer = kind.read(tmp_path / "file")

    for count in (1, 2, 7, 40):
        pixels = noise(count).images
        found, expected = answer(pixels), predictor.in_float32().probabilities(pixels)
        assert found.shape == (count, 3)
        assert (found - expected).abs().max() < 1e-5


def test_every_architecture_can_be_exported(
    of_each_model: Predictor, kind: Format, noise: Any, tmp_path: Path
) -> None:
    kind.write(Graph(of_each_model), DESCRIPTION, tmp_path / "file")

    found = kind.read(tmp_path / "file")(noise().images)

    assert (found - of_each_model.in_float32().probabilities(noise().images)).abs().max() < 1e-5


def test_exporters_print_nothing(
    plain: Predictor, kind: Format, tmp_path: Path, capfd: Any
) -> None:
    kind.write(Graph(plain), DESCRIPTION, tmp_path / "file")
    kind.read(tmp_path / "file")

    assert capfd.readouterr() == ("", "")


def two_headed() -> Graph:
    from rungwise.models import Multitask
    from rungwise.models.input import ScaledNetwork
    from rungwise.randomness import generator
    from rungwise.training.recipe import Recipe

    recipe = Recipe(model=Multitask(conv_width=2, dense_width=4))
    net = recipe.model.build((1, 8, 8), 3, generator("net"))
    network = ScaledNetwork(net, torch.zeros(1), torch.ones(1)).eval()
    return Graph(Predictor(recipe, (recipe,), (network,), ("a", "b", "c"), (1, 8, 8)))


def test_onnx_says_what_it_is_and_holds_no_decoder(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
    pytest.importorskip("onnxscript", reason="needs the extra onnx")
    FORMATS["onnx"].write(two_headed(), DESCRIPTION, tmp_path / "model.onnx")

    model = onnx.load(tmp_path / "model.onnx")

    onnx.checker.check_model(model, full_check=True)
    assert {one.key: one.value for one in model.metadata_props}.items() >= DESCRIPTION.items()
    [pixels], [probabilities] = model.graph.input, model.graph.output
    assert (pixels.name, probabilities.name) == ("pixels", "probabilities")
    assert pixels.type.tensor_type.shape.dim[0].dim_param == "images"
    assert [one.dim_value for one in pixels.type.tensor_type.shape.dim[1:]] == [8, 8, 1]
    assert not [one.name for one in model.graph.initializer if "autoencoder" in one.name]


def test_torch_export_says_what_it_is_and_computes_no_reconstruction(tmp_path: Path) -> None:
    FORMATS["torch-export"].write(two_headed(), DESCRIPTION, tmp_path / "model.pt2")

    about = dict.fromkeys(DESCRIPTION, "")
    content = io.BytesIO((tmp_path / "model.pt2").read_bytes())
    program = torch.export.load(content, extra_files=about)

    called = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert about == DESCRIPTION
    assert sum("conv2d" in name for name in called) == 6  # the encoder's
    assert not [name for name in called if "upsample" in name]
