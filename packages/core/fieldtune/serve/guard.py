"""What every request passes before a route sees it: a known host, a key, its share; it leaves with an id and a log line.

Pure ASGI around the routes: it reads no body, so a refusal costs nothing.
"""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from fieldtune.serve.hosts import name_of
from fieldtune.serve.keys import Buckets, Keys, whole
from fieldtune.serve.log import event, place
from fieldtune.serve.metrics import Metrics

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
OPEN = ("/health", "/ready")  # for balancers, which hold no key; they say nothing
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
RETRY = 1.0  # seconds after which a full service has surely moved
GONE = 499  # the client left before the answer (nginx's number); nobody reads it but the log


class Refusal(Exception):
    """A request that is not answered: status, what to do, and the seconds after which to try again."""

    def __init__(self, status: int, message: str, retry: float | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if retry is not None:
            self.headers["Retry-After"] = whole(retry)


@dataclass
class Load:
    """Requests in work at a time: how many there may be, and how many there are."""

    most: int
    now: int = 0


@dataclass(frozen=True)
class Guard:
    """The routes, and who may reach them.

    Attributes:
        paths: of each route, and the methods that it takes.
    """

    routes: App
    paths: Mapping[str, Collection[str]]
    hosts: frozenset[str]
    keys: Keys
    buckets: Buckets
    metrics: Metrics
    closing: Callable[[], bool]
    load: Load

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.routes(scope, receive, send)
            return
        started, status = time.monotonic(), GONE
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get("x-request-id", "")
        identity = given if _ID.fullmatch(given) else secrets.token_hex(8)
        scope["request_id"] = identity

        async def named(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", identity.encode())]
                if self.closing():
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        self.load.now += 1
        try:
            self._admit(scope["path"], headers)
            self._understood(scope["path"], scope["method"])
            await self.routes(scope, receive, named)
        except Refusal as refusal:
            await answer(refusal, identity)(scope, receive, named)
        except Exception as error:  # a defect of ours, or of the model
            event("failed", logging.ERROR, id=identity, error=place(error))
            await answer(Refusal(500, "this request failed; the log tells where"), identity)(scope, receive, named)
        finally:
            self.load.now -= 1
            seconds, route = time.monotonic() - started, self._route(scope)
            self.metrics.request(route, status, seconds)
            event("request", id=identity, route=route, status=status, milliseconds=round(1000 * seconds, 1))

    def _admit(self, path: str, headers: dict[str, str]) -> None:
        if name_of(headers.get("host", "")) not in self.hosts:
            raise Refusal(421, "expected a host that this service answers to; fix: fieldtune serve --allow-host NAME")
        if path in OPEN:
            return
        if self.load.now > self.load.most:
            raise Refusal(503, "expected fewer requests at a time; fix: wait and try again", retry=RETRY)
        owner = self._owner(headers.get("authorization", ""))
        wait = self.buckets.wait(owner, time.monotonic())
        if wait:
            raise Refusal(429, "expected fewer requests with this key; fix: wait and try again", retry=wait)

    def _understood(self, path: str, method: str) -> None:
        methods = self.paths.get(path, (method,))
        if method not in methods:
            raise Refusal(405, f"expected {' or '.join(sorted(methods))}; found {method}", Allow=", ".join(methods))

    def _owner(self, header: str) -> int | None:
        if not len(self.keys):
            return None
        scheme, _, key = header.partition(" ")
        owner = self.keys.owner(key.strip())
        if scheme.lower() != "bearer" or owner is None:
            raise Refusal(
                401, "expected a key; fix: send the header Authorization: Bearer KEY", WWW_Authenticate="Bearer"
            )
        return owner

    def _route(self, scope: Scope) -> str:
        return scope["path"] if scope["path"] in self.paths else "other"


def answer(refusal: Refusal, identity: str) -> Response:
    """A refusal as the client sees it."""
    return JSONResponse(
        {"error": refusal.message, "request_id": identity}, status_code=refusal.status, headers=refusal.headers
    )
