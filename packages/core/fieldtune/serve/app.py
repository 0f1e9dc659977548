"""The routes of one model's service: /predict, /encode, /info, /health, /ready, /metrics.

Knows HTTP, the queue and the limits; of the model only what :class:`Model` says.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from fieldtune.errors import InputError
from fieldtune.serve.body import rows_of
from fieldtune.serve.guard import GONE, RETRY, Guard, Load, Receive, Refusal, Scope, Send
from fieldtune.serve.keys import Buckets, Keys
from fieldtune.serve.limits import Limits
from fieldtune.serve.metrics import CONTENT_TYPE, Metrics
from fieldtune.serve.queue import Full, Late, Queue
from fieldtune.serve.recent import Recent
from fieldtune.serve.rows import Row

Answer = dict[str, Any]
Result = TypeVar("Result")


class Model(Protocol):
    """What the service needs of a model; :class:`fieldtune.serve.served.Served` is one."""

    inputs: tuple[str, ...]
    version: str
    predicts: bool
    encodes: bool

    def length(self, row: Row) -> int:
        """About how many tokens a row costs."""
        ...

    def compute(self, rows: Sequence[Row]) -> list[Answer]:
        """One answer a row; called in one thread only."""
        ...

    def facts(self) -> Answer:
        """What ``/info`` tells."""
        ...


class Service:
    """One model, its queue and its counters.

    Attributes:
        draining: told to stop; what comes in is still answered, but connections are closed and ``/ready`` says no.
    """

    def __init__(self, model: Model, limits: Limits) -> None:
        self.model, self.limits, self.draining = model, limits, False
        self.queue: Queue[Row, Answer] = Queue(
            model.compute, model.length, budget=limits.token_budget, permits=limits.permits,
            patience=limits.wait_s, window=limits.window_ms / 1000, deadline=limits.deadline_s,
        )  # fmt: skip
        self.metrics = Metrics(self.queue, model.version)
        self._recent: Recent[Answer] = Recent(limits.cache)

    def app(self, keys: Keys, hosts: frozenset[str]) -> Guard:
        """The ASGI application."""
        routes = [
            Route("/predict", self._predict, methods=["POST"]),
            Route("/encode", self._encode, methods=["POST"]),
            Route("/info", self._info),
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/metrics", self._metrics),
        ]
        router = Router(routes, redirect_slashes=False, default=_nowhere, lifespan=self._lifespan)
        buckets = Buckets(self.limits.rate, self.limits.burst)
        paths = {route.path: sorted(route.methods or ()) for route in routes}
        load = Load(int(self.limits.connections))
        return Guard(router, paths, hosts, keys, buckets, self.metrics, lambda: self.draining, load)

    @asynccontextmanager
    async def _lifespan(self, _: Any) -> AsyncIterator[None]:
        self.queue.start()
        yield
        await self.queue.stop()

    async def _predict(self, request: Request) -> Response:
        if not self.model.predicts:
            raise Refusal(404, "expected a model that labels; found one that embeds; fix: use /encode")
        answers = await self._answers(request, "predict", self.model.inputs)
        return JSONResponse({"model": self.model.version, "predictions": answers, "request_id": _identity(request)})

    async def _encode(self, request: Request) -> Response:
        if not self.model.encodes:
            raise Refusal(404, "expected a model that embeds texts; found one that does not; fix: use /predict")
        answers = await self._answers(request, "encode", ("text",))
        found = {name: [answer[key] for answer in answers] for name, key in _COLUMNS.items()}
        return JSONResponse({"model": self.model.version, **found, "request_id": _identity(request)})

    async def _info(self, request: Request) -> Response:
        limits = {
            name: getattr(self.limits, name)
            for name in ("body_bytes", "rows", "chars", "permits", "wait_s", "deadline_s")
        }
        return JSONResponse({**self.model.facts(), "limits": limits, "request_id": _identity(request)})

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"healthy": self.queue.alive}, 200 if self.queue.alive else 503)

    async def _ready(self, _: Request) -> Response:
        ready = self.queue.alive and not self.draining
        return JSONResponse({"ready": ready}, 200 if ready else 503)

    async def _metrics(self, _: Request) -> Response:
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def _answers(self, request: Request, verb: str, inputs: Sequence[str]) -> list[Answer]:
        if self.queue.full:  # before the body costs memory
            raise _busy()
        rows = await rows_of(request, inputs, self.limits)
        found = await unless_gone(request, self._computed([Row(verb, texts) for texts, _ in rows]))
        answers = [
            {**answer, "truncated": answer["truncated"] or shorter}
            for answer, (_, shorter) in zip(found, rows, strict=True)
        ]
        self.metrics.truncated(sum(answer["truncated"] for answer in answers))
        return answers

    async def _computed(self, rows: list[Row]) -> list[Answer]:
        """The answers to rows: remembered ones at once, the others from the queue."""
        known = [self._recent.get((row.verb, *row.texts)) for row in rows]
        missing = [row for row, answer in zip(rows, known, strict=True) if answer is None]
        try:
            fresh = iter(await self.queue.ask(missing))
        except Full as full:
            raise _busy(full.retry) from None
        except Late:
            message = f"expected an answer within {self.limits.deadline_s:g} s; fix: send fewer rows, or try again"
            raise Refusal(503, message, retry=RETRY) from None
        except InputError as error:
            raise Refusal(422, str(error)) from None
        answers = [next(fresh) if answer is None else answer for answer in known]
        for row, answer in zip(rows, answers, strict=True):
            self._recent.put((row.verb, *row.texts), answer)
        return answers


_COLUMNS = {"vectors": "vector", "truncated": "truncated"}


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of some work; when the client goes before, the work is cancelled and its slot is free."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Refusal(GONE, "the client has gone")
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(receive: Callable[[], Coroutine[Any, Any, Any]] | Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    raise Refusal(404, "expected /predict, /encode, /info, /health, /ready or /metrics")


def _busy(seconds: float = RETRY) -> Refusal:
    return Refusal(503, "expected fewer requests at a time; fix: wait and try again", retry=seconds)


def _identity(request: Request) -> str:
    return str(request.scope["request_id"])
