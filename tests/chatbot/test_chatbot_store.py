"""Documents keep every wording; conversations keep their order; real SQLite."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from fieldtune import decisions
from fieldtune.runtime import iso
from fieldtune.store import open_store
from fieldtune_chatbot.records import Document, text_version
from fieldtune_chatbot.store import MIGRATIONS, answers_since, history, keep_documents, open_chatbot, open_citation, say

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def document(body: str, identity: str = "a.md") -> Document:
    return Document(identity, text_version(body), "A", body, "en")


def test_an_old_citation_opens_after_the_article_changed(tmp_path: Path) -> None:
    engine = open_chatbot(tmp_path)
    old, new = document("It costs five euros."), document("It costs six euros.")
    with engine.begin() as connection:
        assert keep_documents(connection, [old], "default", NOW) == 1
        assert keep_documents(connection, [new], "default", NOW) == 1
        assert keep_documents(connection, [new], "default", NOW) == 0
    with open_chatbot(tmp_path).begin() as connection:
        assert open_citation(connection, "a.md", old.version, 9, 19) == "five euros"
        assert open_citation(connection, "a.md", new.version, 9, 18) == "six euros"
        assert open_citation(connection, "a.md", "unknown", 0, 1) is None
        assert open_citation(connection, "a.md", old.version, 0, 2, tenant="other") is None


def test_documents_kept_by_the_first_release_still_open(tmp_path: Path) -> None:
    old = document("It costs five euros.")
    with open_store(tmp_path, MIGRATIONS[:1]).begin() as connection:
        values = {"document": old.id, "version": old.version, "body": old.text}
        connection.execute(
            text("INSERT INTO documents VALUES ('default', :document, :version, 'en', 'A', :body, 1, 'then', 'then')"),
            values,
        )
    with open_chatbot(tmp_path).begin() as connection:
        assert open_citation(connection, "a.md", old.version, 9, 19) == "five euros"
        assert keep_documents(connection, [old, document("It costs six euros.")], "default", NOW) == 1


def test_answers_come_back_once_each_the_latest_first_however_they_were_stored(tmp_path: Path) -> None:
    engine = open_chatbot(tmp_path)
    with engine.begin() as connection:
        for number in range(2300):  # more than two pieces, in three seconds of which the middle one is stored last
            made = NOW + timedelta(seconds=(0, 2, 1)[number * 3 // 2300])
            decisions.record(connection, "chatbot", "answer", {"number": number, "made": iso(made)}, "v", made)
        decisions.record(connection, "chatbot", "other", {"number": -1, "made": ""}, "v", NOW)
    found = list(answers_since(engine, iso(NOW)))
    assert sorted(row["number"] for row in found) == list(range(2300))
    assert [row["made"] for row in found] == sorted((row["made"] for row in found), reverse=True)
    assert {row["made"] for row in answers_since(engine, iso(NOW + timedelta(seconds=2)))} == {found[0]["made"]}


def test_a_store_of_the_second_step_opens_and_gives_its_answers(tmp_path: Path) -> None:
    with open_store(tmp_path, MIGRATIONS[:2]).begin() as connection:
        decisions.record(connection, "chatbot", "answer", {"question": "why"}, "v", NOW)
    assert list(answers_since(open_chatbot(tmp_path), "")) == [{"question": "why"}]


def test_turns_come_back_in_order_per_session_and_tenant(tmp_path: Path) -> None:
    with open_chatbot(tmp_path).begin() as connection:
        for number in range(3):
            say(connection, "s", "customer", f"q{number}", NOW)
            say(connection, "other", "customer", "x", NOW)
        say(connection, "s", "customer", "hidden", NOW, tenant="other")
        assert [(turn["position"], turn["body"]) for turn in history(connection, "s")] == [
            (1, "q0"),
            (2, "q1"),
            (3, "q2"),
        ]
