"""Connections that ask nothing keep nobody out, and a service with too much to do says so itself."""

import json
import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from fieldtune.serve.run import more_files
from tests import processes
from tests.core.serve.echo import Running, sample, until

SLOW = str(Path(__file__).with_name("slow_service.py"))
MOST = 12


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[tuple[Running, Path]]:
    """A service of few connections, and its log."""
    said, log = tmp_path / "said", tmp_path / "log"
    with said.open("w") as out, log.open("w") as err:
        process = processes.begin(SLOW, "0.2", f"connections={MOST}", "head_s=1", out=out.fileno(), err=err)
        until(lambda: said.read_text().endswith("\n"))
        yield Running(int(said.read_text().strip().rpartition(":")[2])), log
        process.kill()
        process.join(10)


def closed(one: socket.socket) -> bool:
    """Whether the other side has closed it."""
    one.settimeout(20)
    try:
        return one.recv(1000) == b""
    except ConnectionResetError:
        return True


def test_silent_connections_keep_nobody_out_and_are_closed(begun: tuple[Running, Path]) -> None:
    running, _ = begun
    with ExitStack() as stack:
        address = ("127.0.0.1", running.port)
        silent = [stack.enter_context(socket.create_connection(address)) for _ in range(4 * MOST)]
        assert running.ask("GET", "/health").status == 200
        assert running.predict("text").status == 200
        for one in silent[-3:]:  # a head that comes in pieces gets no more time than one that does not come
            one.sendall(b"GET /health HT")
        begin = time.monotonic()
        assert all(map(closed, silent))
        assert time.monotonic() - begin < 15
        kept = running.connect()  # and so is one that asked once
        kept.request("GET", "/health")
        assert kept.getresponse().read() and kept.sock is not None
        kept.sock.sendall(b"GET /hea")
        assert closed(kept.sock)
        kept.close()


def refused(running: Running, number: int) -> socket.socket:
    """A connection whose request was answered before its body came."""
    one = socket.create_connection(("127.0.0.1", running.port), timeout=20)
    head, status = (("PUT", "127.0.0.1"), 405) if number % 2 else (("POST", "other.example"), 421)
    one.sendall(b"%s /predict HTTP/1.1\r\nHost: %s\r\nContent-Length: 400\r\n\r\n" % tuple(map(str.encode, head)))
    got = one.recv(10_000)
    while b"}" not in got:
        got += one.recv(10_000)
    assert got.startswith(b"HTTP/1.1 %d " % status)
    return one


def goes_on(one: socket.socket) -> bool:
    """Whether it takes one more byte."""
    try:
        one.sendall(b"x")
        one.settimeout(0.001)
        return one.recv(1000) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def test_bodies_that_nobody_reads_keep_nobody_out_and_are_closed(begun: tuple[Running, Path]) -> None:
    running, _ = begun
    with ExitStack() as stack:
        crowd = [stack.enter_context(refused(running, number)) for number in range(2 * MOST)]
        left = crowd
        for _ in range(100):
            time.sleep(0.1)
            left = [one for one in left if goes_on(one)]
            assert running.ask("GET", "/health").status == 200
            if not left:
                break
        assert not left


def test_an_answer_is_read_and_the_connection_kept_where_the_body_ends(begun: tuple[Running, Path]) -> None:
    running, _ = begun
    with refused(running, 0) as one:
        one.sendall(b"x" * 400 + b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert one.recv(10_000).startswith(b"HTTP/1.1 200 ")


def test_too_many_requests_are_refused_in_json_counted_and_logged(begun: tuple[Running, Path]) -> None:
    running, log = begun
    with ThreadPoolExecutor(2 * MOST) as pool:
        got = [one.result() for one in [pool.submit(running.predict, f"text {n}") for n in range(2 * MOST)]]
        assert running.ask("GET", "/health").status == 200
    refused = [one for one in got if one.status != 200]
    assert refused
    for one in refused:
        assert (one.status, one.headers["retry-after"]) == (503, "1")
        assert "fewer requests" in one.json["error"] and one.json["request_id"] == one.headers["x-request-id"]
    assert sample(running, "fieldtune_requests_total", route="/predict", status="503") == len(refused)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(line.get("status") == 503 for line in lines) == len(refused)
    assert {one.json["request_id"] for one in refused} <= {line.get("id") for line in lines}


def test_it_may_hold_as_many_sockets_as_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        for soft, wanted in ((256, 300), (256, 200), (256, before[1] + 1)):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
            more_files(wanted)
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(max(soft, wanted), before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
