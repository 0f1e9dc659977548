"""``fieldtune serve`` as a process, from outside: ten times its capacity, clients that leave, a drain, every limit.

Capacity and the unloaded latency are measured first, in the same run; the generator offers requests at fixed times
whatever comes back (an open loop). The service computes in one thread, so that generator and service have a core each.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import fieldtune, report, workspace, write
from benchmarks.http_client import KEY, Answer, Client, request
from benchmarks.watched import resident

ROWS, WORDS = 8, 40
WAIT = 1.0
"""Seconds of computing that may wait: the bound of the queue."""
VOCABULARY = (
    "card lost order refund account transfer cancel payment address parcel broken late invoice help please".split()
)
SECRET = "canary-in-a-text"


def texts(rng: random.Random, rows: int = ROWS) -> bytes:
    """A body of texts that never come again."""
    drawn = [" ".join(rng.choices(VOCABULARY, k=WORDS)) + f" {rng.random()}" for _ in range(rows)]
    return json.dumps({"texts": drawn}).encode()


async def closed_loop(client: Client, clients: int, seconds: float, rng: random.Random) -> list[Answer]:
    """So many clients, each of which asks again as soon as it is answered."""
    end, seen = time.monotonic() + seconds, list[Answer]()

    async def one() -> None:
        while time.monotonic() < end:
            seen.append(await client.ask("/predict", texts(rng)))

    await asyncio.gather(*(one() for _ in range(clients)))
    return seen


async def open_loop(client: Client, rate: float, seconds: float, rng: random.Random) -> list[Answer]:
    """So many requests a second, whatever comes back."""
    started, asked = time.monotonic(), list[asyncio.Task[Answer]]()
    while (now := time.monotonic() - started) < seconds:
        while len(asked) < now * rate:
            asked.append(asyncio.create_task(client.ask("/predict", texts(rng))))
        await asyncio.sleep(0.002)
    return list(await asyncio.gather(*asked))


def processor_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def p99(answers: Sequence[Answer]) -> float:
    """Milliseconds within which 99 % of the answered requests were answered."""
    return float(np.quantile([1000 * one.seconds for one in answers if one.status == 200], 0.99))


async def overload(client: Client, pid: int, seconds: float, rng: random.Random) -> dict[str, Any]:
    """Unloaded, at capacity, and at ten times that."""
    quiet = await closed_loop(client, 1, seconds / 3, rng)
    started = time.monotonic()
    busy = await closed_loop(client, 12, seconds / 3, rng)
    capacity = sum(one.status == 200 for one in busy) / (time.monotonic() - started)
    await open_loop(client, 10 * capacity, seconds / 3, rng)  # memory reaches its size
    before, memory = resident(pid), list[float]()
    started, processor = time.monotonic(), processor_seconds(pid)

    async def watch() -> None:
        while True:
            memory.append(resident(pid))
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    seen = await open_loop(client, 10 * capacity, seconds, rng)
    spent = time.monotonic() - started
    computing = processor_seconds(pid) - processor
    watching.cancel()
    recovered, unloaded = time.monotonic(), p99(quiet)
    while (one := await client.ask("/predict", texts(rng))).status != 200 or 1000 * one.seconds > 2 * unloaded:
        await asyncio.sleep(0.01)
    statuses, third = Counter(one.status for one in seen), max(1, len(memory) // 3)
    return {
        "capacity_requests_per_second": capacity,
        "offered_per_second": len(seen) / seconds,
        "offered_times_capacity": len(seen) / seconds / capacity,
        "answered_per_second": statuses[200] / spent,
        "processor_share": computing / spent,
        "unloaded_p99_ms": unloaded,
        "queue_bound_ms": 1000 * WAIT,
        "bound_ms": 2 * unloaded + 1000 * WAIT,
        "overload_p50_ms": float(np.median([1000 * one.seconds for one in seen if one.status == 200])),
        "overload_p99_ms": p99(seen),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "neither_answered_nor_refused": len(seen) - statuses[200] - statuses[503] - statuses[429],
        "refused_without_retry_after": sum(
            one.status in (429, 503) and "retry-after" not in one.headers for one in seen
        ),
        "memory_growth": float(np.median(memory[-third:]) / np.median(memory[:third])) - 1,
        "memory_peak_over_idle": max(memory) / before - 1,
        "recovery_seconds": time.monotonic() - recovered,
    }


async def leaving(client: Client, rng: random.Random, clients: int = 40) -> dict[str, Any]:
    """Clients that send a request and hang up: rows dropped before they were computed, rows still held afterwards."""
    before = await client.metric("fieldtune_rows_total", outcome="gone")
    for _ in range(clients):
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(request("/predict", texts(rng)))
        await writer.drain()
        await asyncio.sleep(0.005)
        writer.close()
    await asyncio.sleep(1)
    gone = await client.metric("fieldtune_rows_total", outcome="gone")
    return {"rows_dropped": gone - before, "rows_held_after": await client.metric("fieldtune_rows_held")}


async def drain(client: Client, process: subprocess.Popen[str], rng: random.Random) -> dict[str, Any]:
    """SIGTERM while twelve clients ask on connections they keep: how many requests got no answer."""
    seen: list[Answer] = []

    async def one() -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            except ConnectionError:
                return  # nobody listens any more: that request was never sent
            while True:
                seen.append(await client.on(reader, writer, "/predict", texts(rng, 1), time.monotonic()))
                if seen[-1].status == 0 or seen[-1].headers.get("connection") == "close":
                    break
            writer.close()

    asking = [asyncio.create_task(one()) for _ in range(12)]
    await asyncio.sleep(1)
    asked = len(seen)
    process.send_signal(signal.SIGTERM)
    await asyncio.gather(*asking)
    code = await asyncio.to_thread(process.wait, 60)
    after = Counter(answer.status for answer in seen[asked:])
    return {"drain_exit": code, "drain_answered": after[200], "lost_on_drain": after[0], "drain_refused": after[503]}


async def limits(client: Client) -> list[str]:
    """The names of the limits that did not hold."""
    many, long = {"texts": ["a"] * 200}, {"texts": [f"{SECRET} " * 5000]}
    odd = b'{"texts": ["\\ud800", "\\u0000\\u001b", "\\u202e"]}'
    cases: dict[str, tuple[Awaitable[Answer], Callable[[Answer], bool]]] = {
        "body": (client.ask("/predict", b"{" * 2_000_001), lambda got: got.status == 413),
        "rows": (client.ask("/predict", json.dumps(many).encode()), lambda got: got.status == 422),
        "over the budget, cut": (
            client.ask("/predict", json.dumps(long).encode()),
            lambda got: _first(got)["truncated"],
        ),
        "odd characters": (client.ask("/predict", odd), lambda got: got.status == 200),
        "key": (client.ask("/predict", b"{}", Authorization="Bearer wrong"), lambda got: got.status == 401),
        "host": (client.ask("/health", Host="evil.example"), lambda got: got.status == 421),
        "origin": (client.ask("/info", Origin="http://evil.example"), lambda got: not _shares(got)),
        "form": (client.ask("/predict", b"{}", Content_Type="text/plain"), lambda got: got.status == 415),
        "health": (client.ask("/health"), lambda got: got.status == 200),
        "ready": (client.ask("/ready"), lambda got: got.status == 200),
    }
    return [name for name, (asked, holds) in cases.items() if not holds(await asked)]


def _first(got: Answer) -> dict[str, Any]:
    return dict(json.loads(got.body)["predictions"][0])


def _shares(got: Answer) -> bool:
    return any(name.startswith("access-control") for name in got.headers)


def start(folder: Path, model: Path, *words: str) -> subprocess.Popen[str]:
    """The command, with its key in a file and its log in another."""
    command = [sys.executable, "-c", "from fieldtune.cli import main; main()", "serve", "--model", str(model), "--json"]
    environment = {
        **os.environ,
        "FIELDTUNE_HOME": str(folder / "home"),
        "FIELDTUNE_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    with (folder / "log").open("w") as sink:
        return subprocess.Popen([*command, *words], env=environment, stdout=subprocess.PIPE, stderr=sink, text=True)


def main() -> None:
    """Print what was measured, and which limits did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="eight seconds of overload")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with workspace() as folder:
        rows = [(" ".join(rng.choices(VOCABULARY, k=8)), label) for label in ("a", "b") for _ in range(40)]
        table = write(pd.DataFrame(rows, columns=["text", "label"]), folder / "train.csv")
        model = folder / "model"
        fieldtune("train", "--task", "text-classification", "--train", table, "--method", "head", "--out", model,
                  home=folder / "home")  # fmt: skip
        (folder / "keys").write_text(KEY)
        refused = start(folder, model, "--host", "0.0.0.0", "--port", "0").wait()
        process = start(folder, model, "--port", "0", "--keys", str(folder / "keys"), "--set", f"wait_s={WAIT}")  # fmt: skip
        assert process.stdout is not None
        client = Client(int(json.loads(process.stdout.readline())["url"].rpartition(":")[2]))
        arguments = Path(f"/proc/{process.pid}/cmdline")
        named = arguments.is_file() and KEY in arguments.read_text()
        found = asyncio.run(measured(client, process, 8 if options.quick else 30, rng))
        log = (folder / "log").read_text()
        stopped = json.loads(log.splitlines()[-1])["rows"]
    report({
        **found,
        "accepted_without_answer": stopped["accepted"] - stopped["answered"] - stopped["gone"],
        "open_to_all_without_a_key": refused == 0,
        "key_or_text_in_log_or_arguments": named or KEY in log or SECRET in log,
    })  # fmt: skip


async def measured(
    client: Client, process: subprocess.Popen[str], seconds: float, rng: random.Random
) -> dict[str, Any]:
    """All that is asked of the running service, the drain last."""
    broken = await limits(client)
    found = await overload(client, process.pid, seconds, rng)
    found |= await leaving(client, rng)
    found |= await drain(client, process, rng)
    return {**found, "limits_broken": broken, "limits_that_broke": len(broken)}


if __name__ == "__main__":
    main()
