"""Feedback rows: what is scrubbed and what is kept; the later of two opposite words counts."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fieldtune import feedback, registry
from fieldtune.data.scrub import contacts, hides, scrub
from fieldtune.feedback import Feedback
from fieldtune.infer.cache import Cache
from tests.conftest import Ran

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_text_is_scrubbed_and_names_of_things_are_not(home: Path) -> None:
    payload = {"question": "call 13800138000", "item": "13800138000", "model": "/home/anna@corp.example/shop"}
    with registry.open_home().begin() as connection:
        feedback.record(connection, Feedback("recommender", "s", "purchase", payload=payload), NOW)
        (row,) = feedback.rows(connection)
    assert "13800138000" not in row.payload["question"]
    assert (row.payload["item"], row.payload["model"]) == (payload["item"], payload["model"])


def test_the_companys_own_contacts_stay_and_all_others_go(home: Path) -> None:
    own = contacts(["Write to Help@Shop.example or call +44 20 7946 0000.", "服务热线 138-0013-8000"])
    said = "help@shop.example, +44 (20) 7946-0000, 13800138000; not jo@shop.example"
    with registry.open_home().begin() as connection:
        feedback.record(connection, Feedback("chatbot", "s", "correction", payload={"answer": said}), NOW, keep=own)
        (row,) = feedback.rows(connection)
    assert row.payload["answer"] == said.replace("jo@shop.example", "[email]")
    assert hides(row.payload["answer"]) and not hides(said)
    assert scrub("jo@shop.example help@shop.example", own) == ("[email] help@shop.example", ("email",))


def test_who_is_forgotten_is_remembered_by_a_hash_only(home: Path) -> None:
    with registry.open_home().begin() as connection:
        for user in ("ann", "bob", feedback.ANONYMOUS):
            feedback.record(connection, Feedback("chatbot", "answer", "thumb_up", user), NOW)
        assert [feedback.forget(connection, user, NOW) for user in ("ann", "ann", feedback.ANONYMOUS)] == [1, 0, 1]
        assert [row.user for row in feedback.rows(connection)] == ["bob"]
        assert feedback.erased(connection) == {feedback.user_hash("ann")} and "ann" not in feedback.user_hash("ann")


def test_nobody_is_no_user(cli: Callable[..., Ran]) -> None:
    ran = cli("feedback", "erase", "--user", " ")
    assert ran.code == 1 and "the name of a user" in ran.err


def test_the_opposite_word_replaces_the_earlier_one_of_the_same_user_only(home: Path) -> None:
    said = [("thumb_up", "ann"), ("thumb_up", "bob"), ("thumb_down", "ann"), ("correction", "ann")]
    with registry.open_home().begin() as connection:
        for kind, user in said:
            feedback.record(connection, Feedback("chatbot", "answer", kind, user), NOW)
        kept = {(row.kind, row.user) for row in feedback.rows(connection)}
    assert kept == {("thumb_up", "bob"), ("thumb_down", "ann"), ("correction", "ann")}


def test_erasing_a_user_forgets_the_vectors_of_what_they_wrote(cli: Callable[..., Ran]) -> None:
    mine, theirs = "my card was eaten", "the rate is too high"
    for user, text in (("ann", mine), ("bob", theirs)):
        row = Feedback("monitor", text, "tone", user, payload={"rows": [{"text": text}], "label": "negative"})
        with registry.open_home().begin() as connection:
            feedback.record(connection, row, NOW)
    spaces = (b"one encoder", b"another")
    for space in spaces:
        Cache().put(space, [mine, theirs], np.ones((2, 300), dtype=np.float32) * [[3.0], [5.0]])
    ran = cli("feedback", "erase", "--user", "ann", "--json")
    assert (ran.code, ran.json["erased"], ran.json["vectors"]) == (0, 1, 2)
    assert all(list(Cache().get(space, [mine, theirs])) == [theirs] for space in spaces)
    assert "memory.json" in cli("feedback", "erase", "--help").out


def in_files(folder: Path, words: str) -> list[str]:
    return [file.name for file in folder.glob("*") if file.is_file() and words.encode() in file.read_bytes()]


@pytest.fixture
def as_most_build_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some systems build SQLite to overwrite what is deleted, others do not: connections begin as with the others."""
    connect = sqlite3.connect

    def opened(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database: sqlite3.Connection = connect(*arguments, **options)
        database.execute("PRAGMA secure_delete=OFF")
        return database

    monkeypatch.setattr(sqlite3, "connect", opened)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", opened)  # SQLAlchemy's


@pytest.mark.usefixtures("as_most_build_it")
def test_what_is_erased_is_in_no_file_though_another_program_has_them_open(cli: Callable[..., Ran], home: Path) -> None:
    texts = [f"zebra number {number} was eaten" for number in range(50)]
    with registry.open_home().begin() as connection:
        for text in texts:
            feedback.record(connection, Feedback("monitor", text, "tone", "ann", payload={"text": text}), NOW)
    Cache().put(b"space", texts, np.ones((50, 3), dtype=np.float32) * np.float32(1.2345))
    vector = np.float32(1.2345).tobytes() * 3
    with closing(sqlite3.connect(home / "fieldtune.db")) as page, closing(sqlite3.connect(Cache().file)) as service:
        for open_one in (page, service):
            open_one.execute("SELECT count(*) FROM sqlite_master").fetchone()
        assert in_files(home, "zebra")
        ran = cli("feedback", "erase", "--user", "ann")
        assert (ran.code, "holds what" in ran.err) == (0, False), ran.err
        assert not in_files(home, "zebra")
        assert not any(vector in file.read_bytes() for file in home.glob("*") if file.is_file())


def test_a_reader_that_keeps_what_was_deleted_is_told(cli: Callable[..., Ran], home: Path) -> None:
    with registry.open_home().begin() as connection:
        row = Feedback("monitor", "s", "tone", "ann", payload={"text": "a zebra was eaten"})
        feedback.record(connection, row, NOW)
    with closing(sqlite3.connect(home / "fieldtune.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM feedback").fetchone()
        ran = cli("feedback", "erase", "--user", "ann")
        assert ran.code == 0 and "fieldtune.db-wal still holds what was deleted (a program reads it)" in ran.err
    assert "holds what" not in cli("feedback", "erase", "--user", "ann").err
    assert not in_files(home, "zebra")


def test_erasing_once_more_empties_the_log_of_the_vectors_too(cli: Callable[..., Ran], home: Path) -> None:
    text = "a zebra was eaten"
    with registry.open_home().begin() as connection:
        feedback.record(connection, Feedback("monitor", "s", "tone", "ann", payload={"text": text}), NOW)
    Cache().put(b"space", [text], np.full((1, 300), 1.2345, dtype=np.float32))
    vector = np.float32(1.2345).tobytes() * 3

    def kept() -> list[str]:
        return [file.name for file in home.glob("embeddings*") if vector in file.read_bytes()]

    with closing(sqlite3.connect(Cache().file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM vectors").fetchone()
        ran = cli("feedback", "erase", "--user", "ann")
        assert "embeddings.sqlite-wal still holds what was deleted" in ran.err and kept()
        reader.execute("COMMIT")  # and stays open
        assert "holds what" not in cli("feedback", "erase", "--user", "ann").err
        assert not kept()


def test_vectors_that_cannot_be_deleted_are_no_success_and_leave_the_rows(cli: Callable[..., Ran], home: Path) -> None:
    text = "my card was eaten"
    with registry.open_home().begin() as connection:
        feedback.record(connection, Feedback("monitor", "s", "tone", "ann", payload={"text": text}), NOW)
    Cache().put(b"space", [text], np.ones((1, 3), dtype=np.float32))
    log = Cache().file.with_name(Cache().file.name + "-wal")
    log.unlink(missing_ok=True)
    log.mkdir()  # SQLite cannot write without it
    ran = cli("feedback", "erase", "--user", "ann", "--json")
    assert ran.code == 1 and "to delete vectors from" in ran.err and not ran.out
    log.rmdir()
    assert cli("feedback", "erase", "--user", "ann", "--json").json == {"user": "ann", "erased": 1, "vectors": 1} | {
        "turns": 0,
        "lists": 0,
    }


def test_a_text_is_forgotten_as_models_read_it_too(home: Path) -> None:
    written, read = "call me at 202-555-0147", "call me at [phone]"
    Cache().put(b"space", [written, read, "other"], np.ones((3, 3), dtype=np.float32))
    assert Cache().forget([written]) == 2
    assert list(Cache().get(b"space", [written, read, "other"])) == ["other"]
