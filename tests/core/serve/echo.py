"""A model that does as it is told, and a client for the service around it."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from fieldtune.serve.rows import Row

Serve = Callable[..., Any]


@dataclass
class Echo:
    """Answers each text with its length; waits for ``gate`` before it computes, and keeps what it was given."""

    inputs: tuple[str, ...] = ("text",)
    version: str = "echo-1"
    predicts: bool = True
    encodes: bool = True
    gate: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list)

    def length(self, row: Row) -> int:
        return sum(map(len, row.texts))

    def compute(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        self.begun.set()
        assert self.gate.wait(20)
        self.batches.append([row.texts[0] for row in rows])
        if any("poison" in row.texts[0] for row in rows):
            raise ZeroDivisionError("the text was " + rows[0].texts[0])
        return [
            {"vector": [1.0, 0.0], "truncated": False}
            if row.verb == "encode"
            else {"predicted": str(self.length(row)), "truncated": False}
            for row in rows
        ]

    def facts(self) -> dict[str, Any]:
        return {"task": "echo", "version": self.version}


@dataclass(frozen=True)
class Got:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Running:
    """A service that listens."""

    port: int
    service: Any = None

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Got:
        """One request on a connection of its own; a body that is no bytes is sent as JSON."""
        connection = self.connect()
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        named = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
        try:
            connection.request(method, path, data, named)
            response = connection.getresponse()
            return Got(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def predict(self, *texts: str, **headers: str) -> Got:
        return self.ask("POST", "/predict", {"texts": list(texts)}, **headers)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def sample(running: Running, name: str, **labels: str) -> float:
    """One figure of /metrics, read as Prometheus reads it."""
    text = running.ask("GET", "/metrics").body.decode()
    found = [
        one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == name and labels.items() <= one.labels.items()
    ]
    return sum(found)
