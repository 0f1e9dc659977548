"""The lean forward pass against transformers' own body, and batches side by side against one after the other."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel, RobertaConfig, RobertaModel

from fieldtune.infer.engine import TOKEN_BUDGET
from fieldtune.infer.lean import lean, packable, packs, product
from fieldtune.infer.sidebyside import side_by_side
from fieldtune.models import load_encoder
from fieldtune.models.encoder import load_encoder_folder, pad

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, "vocab_size": 50}


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def body(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    made = {
        "bert": lambda: BertModel(BertConfig(**SIZES)),
        "tanh": lambda: BertModel(BertConfig(**SIZES, hidden_act="gelu_new")),
        "roberta": lambda: RobertaModel(RobertaConfig(**SIZES, pad_token_id=1)),
    }[kind]().eval()
    with torch.no_grad():  # fresh biases are zero and norms one, which would hide a wrong one
        for weight in made.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return made


@pytest.mark.parametrize("kind", ["bert", "tanh", "roberta"])
@pytest.mark.parametrize("lengths", [[7, 7, 7], [9, 4, 1], [60, 33]], ids=["one length", "padded", "long"])
def test_it_is_what_transformers_computes(kind: str, lengths: list[int]) -> None:
    rng = np.random.default_rng(0)
    ids, mask = pad([rng.integers(2, 50, length).tolist() for length in lengths], pad_id=1)
    model = body(kind)
    fast = lean(model, torch.float32)
    assert fast is not None
    with torch.inference_mode():
        theirs = model(input_ids=ids, attention_mask=mask).last_hidden_state
        ours = fast(input_ids=ids, attention_mask=mask).last_hidden_state
        assert (ours - theirs)[mask.bool()].abs().max() <= 1e-5
        moved = (
            (fast(input_ids=ids, attention_mask=torch.ones_like(mask)).last_hidden_state - theirs)[mask.bool()]
            .abs()
            .max()
        )
        assert (moved > 1e-3) == (len(set(lengths)) > 1)  # the padding does matter


@pytest.mark.parametrize("sign", [1, -1])
def test_scores_whose_exponentials_overflow_or_vanish_are_attended_to_as_there(sign: int) -> None:
    ids, mask = pad([[3, 4, 5, 6, 7], [8, 9, 10]], pad_id=0)
    model = body("bert")
    part = model.encoder.layer[0].attention.self
    with torch.no_grad():  # one large score for all keys, which shares do not show, and what differs from key to key
        part.key.bias += 100.0 * sign
        part.query.bias += 1.0
    fast = lean(model, torch.float32)
    assert fast is not None
    with torch.inference_mode():
        theirs, ours = (run(input_ids=ids, attention_mask=mask).last_hidden_state for run in (model, fast))
    assert (ours - theirs)[mask.bool()].abs().max() <= 1e-3


@pytest.mark.parametrize("lengths", [[4, 2], [90, 70]], ids=["short", "long"])
def test_in_bfloat16_it_points_the_same_way(lengths: list[int]) -> None:
    rng = np.random.default_rng(0)
    ids, mask = pad([rng.integers(2, 50, length).tolist() for length in lengths], pad_id=0)
    model = body("bert")
    fast = lean(model, torch.bfloat16)
    assert fast is not None
    with torch.inference_mode():
        theirs, ours = (run(input_ids=ids, attention_mask=mask).last_hidden_state for run in (model, fast))
    assert torch.cosine_similarity(theirs, ours.float(), dim=-1)[mask.bool()].min() > 0.999


def test_vectors_and_second_texts_go_in_as_they_do_there() -> None:
    ids, mask = pad([[3, 4, 5, 6], [7, 8]], pad_id=0)
    second = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 0]])
    model = body("bert")
    fast = lean(model, torch.float32)
    assert fast is not None
    with torch.inference_mode():
        found = [
            run(inputs_embeds=run.get_input_embeddings()(ids), attention_mask=mask, token_type_ids=second)
            for run in (model, fast)
        ]
        plain = model(input_ids=ids, attention_mask=mask)
    theirs, ours, without = (run.last_hidden_state[mask.bool()] for run in (*found, plain))
    assert (ours - theirs).abs().max() <= 1e-5
    assert (without - theirs).abs().max() > 1e-2


def test_another_architecture_keeps_its_own_body() -> None:
    small = DistilBertConfig(vocab_size=50, dim=32, n_layers=1, n_heads=2, hidden_dim=48)
    assert lean(DistilBertModel(small), torch.float32) is None
    assert lean(BertModel(BertConfig(**SIZES, hidden_act="relu")), torch.float32) is None


def test_another_number_format_keeps_the_body() -> None:
    assert lean(body("bert"), torch.float16) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tokens", [3, 70])
def test_a_text_without_tokens_beside_others_is_numbers(dtype: torch.dtype, tokens: int) -> None:
    ids, mask = torch.full((2, tokens), 5), torch.ones((2, tokens), dtype=torch.long)
    mask[1] = 0
    fast = lean(body("bert"), dtype)
    assert fast is not None
    with torch.inference_mode():
        both = fast(input_ids=ids, attention_mask=mask).last_hidden_state
        alone = fast(input_ids=ids[:1], attention_mask=mask[:1]).last_hidden_state
    assert bool(both.isfinite().all())
    assert (both[0] - alone[0]).abs().max() <= 0.05


@pytest.mark.parametrize("gelu", [None, "none", "tanh"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_product_packed_or_plain(gelu: str | None, packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if packed and not packable(torch.float32):
        pytest.skip("this torch has no packed products")
    monkeypatch.setattr("fieldtune.infer.lean.packs", lambda _: packed)
    rng = np.random.default_rng(1)
    x, weight, bias = (torch.from_numpy(rng.normal(size=size)).float() for size in ((5, 24), (16, 24), (16,)))
    exact = x.double() @ weight.double().T + bias
    exact = exact if gelu is None else torch.nn.functional.gelu(exact, approximate=gelu)
    assert (product(weight, bias, torch.float32, gelu)(x) - exact).abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("instructions", ["AVX2", "AVX512"])
def test_float32_is_packed_where_torch_itself_is_slower(
    instructions: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: instructions)
    assert packs(dtype) == (packable(dtype) and (instructions, dtype) != ("AVX2", torch.float32))


def test_side_by_side_gives_the_same_bits_in_the_same_order(tiny_encoder: Path, two_threads: None) -> None:
    words = ["card", "lost", "refund", "order", "account", "transfer", "cancel", "my", "the", "how", "to", "is"]
    rng = np.random.default_rng(2)
    texts = [" ".join(rng.choice(words, rng.integers(1, 40))) for _ in range(400)]
    assert sum(len(text.split()) for text in texts) > 8 * TOKEN_BUDGET
    several = load_encoder(tiny_encoder).encode(texts)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert load_encoder(tiny_encoder).encode(texts).tobytes() == several.tobytes()
    alone = np.concatenate([load_encoder(tiny_encoder).encode([text]) for text in texts[::80]])
    np.testing.assert_allclose(several[::80], alone, atol=1e-6)


def test_what_fails_side_by_side_fails_outside(two_threads: None) -> None:
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(lambda number: 1 / number, [1, 2, 0, 4]))
    assert torch.get_num_threads() == 2


def test_tokens_are_those_of_the_tokenizer_itself(tiny_encoder: Path) -> None:
    encoder = load_encoder_folder(tiny_encoder)
    texts = ["my card is lost", "", "卡丢了 refund " * 20]
    theirs = encoder.tokenizer(texts, truncation=True, max_length=12, padding=False)["input_ids"]
    assert encoder.tokens(texts, 12) == theirs
    assert max(map(len, theirs)) == 12
