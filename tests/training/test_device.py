import pytest
import torch

from rungwise.errors import UsageError
from rungwise.training.device import choose_device


@pytest.mark.parametrize("name", ["auto", "cuda", "cuda:0"])
def test_a_child_whose_parent_has_used_a_gpu_is_refused_all_but_the_processor(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)

    with pytest.raises(UsageError, match="forked from one that had used a GPU"):
        choose_device(name)

    assert choose_device("cpu") == torch.device("cpu")
