"""A client of HTTP services over asyncio's streams: cheap enough to offer ten times what a service can do."""

import asyncio
import time
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

KEY = "a-key-for-this-benchmark-alone"


@dataclass(frozen=True)
class Answer:
    """What came back, 0 where the connection closed first; seconds from the first byte sent."""

    status: int
    seconds: float
    headers: dict[str, str]
    body: bytes


class Client:
    """Asks one port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def ask(self, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request on a connection of its own."""
        started = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            return await self.on(reader, writer, path, body, started, **headers)
        finally:
            writer.close()

    async def on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes | None,
                 started: float, **headers: str) -> Answer:  # fmt: skip
        """One request on an open connection."""
        writer.write(request(path, body, **headers))
        try:
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
            named = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            content = await reader.readexactly(int(named.get("content-length", 0)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return Answer(0, time.monotonic() - started, {}, b"")
        return Answer(int(head[0].split()[1]), time.monotonic() - started, named, content)

    async def metric(self, name: str, **labels: str) -> float:
        """One figure of /metrics."""
        text = (await self.ask("/metrics")).body.decode()
        samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
        return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


def request(path: str, body: bytes | None, **headers: str) -> bytes:
    """The bytes of a request."""
    named = {"Host": "localhost", "Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    named |= {name.replace("_", "-"): text for name, text in headers.items()}
    first = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1"
    lines = [first, *(f"{name}: {text}" for name, text in named.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body or b'')}", "", ""]).encode() + (body or b"")
