"""The automatic validation rows share no text with the training rows, whatever the case or the punctuation."""

import pandas as pd

from fieldtune.data.checks import leakage
from fieldtune.tasks import embedding, text_classification


def test_repeated_texts_of_a_classifier_are_on_one_side() -> None:
    asked = [f"ticket {number}" for number in range(40)]
    texts = [form.format(text) for text in asked for form in ("{}", "{}!", " {} ", "{}")]
    labels = [label for number in range(40) for label in ["refund" if number % 4 else "delivery"] * 4]
    table = pd.DataFrame({"text": texts, "label": labels})
    for seed in range(3):
        rows, held_out = text_classification.split(table, seed)
        assert len(held_out) == 16 and held_out["label"].value_counts().to_dict() == {"refund": 12, "delivery": 4}
        assert leakage(rows, held_out) == []


def test_all_rows_of_a_query_are_on_one_side() -> None:
    table = pd.DataFrame(
        {"query": [f"Query {row // 3}" for row in range(90)], "positive": [f"d{i}" for i in range(90)]}
    )
    rows, held_out = embedding.split(table, 0)
    assert len(held_out) == 9
    assert leakage(rows, held_out, ("query",)) == []
