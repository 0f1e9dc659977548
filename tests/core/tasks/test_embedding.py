"""Contrastive batches computed in pieces against the plain computation with everything padded to one length."""

from pathlib import Path

import pytest
import torch

from fieldtune.models.encoder import pad
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
    encoder = trainable(tiny_encoder, 0.0)
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
