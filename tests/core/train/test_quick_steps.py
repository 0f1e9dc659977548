"""Faster parts of a training step against torch's own, and few words against the whole table."""

from pathlib import Path

import pytest
import torch
from torch import nn

from fieldtune.infer.lean import packable
from fieldtune.models.encoder import load_encoder_folder, pad
from fieldtune.train.quick import QuickDropout, QuickLinear, quicken
from fieldtune.train.words import words_at_hand


def test_dropout_keeps_the_share_scales_the_rest_and_its_gradient_is_the_mask() -> None:
    torch.manual_seed(0)
    x = torch.full((401, 999), 2.0, requires_grad=True)
    layer = QuickDropout(0.1)
    out = layer(x)
    assert set(out.unique().tolist()) == {0.0, torch.tensor(2.0 / 0.9).item()}
    dropped = (out == 0).float().mean().item()
    assert abs(dropped - 0.1) < 4 * (0.09 / x.numel()) ** 0.5  # four standard errors
    rows = (out == 0).float().mean(1)
    assert abs(rows.std().item() - (0.09 / 999) ** 0.5) < 0.001  # numbers fall independently of their neighbours
    out.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad * 2, out.detach())
    torch.manual_seed(0)
    assert torch.equal(layer(x), out)
    assert not torch.equal(layer(x), out)
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_dropout_at_its_ends(rate: float) -> None:
    x = torch.ones(3, 5)
    assert torch.equal(QuickDropout(rate)(x), x * (1 - rate))


@pytest.mark.skipif(not packable(torch.float32), reason="this torch has no packed products")
@pytest.mark.parametrize("frozen", [(), ("weight",), ("weight", "bias")])
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_and_its_gradients(bias: bool, frozen: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fieldtune.train.quick.packs", packable)  # though torch's own product may be faster here
    torch.manual_seed(0)
    layer = nn.Linear(24, 10, bias=bias)
    x, towards = torch.randn(3, 7, 24, requires_grad=True), torch.randn(3, 7, 10)
    for name in frozen:
        if getattr(layer, name) is not None:
            getattr(layer, name).requires_grad_(False)

    def run() -> list[torch.Tensor | None]:
        x.grad = None
        layer.zero_grad()
        out = layer(x)
        (out * towards).sum().backward()
        return [out.detach(), x.grad, *(weight.grad for weight in layer.parameters())]

    theirs = run()
    quicken(layer, torch.float32)
    assert type(layer) is QuickLinear
    for ours, exact in zip(run(), theirs, strict=True):
        assert (ours is None) == (exact is None)
        if ours is not None and exact is not None:
            torch.testing.assert_close(ours, exact, atol=1e-5, rtol=1e-5)


def test_few_words_learn_what_the_whole_table_does(tiny_encoder: Path) -> None:
    tokens = [[2, 5, 6, 3], [2, 7, 3]]
    used = torch.tensor([0, 2, 3, 5, 6, 7])

    def trained(few: bool) -> tuple[torch.Tensor, torch.Tensor]:
        encoder = load_encoder_folder(tiny_encoder)
        body = encoder.body
        before = body.get_input_embeddings().weight.detach().clone()
        ids, mask = pad(tokens, 0)

        def learn() -> None:
            optimizer = torch.optim.AdamW(body.parameters(), lr=1e-2, weight_decay=0.1)
            for _ in range(3):
                optimizer.zero_grad()
                (body(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0] ** 3).sum().backward()
                optimizer.step()

        if few:
            with words_at_hand(encoder, tokens[:1], tokens[1:]):
                assert len(body.get_input_embeddings().weight) == len(used)
                learn()
                with pytest.raises(IndexError):
                    body(input_ids=torch.tensor([[2, 9, 3]]))
        else:
            learn()
        assert type(body.get_input_embeddings()) is nn.Embedding
        return body.get_input_embeddings().weight.detach(), before

    (few, before), (whole, _) = trained(True), trained(False)
    torch.testing.assert_close(few[used], whole[used], atol=1e-6, rtol=1e-5)
    assert (few[used] - before[used]).abs().max() > 1e-3
    others = torch.ones(len(before), dtype=torch.bool)
    others[used] = False
    assert torch.equal(few[others], before[others])


def test_a_frozen_table_is_left_alone(tiny_encoder: Path) -> None:
    encoder = load_encoder_folder(tiny_encoder)
    encoder.body.requires_grad_(False)
    with words_at_hand(encoder, [[2, 3]]):
        assert type(encoder.body.get_input_embeddings()) is nn.Embedding
