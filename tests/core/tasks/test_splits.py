"""The automatic validation rows share no text with the training rows, whatever the case or the punctuation."""

from itertools import combinations

import networkx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldtune.data.dialogues import agent_turns
from fieldtune.data.hiding import hidden
from fieldtune.data.leaks import leaked
from fieldtune.data.numbered import numbers_of
from fieldtune.data.split import joined, rarest
from fieldtune.tasks import dialogue, embedding, multi_label_classification, text_classification


def test_repeated_texts_of_a_classifier_are_on_one_side() -> None:
    asked = [f"ticket {number}" for number in range(40)]
    texts = [form.format(text) for text in asked for form in ("{}", "{}!", " {} ", "{}")]
    labels = [label for number in range(40) for label in ["refund" if number % 4 else "delivery"] * 4]
    table = pd.DataFrame({"text": texts, "label": labels})
    for seed in range(3):
        rows, held_out = text_classification.split(table, seed)
        assert len(held_out) == 16 and held_out["label"].value_counts().to_dict() == {"refund": 12, "delivery": 4}
        assert leaked(rows, held_out, "text-classification").exact == ()


def test_all_rows_of_a_query_are_on_one_side() -> None:
    table = pd.DataFrame(
        {"query": [f"Query {row // 3}" for row in range(90)], "positive": [f"d{i}" for i in range(90)]}
    )
    rows, held_out = embedding.split(table, 0)
    assert len(held_out) == 9
    assert not set(rows["query"]) & set(held_out["query"])


def talks(count: int, opening: str) -> pd.DataFrame:
    """Dialogues of three answers each, written as a file of chats has them."""
    turns = [
        [
            {"role": role, "text": text}
            for number in range(3)
            for role, text in (
                ("user", opening.format(talk) if not number else f"and then, {talk}-{number}?"),
                ("agent", f"answer {number} in talk {talk}, to ann@example.org"),
            )
        ]
        for talk in range(count)
    ]
    return agent_turns(pd.DataFrame({"turns": turns}))


@pytest.mark.parametrize("opening", ["question {}", "hello"])
def test_a_dialogue_is_on_one_side(opening: str) -> None:
    table, _ = hidden(talks(60, opening))
    number = dict(zip(zip(table["source"], table["target"], strict=True), numbers_of(table), strict=True))
    for seed in range(3):
        rows, held_out = dialogue.split(table, seed)
        assert len(held_out) == (12 if opening == "hello" else 18)
        learnt = {number[pair] for pair in zip(rows["source"], rows["target"], strict=True)}
        apart = {number[pair] for pair in zip(held_out["source"], held_out["target"], strict=True)}
        assert not learnt & apart and len(apart) == 6
        assert not set(rows["source"]) & set(held_out["source"])
        quoted = "\n".join(rows["source"])
        assert not [target for target in held_out["target"] if target in quoted]


def test_what_nearly_everyone_begins_with_leaves_rows_to_measure_on() -> None:
    table, _ = hidden(talks(60, "hello"))
    table.loc[[0, 3], "source"] = ["good morning", "good evening"]  # of two dialogues
    _, held_out = dialogue.split(table, 0)
    assert len(held_out) >= 12 and "hello" not in set(held_out["source"])


def test_rows_of_two_columns_stay_together_by_their_source() -> None:
    table = agent_turns(
        pd.DataFrame({"source": [f"q {row // 2}" for row in range(60)], "target": list(map(str, range(60)))})
    )
    rows, held_out = dialogue.split(table, 0)
    assert len(held_out) == 6 and not set(rows["source"]) & set(held_out["source"])


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30))
def test_rows_that_share_a_key_are_joined(pairs: list[tuple[int, int]]) -> None:
    groups = joined([one for one, _ in pairs], [other for _, other in pairs])
    graph = networkx.Graph([(("a", one), ("b", other)) for one, other in pairs])
    apart = [next(part for part in networkx.connected_components(graph) if ("a", one) in part) for one, _ in pairs]
    for first, second in combinations(range(len(pairs)), 2):
        assert (groups[first] == groups[second]) == (apart[first] is apart[second] or apart[first] == apart[second])


def test_labels_that_are_rare_are_the_strata() -> None:
    assert rarest([("a", "b"), ("a",), (), ("c", "a")]) == ["b", "a", "", "c"]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_rows_of_many_labels_are_held_out_as_often_as_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    often = rng.uniform(0.05, 0.6, 14)
    sets = [tuple(np.flatnonzero(rng.random(14) < often)) for _ in range(600)]
    labels = ["|".join(f"l{place}" for place in row) for row in sets]
    texts = [f"text {row % 560}" for row in range(600)]  # some twice
    table = pd.DataFrame({"text": texts, "label": labels})
    rows, held_out = multi_label_classification.split(table, seed)
    assert 54 <= len(held_out) <= 60 and not set(rows["text"]) & set(held_out["text"])
    whole, apart = (
        np.array([[f"l{place}" in label.split("|") for place in range(14)] for label in part["label"]])
        for part in (table, held_out)
    )
    spread = np.sqrt(whole.mean(axis=0) * (1 - whole.mean(axis=0)) / len(held_out))
    assert (np.abs(apart.mean(axis=0) - whole.mean(axis=0)) < 4.5 * spread).all()
    assert abs(apart.sum(axis=1).mean() - whole.sum(axis=1).mean()) < 4.5 * whole.sum(axis=1).std() / np.sqrt(
        len(held_out)
    )
    assert set(labels[0].split("|")) <= {name for label in rows["label"] for name in label.split("|")} | {""}
