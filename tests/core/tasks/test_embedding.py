"""Contrastive batches computed in pieces against the plain computation with everything padded to one length."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fieldtune.data.tables import training_table
from fieldtune.errors import ConfigError, InputError
from fieldtune.models.encoder import pad
from fieldtune.pipeline import finetune
from fieldtune.tasks import contrast
from fieldtune.train.settings import Settings
from fieldtune.train.tuning import Body, trainable

TEXTS = {
    "query": ["card", "where is my refund", "cancel"],
    "positive": ["my card is lost and the account is empty", "refund", "how to cancel the order to the account"],
    "negative": ["refund to the account", "the card", "transfer"],
}
ROWS = [2, 0, 1]


@pytest.mark.parametrize("budget", [1, 12, 10_000])
def test_pieces_give_the_loss_and_the_gradient_of_the_whole(tiny_encoder: Path, budget: int) -> None:
    encoder = trainable(tiny_encoder, "full", Settings(dropout=0.0))
    tokens = {name: encoder.tokens(texts) for name, texts in TEXTS.items()}
    module = Body(encoder)

    def vectors(name: str) -> torch.Tensor:
        out: torch.Tensor = module(*pad([tokens[name][row] for row in ROWS], encoder.tokenizer.pad_token_id))
        return out

    queries, documents = vectors("query"), torch.cat([vectors("positive"), vectors("negative")])
    scores, targets = queries @ documents.T / 0.05, torch.arange(3)
    both = (scores, scores[:, :3].T)
    whole = sum(torch.nn.functional.cross_entropy(one, targets, reduction="sum") for one in both) / 2
    whole.backward()
    wanted = {name: value.grad.clone() for name, value in module.named_parameters() if value.grad is not None}
    module.zero_grad()

    problem = contrast.token_problem(encoder, tokens, Settings(token_budget=budget, temperature=0.05))
    batch = problem.collate(ROWS)
    loss = problem.loss(module, batch)
    loss.backward()
    assert problem.items(batch) == 3
    assert loss.item() == pytest.approx(whole.item(), rel=1e-5)
    found = {name: value.grad for name, value in module.named_parameters() if value.grad is not None}
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)


def test_an_empty_negative_is_none_and_keeps_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pairs.csv").write_text("query,positive,negative\na,b,\nc,d,e\nf,g,  \n,h,i\n")
    table = training_table(tmp_path / "pairs.csv", "embedding")
    assert table.to_numpy().tolist() == [["a", "b", ""], ["c", "d", "e"], ["f", "g", ""]]
    assert "1 of 4 rows without text left out" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["full", "head"])
def test_rows_with_and_without_a_negative_train_together(
    tiny_encoder: Path, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDTUNE_DTYPE", "float32")
    rows: list[dict[str, Any]] = [{"query": f"card {a}{b}", "positive": f"order {a}{b}"} for a in "abcd" for b in "efg"]
    rows[3]["negative"] = "refund"
    done = finetune(
        "embedding", pd.DataFrame(rows), valid=pd.DataFrame(rows[:3])[["query", "positive"]], model=str(tiny_encoder),
        method=method, out=tmp_path / "out", settings={"batch_rows": 4, "max_length": 16}, progress=False,
    )  # fmt: skip
    assert done.metrics["n"] == 3


def test_a_missing_negative_leaves_the_loss_of_the_pairs(tiny_encoder: Path) -> None:
    encoder = trainable(tiny_encoder, "full", Settings(dropout=0.0))
    module, chosen = Body(encoder), Settings()
    pairs = {name: encoder.tokens(TEXTS[name]) for name in ("query", "positive")}
    losses = []
    for tokens in (pairs, {**pairs, "negative": [[], [], []]}):
        problem = contrast.token_problem(encoder, tokens, chosen)
        losses.append(problem.loss(module, problem.collate(ROWS)).item())
    assert losses[0] == pytest.approx(losses[1])


def test_what_cannot_teach_is_refused_and_leaves_no_model(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = pd.DataFrame({"query": [f"card {number}" for number in range(30)], "positive": "the account"})
    common: dict[str, Any] = {"model": str(tiny_encoder), "out": tmp_path / "out", "progress": False}
    with pytest.raises(InputError, match="30 rows that all share a query or a positive"):
        finetune("embedding", rows, valid=rows, **common)
    with pytest.raises(ConfigError, match="batch_rows of at least 2"):
        finetune("embedding", rows, valid=rows, settings={"batch_rows": 1}, **common)
    assert not (tmp_path / "out").exists()


def spread(dropout: float, cached: bool, encoder_folder: Path) -> tuple[dict[str, torch.Tensor], int]:
    """Weights after two steps of SGD, and the numbers kept between forward and backward pass."""
    encoder = trainable(encoder_folder, "full", Settings(dropout=dropout))
    tokens = {name: encoder.tokens(texts * 4) for name, texts in TEXTS.items()}
    problem = contrast.token_problem(encoder, tokens, Settings(token_budget=12, cached_gradients=cached))
    module, kept = Body(encoder).train(), 0
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    torch.manual_seed(0)

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    for rows in ([0, 1, 2], [5, 3, 4]):
        optimizer.zero_grad()
        batch = problem.collate(rows)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = problem.loss(module, batch) / problem.items(batch)
        loss.backward()
        optimizer.step()
    return {name: value.detach().clone() for name, value in module.named_parameters()}, kept


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_cached_gradients_are_the_gradients_and_keep_no_piece(tiny_encoder: Path, dropout: float) -> None:
    start = dict(Body(trainable(tiny_encoder, "full", Settings())).named_parameters())
    (plain, much), (cached, little) = (spread(dropout, cached, tiny_encoder) for cached in (False, True))
    assert max((plain[name] - start[name]).abs().max() for name in start) > 1e-3  # it did train
    assert max((plain[name] - cached[name]).abs().max() for name in start) <= 1e-6
    assert little < much / 20


def test_a_document_known_to_answer_a_query_is_no_negative_of_it() -> None:
    table = pd.DataFrame({"query": ["one", "two", "One"], "positive": ["a", "b", "c"], "negative": ["B", "C!", "x"]})
    excluded = contrast.answered(table)([0, 1])  # documents a, b, B, C!
    assert excluded.tolist() == [[False, False, False, True], [False, False, True, False]]
    queries, documents = torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    alone = contrast.contrastive(queries[:1], documents[[0, 2]], 0.5) + contrast.contrastive(
        queries[1:], documents[[1, 3]], 0.5
    )
    forward = torch.nn.functional.cross_entropy
    both = queries @ documents.T / 0.5
    first = forward(both[:1, [0, 1, 2]], torch.tensor([0]), reduction="sum")
    second = forward(both[1:, [0, 1, 3]], torch.tensor([1]), reduction="sum")
    back = forward(both[:, :2].T, torch.arange(2), reduction="sum")
    found = contrast.contrastive(queries, documents, 0.5, excluded)
    assert found.item() == pytest.approx(((first + second + back) / 2).item(), rel=1e-6)
    assert found.item() > alone.item()


def test_mined_negatives_are_near_and_wrong(tiny_encoder: Path, tmp_path: Path) -> None:
    vectors = {
        "q": [1.0, 0.0],
        "p": [0.9, 0.1],
        "q2": [0.0, 1.0],
        "near": [0.8, 0.2],
        "P!": [0.85, 0.1],
        "q3": [0.5, 0.5],
    }

    def encode(texts: Any) -> np.ndarray:
        return np.asarray([vectors[text] for text in texts], dtype=np.float32)

    table = pd.DataFrame({"query": ["q", "q2", "q3"], "positive": ["p", "near", "P!"]})
    found = contrast.with_negatives(table, encode, 2)
    assert found.loc[0, ["negative_1", "negative_2"]].tolist() == ["near", ""]  # P! says what p says
    assert found.loc[1, "negative_1"] in ("p", "P!")
    assert found.loc[1, "negative_2"] == ""
    rows = pd.DataFrame([{"query": f"card {a}{b}", "positive": f"order {a}{b}"} for a in "abcd" for b in "efg"])
    done = finetune(
        "embedding", rows, model=str(tiny_encoder), out=tmp_path / "out", progress=False,
        settings={"batch_rows": 4, "max_length": 16, "hard_negatives": 2, "cached_gradients": True, "max_steps": 2},
    )  # fmt: skip
    assert done.metrics["n"] == 1
