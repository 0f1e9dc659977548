"""Contrastive batches computed in pieces against the plain computation with everything padded to one length."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from fieldtune.data.tables import training_table
from fieldtune.errors import ConfigError, InputError
from fieldtune.models.encoder import pad
from fieldtune.pipeline import finetune
from fieldtune.tasks import embedding
from fieldtune.tasks.common import Body, trainable
from fieldtune.train.settings import Settings

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

    problem = embedding._token_problem(encoder, tokens, Settings(token_budget=budget, temperature=0.05))
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
        problem = embedding._token_problem(encoder, tokens, chosen)
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
