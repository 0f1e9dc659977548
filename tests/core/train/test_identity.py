"""k micro-batches = one batch, two processes = one: for every task, and methods that train few parameters."""

import os
from pathlib import Path

import pytest
import torch

from benchmarks import core_identity as identity

LIMIT = 1e-6


@pytest.fixture(scope="module")
def both(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, torch.Tensor]]:
    """What two processes trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIELDTUNE_DTYPE", "float32")
        patch.setenv(
            "PYTHONPATH", os.pathsep.join([str(Path(identity.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        )
        return identity.pair(str(tiny_encoder), tmp_path_factory.mktemp("pair"))


@pytest.mark.parametrize(("task", "method"), identity.NAMES)
def test_the_weights_do_not_depend_on_how_a_step_is_computed(
    task: str, method: str, tiny_encoder: Path, tmp_path: Path, both: dict[str, dict[str, torch.Tensor]]
) -> None:
    one = identity.moved(task, method, str(tiny_encoder), 1, tmp_path / "1")
    four = identity.moved(task, method, str(tiny_encoder), 4, tmp_path / "4")
    assert identity.apart(one, four) <= LIMIT
    assert identity.apart(one, both[f"{task}-{method}"]) <= LIMIT
    assert max(float(weight.abs().max()) for weight in one.values()) > 1e-3  # it did train
