"""Every limit over a real socket: bodies, rows, texts, hosts, keys, rates, overload, clients that leave, metrics."""

import json
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fieldtune.serve import log
from tests.core.serve.echo import Echo, Serve, sample, until

KEY, OTHER = "k" * 16 + "-first", "k" * 16 + "-second"


def test_texts_and_rows_are_answered_in_order(serving: Serve, echo: Echo) -> None:
    with serving(echo) as running:
        got = running.predict("a", "bbb", "")
        assert (got.status, got.headers["content-type"]) == (200, "application/json")
        assert [one["predicted"] for one in got.json["predictions"]] == ["1", "3", "0"]
        assert got.json["model"] == "echo-1"
        rows = running.ask("POST", "/predict", {"rows": [{"text": "bb"}, {"text": None}, {"text": 1234}]})
        assert [one["predicted"] for one in rows.json["predictions"]] == ["2", "0", "4"]
        assert running.ask("POST", "/encode", {"texts": ["a", "b"]}).json["vectors"] == [[1.0, 0.0]] * 2
        assert running.predict().json["predictions"] == []
        assert running.ask("GET", "/info").json["limits"]["rows"] == 128


def test_rows_of_several_columns(serving: Serve, echo: Echo) -> None:
    echo.inputs, echo.encodes = ("text_a", "text_b"), False
    with serving(echo) as running:
        got = running.ask("POST", "/predict", {"rows": [{"text_b": "bb", "text_a": "a"}]})
        assert got.json["predictions"][0]["predicted"] == "3"
        assert echo.batches == [["a"]]
        assert running.predict("a").status == 422
        assert running.ask("POST", "/encode", {"texts": ["a"]}).status == 404
    echo.predicts = False
    with serving(echo) as running:
        assert running.predict("a").status == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe\x00", 400),
        (b"[" * 100_000, 400),
        (b"9" * 10_000, 400),
        (b"", 400),
        ([], 422),
        ({}, 422),
        ({"texts": "a"}, 422),
        ({"texts": ["a", 1]}, 422),
        ({"texts": ["a"], "rows": []}, 422),
        ({"texts": ["a"], "more": 1}, 422),
        ({"rows": [{}]}, 422),
        ({"rows": [{"text": ["a"]}]}, 422),
        ({"rows": ["a"]}, 422),
        ({"texts": ["a"] * 4}, 422),
    ],
)
def test_a_body_of_another_shape_is_refused_with_what_was_expected(
    serving: Serve, echo: Echo, body: object, status: int
) -> None:
    with serving(echo, rows=3) as running:
        got = running.ask("POST", "/predict", body)
        assert got.status == status
        assert got.json["error"].startswith("expected")
        assert got.json["request_id"] == got.headers["x-request-id"]
        assert running.predict("a").status == 200
    assert echo.batches == [["a"]]


def test_a_field_twice_is_named(serving: Serve, echo: Echo) -> None:
    with serving(echo) as running:
        got = running.ask("POST", "/predict", b'{"texts": ["a"], "texts": ["b"]}')
        assert (got.status, got.json["error"]) == (
            400,
            "expected every field once; found the field 'texts' twice; fix: leave one of them out",
        )
    assert echo.batches == []


def test_a_body_over_the_limit_is_refused_before_it_is_parsed(serving: Serve, echo: Echo) -> None:
    with serving(echo, body_bytes=1000) as running:
        assert running.ask("POST", "/predict", b"{" * 1001).status == 413  # parsed, it would be 400
        assert running.ask("POST", "/predict", b"{" * 1000).status == 400
        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", running.port)) as raw:  # it announces much and sends nothing
            raw.sendall(head + b"Content-Length: 99999999999\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 413")
        with socket.create_connection(("127.0.0.1", running.port)) as raw:  # it announces nothing and sends much
            raw.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"{" * 1000 + b"\r\n1\r\n{\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_never_comes_is_not_waited_for(serving: Serve, echo: Echo) -> None:
    with serving(echo, body_s=0.05) as running, socket.create_connection(("127.0.0.1", running.port)) as raw:
        raw.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert raw.recv(1000).startswith(b"HTTP/1.1 408")


def test_a_long_text_is_cut_and_the_answer_says_so(serving: Serve, echo: Echo) -> None:
    with serving(echo, chars=5) as running:
        got = running.predict("12345", "123456", "1").json["predictions"]
        assert [(one["predicted"], one["truncated"]) for one in got] == [("5", False), ("5", True), ("1", False)]
        assert sample(running, "fieldtune_truncated_texts_total") == 1


def test_a_text_over_the_token_budget_is_answered(serving: Serve, echo: Echo) -> None:
    with serving(echo, token_budget=10) as running:
        assert [one["predicted"] for one in running.predict("x" * 500, "y").json["predictions"]] == ["500", "1"]
        assert running.predict("z").status == 200


def test_control_characters_and_halves_of_characters_survive(serving: Serve, echo: Echo) -> None:
    odd = ["\x00\x01\x7f\x85\u2028", "\ud800", "a\udfffb", "\U0001f600", "\u202e"]
    with serving(echo) as running:
        got = running.ask("POST", "/predict", json.dumps({"texts": odd}).encode())
        assert [one["predicted"] for one in got.json["predictions"]] == [str(len(text)) for text in odd]
    assert sorted(echo.batches[0]) == sorted([odd[0], "\ufffd", "a\ufffdb", odd[3], odd[4]])


def test_a_form_of_a_foreign_page_is_refused_and_no_page_may_read(serving: Serve, echo: Echo) -> None:
    with serving(echo) as running:
        assert running.ask("POST", "/predict", b'{"texts": []}', Content_Type="text/plain").status == 415
        asked = running.ask("OPTIONS", "/predict", Origin="http://evil.example", Access_Control_Request_Method="POST")
        got = running.predict("a", Origin="http://evil.example")
        assert asked.status == 405
        assert not [name for name in {**asked.headers, **got.headers} if name.startswith("access-control")]


def test_only_known_hosts_are_answered(serving: Serve, echo: Echo) -> None:
    with serving(echo, hosts=["Models.Example"]) as running:
        for host in ("localhost", "127.0.0.1:80", "[::1]:9", "models.example", "MODELS.example:443", "localhost."):
            assert running.predict("a", Host=host).status == 200, host
        for host in (
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "[::1",
            "localhost:x@evil",
        ):
            assert running.predict("a", Host=host).status == 421, host
            assert running.ask("GET", "/health", Host=host).status == 421, host


def test_keys_open_every_route_but_health(serving: Serve, echo: Echo) -> None:
    with serving(echo, keys=[KEY, OTHER]) as running:
        for path in ("/info", "/metrics", "/nowhere"):
            assert running.ask("GET", path).status == 401
        for wrong in ("", KEY, f"Basic {KEY}", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", "Bearer ", "Bearer ü"):
            got = running.predict("a", Authorization=wrong)
            assert (got.status, got.headers["www-authenticate"]) == (401, "Bearer")
            assert KEY not in got.body.decode()
        assert echo.batches == []
        for right in (f"Bearer {KEY}", f"bearer {OTHER}"):
            assert running.predict("a", Authorization=right).status == 200
        assert running.ask("GET", "/health").json == {"healthy": True}
        assert running.ask("GET", "/ready").json == {"ready": True}


def test_each_key_has_a_rate_of_its_own(serving: Serve, echo: Echo) -> None:
    with serving(echo, keys=[KEY, OTHER], rate=0.001, burst=2) as running:
        first = [running.predict("a", Authorization=f"Bearer {KEY}") for _ in range(3)]
        assert [got.status for got in first] == [200, 200, 429]
        assert 900 <= int(first[2].headers["retry-after"]) <= 1000
        assert running.predict("a", Authorization=f"Bearer {OTHER}").status == 200
        assert running.ask("GET", "/ready").status == 200


def test_overload_is_refused_and_what_was_accepted_is_answered(serving: Serve) -> None:
    model = Echo()
    with serving(model, permits=4, rows=4) as running, ThreadPoolExecutor(4) as pool:
        accepted = [pool.submit(running.predict, f"text {number}") for number in range(4)]
        until(lambda: running.service.queue.held == 4)
        for _ in range(20):
            got = running.predict("one more")
            assert (got.status, got.headers["retry-after"]) == (503, "1")
        assert (running.service.queue.held, len(running.service.queue._waiting)) <= (4, 4)
        model.gate.set()
        assert [one.result().status for one in accepted] == [200] * 4
        assert running.predict("again").status == 200
        assert sample(running, "fieldtune_requests_total", status="503") == 20
    assert not [batch for batch in model.batches if "one more" in batch]


def test_a_client_that_leaves_frees_its_slot_and_is_not_computed(serving: Serve) -> None:
    model = Echo()
    with serving(model, permits=2, rows=2) as running, ThreadPoolExecutor(2) as pool:
        first = pool.submit(running.predict, "first")
        assert model.begun.wait(20)
        for _ in range(5):
            leaving = running.connect()
            leaving.request("POST", "/predict", json.dumps({"texts": ["left"]}), {"Content-Type": "application/json"})
            until(lambda: running.service.queue.held == 2)
            leaving.close()
            until(lambda: running.service.queue.held == 1)
        second = pool.submit(running.predict, "second")
        until(lambda: running.service.queue.held == 2)
        model.gate.set()
        assert (first.result().status, second.result().status) == (200, 200)
        assert sample(running, "fieldtune_rows_total", outcome="gone") == 5
    assert model.batches == [["first"], ["second"]]


def test_a_deadline_is_answered_with_when_to_come_back(serving: Serve) -> None:
    model = Echo()
    with serving(model, deadline_s=0.05) as running:
        got = running.predict("a")
        assert (got.status, got.headers["retry-after"]) == (503, "1")
        model.gate.set()
        until(lambda: running.predict("b").status == 200)


def test_a_text_the_model_fails_on_fails_alone_and_is_in_no_log(serving: Serve, echo: Echo) -> None:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(log.Lines().format(record))  # type: ignore[method-assign]
    log.LOGGER.addHandler(handler)
    before = log.LOGGER.level
    log.LOGGER.setLevel(logging.INFO)
    try:
        with serving(echo, keys=[KEY], window_ms=50) as running, ThreadPoolExecutor(3) as pool:
            texts = ("fine", "poison secret words", "good")
            asked = [pool.submit(running.predict, text, Authorization=f"Bearer {KEY}") for text in texts]
            assert [one.result().status for one in asked] == [200, 500, 200]
            assert b"secret" not in asked[1].result().body
            running.ask("GET", "/secret-words?secret=1", Authorization=f"Bearer {KEY}")
    finally:
        log.LOGGER.removeHandler(handler)
        log.LOGGER.setLevel(before)
    parsed = [json.loads(line) for line in lines]
    assert {line["event"] for line in parsed} == {"request", "failed"}
    failed = next(line for line in parsed if line["event"] == "failed")
    assert failed["error"].startswith("ZeroDivisionError in echo.py")
    assert {line["route"] for line in parsed if line["event"] == "request"} == {"/predict", "other"}
    assert not [line for line in lines if "secret" in line or KEY in line]


def test_a_request_has_an_id_its_own_where_it_brings_a_plain_one(serving: Serve, echo: Echo) -> None:
    with serving(echo) as running:
        assert running.predict("a", X_Request_ID="ours-7.b_1").headers["x-request-id"] == "ours-7.b_1"
        odd = running.predict("a", X_Request_ID="a b<script>").headers["x-request-id"]
        assert len(odd) == 16
        assert running.ask("GET", "/nowhere").headers["x-request-id"] not in ("", odd)


def test_the_same_text_is_computed_once_where_answers_are_kept(serving: Serve, echo: Echo) -> None:
    with serving(echo, cache=2) as running:
        for text in ("a", "a", "b", "a", "c", "b"):
            running.predict(text)
        assert running.ask("POST", "/encode", {"texts": ["a", "a"]}).json["vectors"] == [[1.0, 0.0]] * 2
    assert echo.batches == [["a"], ["b"], ["c"], ["b"], ["a", "a"]]


def test_metrics_count_what_happened(serving: Serve, echo: Echo) -> None:
    with serving(echo) as running:
        running.predict("a", "b")
        running.predict("c")
        running.ask("GET", "/no/such/place")
        assert sample(running, "fieldtune_requests_total", route="/predict", status="200") == 2
        assert sample(running, "fieldtune_requests_total", route="other", status="404") == 1
        assert sample(running, "fieldtune_request_seconds_count", route="/predict") == 2
        assert sample(running, "fieldtune_rows_total", outcome="answered") == 3
        assert sample(running, "fieldtune_batches_total") == len(echo.batches)
        assert sample(running, "fieldtune_rows_held") == 0
        assert sample(running, "fieldtune_model", version="echo-1") == 1


def test_threads_that_compute_are_one(serving: Serve, echo: Echo) -> None:
    names: set[str] = set()
    compute = echo.compute

    def noted(rows: object) -> object:
        names.add(threading.current_thread().name)
        return compute(rows)  # type: ignore[arg-type]

    echo.compute = noted  # type: ignore[method-assign,assignment]
    with serving(echo) as running, ThreadPoolExecutor(4) as pool:
        assert all(one.status == 200 for one in pool.map(running.predict, "abcdefgh"))
    assert names == {"model_0"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ([], "found a list"),
        ({"texts": "abc"}, "found an object of 'texts'"),
        ({"texts": ["a", None]}, "found null as text 2"),
        ({"rows": ["a"]}, "found a text as row 1"),
        ({"rows": [{"text": "a"}, {"id": 7}]}, "found row 2 without 'text'"),
        ({"rows": [{"text": ["a"]}]}, "found a list as 'text' in row 1"),
    ],
)
def test_a_body_of_another_shape_is_told_what_it_was(serving: Serve, echo: Echo, body: object, found: str) -> None:
    with serving(echo) as running:
        assert running.ask("POST", "/predict", body).json["error"].endswith(found)


def test_columns_that_the_model_does_not_read_are_passed_over(serving: Serve, echo: Echo) -> None:
    with serving(echo) as running:
        got = running.ask("POST", "/predict", {"rows": [{"text": "a", "id": "7"}]})
        assert (got.status, len(got.json["predictions"])) == (200, 1)


@pytest.mark.parametrize(("method", "path", "allowed"), [("GET", "/predict", "POST"), ("PUT", "/info", "GET, HEAD")])
def test_another_method_is_refused_as_all_else_is(
    serving: Serve, echo: Echo, method: str, path: str, allowed: str
) -> None:
    with serving(echo) as running:
        got = running.ask(method, path, None)
        assert (got.status, got.headers["allow"]) == (405, allowed)
        assert got.json["error"].endswith(f"found {method}")
        assert got.json["request_id"] == got.headers["x-request-id"]
