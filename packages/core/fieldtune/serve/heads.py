"""A connection that asks nothing: closed after some seconds, and first of all when there are too many connections.

uvicorn counts idle sockets among the requests it refuses, and times a connection out only between two requests, anew with
every byte: a thousand silent ones, or ones that go on with a body whose request was refused, would keep everybody out. It
knows no request and no answer.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_YOUNG = 1.0  # seconds in which a client that connects surely asks


class Heads(H11Protocol):
    """uvicorn's protocol with a time for the head of a request, and a number of connections.

    Args:
        head_s: seconds for the head to arrive, from the connection or from what came of it since the last answer; and for
            the rest of a body that nobody reads.
        most: connections open at a time; beyond, the silent ones are closed sooner.
    """

    def __init__(self, *, head_s: float, most: int, **options: Any) -> None:
        super().__init__(**options)
        self._head_s, self._most = head_s, most
        self._late: asyncio.TimerHandle | None = None
        self._since = 0.0

    @property
    def silent(self) -> bool:
        """Whether no request is in work on it: none has come, or what still comes is the body of one that was answered."""
        return bool(self.conn.their_state is h11.IDLE or self._unread)

    @property
    def _unread(self) -> bool:
        return bool(self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > self._most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.silent:
            self._done()
        else:  # a head in pieces: its time began with the first
            self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._since = self.loop.time()
        if self._unread:  # closed at once, the client might lose the answer
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._late is None:
            self._since = self.loop.time()
            self._late = self.loop.call_later(self._head_s, self._close)

    def _done(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close(self) -> None:
        if self.silent and not self.transport.is_closing():
            self.transport.close()

    def _make_room(self) -> None:
        """Close those that have been silent longest: none that is being answered, or has only just come."""
        now, too_many = self.loop.time(), len(self.connections) - self._most
        silent = [
            one for one in self.connections if isinstance(one, Heads) and one.silent and now - one._since > _YOUNG
        ]
        for one in sorted(silent, key=lambda one: one._since)[:too_many]:
            one._close()
