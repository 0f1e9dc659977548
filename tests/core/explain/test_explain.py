"""Explanations: against captum, against the exact contributions of a linear model, and on a planted trigger word."""

import html
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import fieldtune
from fieldtune.errors import InputError
from fieldtune.explain.attribution import GROUPS, PLACES, deletion, explain, integrated_gradients, occlusion, read
from fieldtune.explain.display import as_dict, as_html, terminal
from fieldtune.explain.words import without, word_of
from fieldtune.models.encoder import pool
from fieldtune.runtime import generator
from fieldtune.text.words import spans as words

PLAIN = ["how to transfer", "my order is the order", "cancel my account", "the card to the account", "my account"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rows = [(f"{text} {end}", "other") for text in PLAIN for end in "abcdefgh"]
    rows += [(f"{text} refund {end}", "refund") for text in PLAIN for end in "abcdefgh"]
    return pd.DataFrame(rows, columns=["text", "label"])


@pytest.fixture(scope="module")
def models(table: pd.DataFrame, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = {}
    for method, steps in {"linear": {}, "full": {"epochs": 8, "learning_rate": 2e-3}}.items():
        out = tmp_path_factory.mktemp(method) / "model"
        fieldtune.finetune(
            "text-classification", table, model=str(tiny_encoder), method=method, out=out, progress=False,
            settings={**steps, "refit": False},
        )  # fmt: skip
        found[method] = fieldtune.load(out)
    return found


def test_gradients_agree_with_captum_and_add_up(models: dict[str, Any]) -> None:
    from captum.attr import IntegratedGradients

    model, text = models["full"], "my refund order, the account"
    encoder, spans = model.features.encoder, words(text)
    place = model.labels.index("refund")
    weights, error = integrated_gradients(model, text, spans, place, 32)
    encoded = encoder.tokenizer(text, return_offsets_mapping=True)
    owners = torch.tensor(word_of(encoded["offset_mapping"], spans))
    table = encoder.body.get_input_embeddings()
    end = table(torch.tensor([encoded["input_ids"]])).detach()
    start = torch.where((owners >= 0)[None, :, None], table(torch.tensor([0])).detach(), end)

    def forward(embedded: torch.Tensor) -> torch.Tensor:
        mask = torch.ones(embedded.shape[:2], dtype=torch.long)
        hidden = encoder.body(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        vectors = torch.nn.functional.normalize(pool(hidden, mask, encoder.pooling), dim=1)
        logits = vectors @ torch.from_numpy(model.weight).T + torch.from_numpy(model.bias)
        return logits[:, place] - logits.mean(dim=1)

    theirs = IntegratedGradients(forward).attribute(end, start, n_steps=32, method="gausslegendre")
    by_token = theirs.sum(-1)[0].detach().numpy()
    wanted = [by_token[(owners == word).numpy()].sum() for word in range(len(spans))]
    np.testing.assert_allclose(weights, wanted, atol=1e-4)
    assert error <= 0.001
    assert read(model.features, text, spans) == list(range(len(spans)))


@pytest.mark.parametrize("method", ["linear", "full"])
def test_the_word_that_decides_is_ranked_first(models: dict[str, Any], method: str) -> None:
    texts = ("how to refund an order", "my refund is the account", "the account, my refund please")
    explained = [explain(models[method], text, rng=generator(0)) for text in texts]
    for found in explained:
        assert found.label == "refund"
        assert found.words[int(np.argmax(found.weights))] == "refund"
    assert sum(found.deletion for found in explained) < sum(found.deletion_random for found in explained)


def test_occlusion_and_deletion_of_a_linear_score_are_exact() -> None:
    worth = {"good": 3.0, "bad": -2.0, "the": 0.0, "day": 1.0}

    def score(texts: Any) -> np.ndarray:
        return np.asarray([sum(worth[word] for word in text.split()) for text in texts])

    text = "the good bad day"
    spans = words(text)
    assert occlusion(score, text, spans).tolist() == [0.0, 3.0, -2.0, 1.0]
    assert deletion(score, text, spans, [1, 3, 0, 2]) == pytest.approx(np.mean([2, -1, -2, -2, 0]))


def exact_deletion(worth: np.ndarray, order: np.ndarray) -> float:
    return float(np.mean([worth.sum() - worth[order[:count]].sum() for count in range(len(worth) + 1)]))


@pytest.mark.parametrize("count", [1, PLACES - 1, PLACES, 700])
def test_a_long_text_costs_a_limited_number_of_looks(count: int) -> None:
    worth, looked = generator(1).normal(1, 1, size=count), []

    def score(texts: Any) -> np.ndarray:
        looked.append([[int(word) for word in text.split()] for text in texts])
        return np.asarray([worth[left].sum() for left in looked[-1]])

    text = " ".join(map(str, range(count)))
    spans = words(text)
    weights = occlusion(score, text, spans)
    assert len(looked[1]) == min(count, GROUPS)
    if count <= GROUPS:
        np.testing.assert_allclose(weights, worth, atol=1e-9)
    groups = np.array_split(np.arange(count), len(looked[1]))
    np.testing.assert_allclose([weights[group].sum() for group in groups], [worth[group].sum() for group in groups])
    for order in (np.argsort(-worth), generator(2).permutation(count)):
        found = deletion(score, text, spans, order)
        assert len(looked[-1]) == min(count + 1, PLACES)
        assert found == pytest.approx(exact_deletion(worth, order), abs=1e-9 if count < PLACES else 0.01 * worth.sum())


@pytest.mark.parametrize("method", ["gradients", "occlusion"])
def test_words_that_the_encoder_does_not_read_are_counted_and_left_alone(models: dict[str, Any], method: str) -> None:
    model = models["full"]
    model.features.max_length, whole = 6, model.features.max_length
    try:
        found = explain(model, "my refund to the account of the card", rng=generator(0), method=method)
        short = explain(model, "my refund to the", rng=generator(0), method=method)
    finally:
        model.features.max_length = whole
    assert found.cut == 4
    assert found.weights == pytest.approx((*short.weights, 0, 0, 0, 0), abs=1e-6)
    assert found.deletion == pytest.approx(short.deletion, abs=1e-6)
    assert found.deletion_random == pytest.approx(short.deletion_random, abs=1e-6)
    assert found.completeness_error == pytest.approx(short.completeness_error, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("  ", {}, "a text with words"),
        ("refund", {"label": "nothing"}, "a label out of other, refund"),
        ("refund", {"method": "magic"}, "a method out of"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    models: dict[str, Any], text: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        explain(models["full"], text, rng=generator(0), **options)
    with pytest.raises(InputError, match="n-grams"):
        explain(models["linear"], "refund", rng=generator(0), method="gradients")


@given(st.text(max_size=60))
def test_words_cover_the_letters_and_do_not_overlap(text: str) -> None:
    spans = words(text)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert not any(letter.isalnum() for letter in without(text, spans))
    assert word_of(spans, spans) == list(range(len(spans)))


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)).map(lambda pair: (pair[0], pair[0] + pair[1]))),
    st.lists(st.integers(0, 40), unique=True).map(sorted),
)
def test_the_word_of_a_token_shares_most_with_it(offsets: list[tuple[int, int]], ends: list[int]) -> None:
    spans = list(zip(ends[::2], ends[1::2], strict=False))
    for (start, end), owner in zip(offsets, word_of(offsets, spans), strict=True):
        shared = [min(end, last) - max(start, first) for first, last in spans]
        best = int(np.argmax(shared)) if shared else -1
        assert owner == (best if best >= 0 and shared[best] > 0 else -1)


def test_chinese_is_explained_by_the_character() -> None:
    assert [("我的卡 lost!")[start:end] for start, end in words("我的卡 lost!")] == ["我", "的", "卡", "lost", "!"]


def test_what_the_user_wrote_is_shown_and_never_obeyed(models: dict[str, Any]) -> None:
    text = "<script>refund</script> [red]my[/red] order"
    found = explain(models["full"], text, rng=generator(0))
    assert "<script>" not in as_html(found)
    assert "支持" in as_html(found, "zh")
    assert terminal(found).plain == text
    assert [word["word"] for word in as_dict(found)["words"]] == found.words  # type: ignore[attr-defined]


def test_half_a_character_is_explained_as_the_question_mark_that_is_read(models: dict[str, Any]) -> None:
    half, plain = "my refund\udcff the \ud800 account", "my refund? the ? account"
    model, spans = models["full"], words(half)
    for found, wanted in zip(
        integrated_gradients(model, half, spans, 0, 8), integrated_gradients(model, plain, spans, 0, 8), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    found = explain(model, half, rng=generator(0))
    assert (found.text, [found.text[start:end] for start, end in spans]) == (half, found.words)
    shown = half.replace("\udcff", "\ufffd").replace("\ud800", "\ufffd")
    assert html.unescape(re.sub(r"<[^<>]*>", "", as_html(found).partition("</div>")[0])) == shown
    assert terminal(found).plain == shown


def test_the_page_shows_the_text_as_it_was_written(models: dict[str, Any]) -> None:
    text = "<b>my</b>  **new** order,\n谢谢 \u3000it's & done"
    shown = as_html(explain(models["linear"], text, rng=generator(0))).partition("</div>")[0]
    assert html.unescape(re.sub(r"<[^<>]*>", "", shown)) == text
    boxes = re.findall(r'<span title="[^"]*" style="([^"]*)">', shown)
    assert len(boxes) == len(words(text))
    beside = [
        re.findall(r"(?:padding|margin|border)[^:;]*:([^;]*)", re.sub("border-radius:[^;]*", "", box)) for box in boxes
    ]
    assert all(sides == ["1px 0"] for sides in beside)  # above and below, nothing between two words


def test_the_command_explains(models: dict[str, Any], cli: Any, tmp_path: Path) -> None:
    from fieldtune.models.folder import staged

    with staged(tmp_path / "model") as folder:
        models["full"].save(folder)
    ran = cli(
        "explain", "--model", tmp_path / "model", "--text", "my refund", "--html", tmp_path / "why.html", "--json"
    )
    assert ran.code == 0, ran.err
    assert ran.json["label"] == "refund"
    assert ran.json["completeness_error"] <= 0.01
    assert "refund" in (tmp_path / "why.html").read_text()
    assert cli("explain", "--model", tmp_path / "model", "--text", " ").code == 1
