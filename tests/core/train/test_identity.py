"""k micro-batches = one batch, two processes = one: for every task, and methods that train few parameters."""

import os
from pathlib import Path

import pytest
import torch

from benchmarks import core_identity as identity
from tests.processes import begin

LIMIT = 1e-6


@pytest.fixture(scope="module")
def both(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, torch.Tensor]]:
    """What two processes trained."""
    folder = tmp_path_factory.mktemp("pair")
    told = ("-m", "benchmarks.core_identity", *identity.words(str(tiny_encoder), folder))
    ranks = [begin(*told, rank, environment={**os.environ, "FIELDTUNE_DTYPE": "float32"}) for rank in range(2)]
    for rank in ranks:
        rank.join()
    assert [rank.exitcode for rank in ranks] == [0, 0]
    return identity.trained(folder)


@pytest.mark.parametrize("case", identity.CASES, ids=lambda case: case.name)
def test_the_weights_do_not_depend_on_how_a_step_is_computed(
    case: identity.Case, tiny_encoder: Path, tmp_path: Path, both: dict[str, dict[str, torch.Tensor]]
) -> None:
    one = identity.moved(case, str(tiny_encoder), 1, tmp_path / "1")
    four = identity.moved(case, str(tiny_encoder), 4, tmp_path / "4")
    assert identity.apart(one, four) <= LIMIT
    assert identity.apart(one, both[case.name]) <= LIMIT
    assert identity.largest(one) > 1e-3  # it did train


def test_a_contrastive_batch_in_pieces_moves_the_weights_as_the_whole(tiny_encoder: Path, tmp_path: Path) -> None:
    whole = identity.compared(str(tiny_encoder), False, 10_000, tmp_path / "whole")
    assert identity.apart(whole, identity.compared(str(tiny_encoder), False, 24, tmp_path / "pieces")) <= LIMIT
    assert identity.apart(whole, identity.compared(str(tiny_encoder), True, 24, tmp_path / "cached")) <= LIMIT
    assert identity.largest(whole) > 1e-3
