"""What `environment.json` holds."""

import json

import torch

import rungwise
from rungwise.ladder.environment import describe_environment


def test_the_environment_is_plain_facts() -> None:
    facts = describe_environment(torch.device("cpu"))

    assert json.loads(json.dumps(facts)) == facts
    assert facts["rungwise"] == rungwise.__version__
    assert facts["torch"] == torch.__version__
    assert facts["threads"] == torch.get_num_threads()
    assert (facts["device"], facts["gpu"]) == ("cpu", None)
    assert facts["processor"]
