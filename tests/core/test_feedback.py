"""Feedback rows: what is scrubbed and what is kept; the later of two opposite words counts."""

from datetime import UTC, datetime
from pathlib import Path

from fieldtune import feedback, registry
from fieldtune.feedback import Feedback

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_text_is_scrubbed_and_names_of_things_are_not(home: Path) -> None:
    payload = {"question": "call 13800138000", "item": "13800138000", "model": "/home/anna@corp.example/shop"}
    with registry.open_home().begin() as connection:
        feedback.record(connection, Feedback("recommender", "s", "purchase", payload=payload), NOW)
        (row,) = feedback.rows(connection)
    assert "13800138000" not in row.payload["question"]
    assert (row.payload["item"], row.payload["model"]) == (payload["item"], payload["model"])


def test_the_opposite_word_replaces_the_earlier_one_of_the_same_user_only(home: Path) -> None:
    said = [("thumb_up", "ann"), ("thumb_up", "bob"), ("thumb_down", "ann"), ("correction", "ann")]
    with registry.open_home().begin() as connection:
        for kind, user in said:
            feedback.record(connection, Feedback("chatbot", "answer", kind, user), NOW)
        kept = {(row.kind, row.user) for row in feedback.rows(connection)}
    assert kept == {("thumb_up", "bob"), ("thumb_down", "ann"), ("correction", "ann")}
