"""The monitor's store in a real PostgreSQL: what it tells, counts and shows is what it does in SQLite."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import text

from fieldtune import decisions, feedback, outbox
from fieldtune.errors import RefusedError
from fieldtune.feedback import Feedback
from fieldtune.store import open_store
from fieldtune_monitor import history, runner, store, views, wire
from fieldtune_monitor.config import read_config

NOW = datetime(2026, 6, 1, tzinfo=UTC)
_BINARIES = [Path(found).parent for found in (shutil.which("initdb"),) if found]
_BINARIES += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
_USER = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # a server refuses to run as root

pytestmark = [
    pytest.mark.skipif(find_spec("psycopg") is None, reason="needs the extra postgres"),
    pytest.mark.skipif(not _BINARIES, reason="needs the programs of a PostgreSQL server"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of a server of its own, up to the name of the database."""
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # the path of a socket must be short
    if _USER:
        try:
            shutil.chown(folder, "postgres")
        except (OSError, LookupError):  # in a user namespace there is only root
            shutil.rmtree(folder)
            pytest.skip("needs a user that a PostgreSQL server agrees to run as")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    binaries, data = _BINARIES[-1], folder / "data"
    settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"

    def tell(program: str, *words: object) -> None:
        command = [*_USER, str(binaries / program), "-D", str(data), *map(str, words)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    tell("initdb", "--auth=trust", "--username=ann", "--no-sync")
    tell("pg_ctl", "start", "-w", "-o", settings, "-l", folder / "log")
    try:
        yield f"postgresql://ann@127.0.0.1:{port}"
    finally:
        tell("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(server: str) -> Iterator[str]:
    """An empty database."""
    engine = open_store(f"{server}/postgres").execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE fresh"))
    yield f"{server}/fresh"
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE fresh WITH (FORCE)"))
    engine.dispose()


def _told(place: str) -> list[object]:
    """What the core's tables give back."""
    engine = open_store(place)
    with engine.begin() as connection:
        for label in ("wrong", "right"):
            row = Feedback("chatbot", "a", "label", "ann", "zh", payload={"label": label, "mail": "ann@shop.example"})
            feedback.record(connection, row, NOW)
        known = [outbox.enqueue(connection, key, "file", {"n": key}, NOW) for key in ("b", "a", "b")]
        outbox.mark_sent(connection, "b", NOW)
        made = decisions.record(connection, "chatbot", "answer", {"text": "银行卡 ☂"}, "v1", NOW)
        found = [feedback.rows(connection), known, outbox.pending(connection), decisions.get(connection, made)]
        found.append(feedback.erase(connection, "ann"))
    engine.dispose()
    return found


def test_feedback_outbox_and_decisions_are_the_same(url: str) -> None:
    assert _told(url) == _told("sqlite://")


def _run(place: Path, where: str) -> dict[str, object]:
    settings = read_config(place / "monitor.toml").model_copy(update={"store": where})
    return wire.run(settings, once=True, stop=threading.Event(), progress=runner.silent)


def test_alerts_counts_and_pages_are_the_same(url: str, place: Path, home: Path) -> None:
    lines = []
    for where in ("", url):
        totals = _run(place, where)
        lines.append(((place / "alerts.jsonl").read_text(encoding="utf-8"), totals))
        (place / "alerts.jsonl").unlink()
    assert lines[0] == lines[1]
    assert [json.loads(line)["state"] for line in lines[0][0].splitlines()] == ["firing", "resolved"]
    ours, theirs = wire.open_monitor_store(place / "monitor"), wire.open_monitor_store(url)
    assert views.incidents(ours) == views.incidents(theirs)
    assert views.latest(ours, "ferries") == views.latest(theirs, "ferries")
    assert views.trend(ours, "ferries", 7, 6).equals(views.trend(theirs, "ferries", 7, 6))
    with ours.begin() as one, theirs.begin() as other:
        assert store.read_state(one) == store.read_state(other)
    assert _run(place, url)["new"] == 0
    theirs.dispose()


class Meanwhile(threading.Event):
    """Does something while a run waits for its next look; the run stops after the next wait."""

    def __init__(self, deed: Callable[[], object]) -> None:
        super().__init__()
        self.deeds = [deed]

    def wait(self, timeout: float | None = None) -> bool:
        if not self.deeds:
            return True
        self.deeds.pop()()
        return False


def _watched(place: Path, where: str, deed: Callable[[], object]) -> dict[str, object]:
    settings = read_config(place / "monitor.toml").model_copy(update={"store": where})
    return wire.run(settings, once=False, stop=Meanwhile(deed), progress=runner.silent)


def test_one_process_per_database_from_whatever_folder(url: str, place: Path, tmp_path: Path, home: Path) -> None:
    """Another host is another folder: no file that both could lock."""
    other = tmp_path / "other"
    other.mkdir()
    for name in ("monitor.toml", "stories.jsonl"):
        shutil.copy(place / name, other / name)

    def second() -> None:
        with pytest.raises(RefusedError, match="/fresh to be free; found another fieldtune process writing to it"):
            _run(other, url)

    _watched(place, url, second)
    assert not (other / "alerts.jsonl").exists()
    _run(other, url)  # the first has stopped


def test_databases_of_one_folder_do_not_stand_in_each_others_way(url: str, place: Path, home: Path) -> None:
    _watched(place, url, lambda: _run(place, ""))


def test_a_run_whose_session_ended_stops_before_another_can_start(url: str, place: Path, home: Path) -> None:
    def end_sessions() -> None:
        engine = open_store(url)
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"))
        engine.dispose()

    with pytest.raises(RefusedError, match=r"the lock of postgresql.*its session ended"):
        _watched(place, url, end_sessions)
    _run(place, url)


def test_a_replay_is_the_same_byte_for_byte(url: str, place: Path) -> None:
    settings, written = read_config(place / "monitor.toml"), []
    for where in ("sqlite://", url):
        engine = wire.open_monitor_store(where)
        lines, _ = history.replay(wire.setup(settings, engine, {"replay": False}), place / "stories.jsonl", NOW)
        history.write_lines(place / "told.jsonl", lines)
        written.append((place / "told.jsonl").read_bytes())
        engine.dispose()
    assert written[0] == written[1]
