"""The store and what lies in it: migrations once, outbox keys once, feedback once per user, scrubbed."""

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import text

from fieldtune import decisions, feedback, outbox
from fieldtune.errors import ArtefactError, ConfigError, MissingExtraError
from fieldtune.feedback import Feedback
from fieldtune.store import open_store, statements

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_migrations_are_applied_once_and_in_order(tmp_path: Path) -> None:
    steps = [statements("app 001", "CREATE TABLE things (name TEXT)")]
    with open_store(tmp_path, steps).begin() as connection:
        connection.execute(text("INSERT INTO things VALUES ('kept')"))
    steps.append(statements("app 002", "ALTER TABLE things ADD COLUMN size INTEGER DEFAULT 1"))
    with open_store(tmp_path, steps).begin() as connection:
        assert connection.execute(text("SELECT name, size FROM things")).all() == [("kept", 1)]
        pragmas = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    first, second = (statements(f"app 00{number}", f"CREATE TABLE t{number} (name TEXT)") for number in (1, 2))
    open_store(tmp_path, [first, second]).dispose()
    before = (tmp_path / "fieldtune.db").read_bytes()
    added = statements("app 001b", "CREATE TABLE wrong (name TEXT)")
    with pytest.raises(ArtefactError, match=r"'app 002' of a newer one; fix: install the newer fieldtune"):
        open_store(tmp_path, [first, added])
    assert (tmp_path / "fieldtune.db").read_bytes() == before
    other = open_store(tmp_path, [statements("shop 001", "CREATE TABLE shop (name TEXT)")])  # another owner's tables
    other.dispose()
    open_store(tmp_path, [first, second]).dispose()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "fieldtune.db").write_text("this is not a database, it is a text of some length" * 40)
    with pytest.raises(ArtefactError, match="restore the file"):
        open_store(tmp_path)


def test_a_database_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mysql://"):
        open_store("mysql://ann:secret@host/shop")
    with pytest.raises(ConfigError, match="URL") as refused:
        open_store("postgresql://ann:secret@host:port/shop")
    assert "secret" not in str(refused.value)
    engine = open_store(f"sqlite:///{tmp_path}/by-url.db")
    assert (tmp_path / "by-url.db").is_file()
    engine.dispose()


@pytest.mark.skipif(find_spec("psycopg") is not None, reason="the driver is installed")
def test_postgresql_without_its_driver_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'fieldtune\[postgres\]'"):
        open_store("postgresql://ann@127.0.0.1:1/shop")


@pytest.mark.skipif(find_spec("psycopg") is None, reason="the driver is not installed")
def test_postgresql_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(ArtefactError, match="database at postgresql") as refused:
        open_store("postgresql://ann:secret@127.0.0.1:1/shop")
    assert "secret" not in str(refused.value)
    assert "remove" not in str(refused.value)


def test_a_store_that_cannot_be_opened_is_not_to_be_removed(tmp_path: Path) -> None:
    (tmp_path / "fieldtune.db").mkdir()
    with pytest.raises(ArtefactError, match="can be reached and written"):
        open_store(tmp_path)


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    engine = open_store(tmp_path)
    with pytest.raises(RuntimeError), engine.begin() as connection:
        outbox.enqueue(connection, "key", "file", {}, NOW)
        raise RuntimeError
    with engine.begin() as connection:
        assert outbox.pending(connection) == []


def test_an_outbox_key_is_enqueued_once_and_order_is_kept(tmp_path: Path) -> None:
    with open_store(tmp_path).begin() as connection:
        assert outbox.enqueue(connection, "b", "file", {"n": 1}, NOW)
        assert outbox.enqueue(connection, "a", "file", {"n": 2}, NOW)
        assert not outbox.enqueue(connection, "b", "file", {"n": 3}, NOW)
        assert [(message.key, message.payload["n"]) for message in outbox.pending(connection, "file")] == [
            ("b", 1),
            ("a", 2),
        ]
        outbox.mark_sent(connection, "b", NOW)
        assert [message.key for message in outbox.pending(connection)] == ["a"]


def test_feedback_is_idempotent_scrubbed_and_erasable(tmp_path: Path) -> None:
    row = Feedback(
        "chatbot", "answer-1", "correction", "ann", payload={"question": "I am ann@example.com", "label": "old"}
    )
    with open_store(tmp_path).begin() as connection:
        feedback.record(connection, row, NOW)
        feedback.record(connection, Feedback("chatbot", "answer-1", "correction", "ann", payload={"label": "new"}), NOW)
        feedback.record(connection, Feedback("chatbot", "answer-1", "correction", "bob", payload=row.payload), NOW)
        rows = feedback.rows(connection, "chatbot")
        assert [(found.user, found.payload["label"]) for found in rows] == [("ann", "new"), ("bob", "old")]
        assert rows[1].payload["question"] == "I am [email]"
        assert feedback.rows(connection, "monitor") == []
        assert feedback.erase(connection, "ann") == 1
        assert [found.user for found in feedback.rows(connection)] == ["bob"]


def test_a_decision_can_be_read_back(tmp_path: Path) -> None:
    with open_store(tmp_path).begin() as connection:
        made = decisions.record(connection, "monitor", "alert", {"topic": "潮汐", "score": 3.5}, "v1", NOW)
        assert decisions.record(connection, "monitor", "alert", {"topic": "潮汐", "score": 3.5}, "v1", NOW) == made
        found = decisions.get(connection, made)
        assert found is not None
        assert (found["payload"]["topic"], found["made_at"]) == ("潮汐", "2026-01-02T03:04:05Z")
        assert decisions.get(connection, "nothing") is None
