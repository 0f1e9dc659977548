"""The service as a real process: a drain that loses nothing, overload, and the command with a real model."""

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldtune import finetune, load
from tests import processes
from tests.core.serve.echo import Running, sample, until

Begin = Callable[..., "Started"]
SLOW = str(Path(__file__).with_name("slow_service.py"))


@dataclass(frozen=True)
class Started:
    """A service as a process of its own."""

    process: BaseProcess
    said: dict[str, Any]
    running: Running
    errors: Path

    def stop(self) -> None:
        self.process.terminate()

    def ended(self) -> int | None:
        """Its exit code, once it has ended."""
        self.process.join(30)
        return self.process.exitcode

    @property
    def log(self) -> list[dict[str, Any]]:
        """What it logged, once it has ended."""
        return [json.loads(line) for line in self.errors.read_text().splitlines()]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """``begin(words of a command)`` once it said where it listens; killed at the end, should it still run."""
    with ExitStack() as stack:

        def run(*words: str) -> Started:
            errors = tmp_path / "stderr"
            sink = stack.enter_context(errors.open("w"))
            ours, its = os.pipe()
            process = processes.begin(*words, out=its, err=sink)
            os.close(its)
            stack.callback(process.kill)
            line = stack.enter_context(os.fdopen(ours)).readline()
            assert line, errors.read_text()
            said = json.loads(line) if line.startswith("{") else {"url": line.strip()}
            return Started(process, said, Running(int(said["url"].rpartition(":")[2])), errors)

        yield run


def test_sigterm_answers_what_was_accepted_and_what_comes_in_the_moment_after(begin: Begin) -> None:
    started = begin(SLOW, "0.1", "drain_s=0.3")
    running = started.running
    with ThreadPoolExecutor(12) as pool:
        accepted = [pool.submit(running.predict, "x" * number) for number in range(10)]
        until(lambda: sample(running, "fieldtune_rows_held") >= 8)
        started.stop()
        until(lambda: running.ask("GET", "/ready").status == 503)
        latecomer = running.predict("late")
        assert [one.result().status for one in accepted] == [200] * 10
        assert [one.result().json["predictions"][0]["predicted"] for one in accepted] == [str(n) for n in range(10)]
        assert (latecomer.status, latecomer.headers["connection"]) == (200, "close")
        assert started.ended() == 0
    stopped = started.log[-1]
    assert stopped["event"] == "stopped"
    assert (stopped["held"], stopped["rows"]["accepted"], stopped["rows"]["answered"]) == (0, 11, 11)
    with pytest.raises(ConnectionRefusedError):
        running.predict("after")


def test_a_second_signal_ends_it_at_once(begin: Begin) -> None:
    started = begin(SLOW, "60", "drain_s=60")
    connection = started.running.connect()
    connection.request("POST", "/predict", b'{"texts": ["x"]}', {"Content-Type": "application/json"})
    until(lambda: sample(started.running, "fieldtune_rows_held") == 1)
    started.stop()
    until(lambda: started.running.ask("GET", "/ready").status == 503)
    started.stop()
    assert started.ended() == 1
    connection.close()
    assert [line["event"] for line in started.log][-1] == "ended"


def test_ten_times_its_capacity_is_refused_or_answered_and_it_recovers(begin: Begin) -> None:
    """Ten rows fit, thirty clients ask as fast as they can."""
    running = begin(SLOW, "0.01", "permits=10", "rows=10").running
    end = time.monotonic() + 1.0

    def client(_: int) -> list[tuple[int, str | None]]:
        seen = []
        while time.monotonic() < end:
            got = running.predict("text")
            seen.append((got.status, got.headers.get("retry-after")))
        return seen

    with ThreadPoolExecutor(31) as pool:
        held = pool.submit(lambda: [sample(running, "fieldtune_rows_held") for _ in range(10)])
        seen = [one for part in pool.map(client, range(30)) for one in part]
    assert set(seen) == {(200, None), (503, "1")}
    assert max(held.result()) <= 10
    assert running.predict("text").status == 200
    assert sample(running, "fieldtune_rows_total", outcome="answered") == 1 + seen.count((200, None))
    assert sample(running, "fieldtune_rows_held") == 0


def test_the_command_serves_a_real_model(tiny_encoder: Path, tmp_path: Path, begin: Begin) -> None:
    rows = [(f"my card {n} is lost", "card") for n in range(12)] + [(f"refund order {n}", "refund") for n in range(12)]
    table = pd.DataFrame(rows, columns=["text", "label"])
    done = finetune(
        "text-classification", table, model=str(tiny_encoder), method="head", out=tmp_path / "m", progress=False
    )
    texts = ["lost card", "x\ud800", "", "order " * 300]
    model = load(done.path)
    words = ("serve", "--model", str(done.path), "--port", "0", "--json", "--set", "chars=1500")
    started = begin(*processes.FIELDTUNE, *words)
    got = started.running.predict(*texts).json
    assert (started.said["task"], got["model"]) == ("text-classification", started.said["version"])
    read = [text.replace("\ud800", "\ufffd")[:1500] for text in texts]
    for one, wanted, kept in zip(got["predictions"], model.probabilities(read), model.in_scope(read)[0], strict=True):
        assert list(one["probabilities"].values()) == pytest.approx(wanted.tolist(), abs=1e-5)
        assert one["predicted"] == model.labels[wanted.argmax()]
        assert one["in_scope"] is bool(kept)
    assert [one["truncated"] for one in got["predictions"]] == [False, False, False, True]
    encoded = started.running.ask("POST", "/encode", {"texts": texts[:3]}).json["vectors"]
    assert [len(vector) for vector in encoded] == [32] * 3
    info = started.running.ask("GET", "/info").json
    assert (info["labels"], info["inputs"]) == (["card", "refund"], ["text"])
    assert str(tmp_path) not in json.dumps(info)
    started.stop()
    assert started.ended() == 0
    events = [line["event"] for line in started.log]
    assert (events.count("draining"), events[-1]) == (1, "stopped")
