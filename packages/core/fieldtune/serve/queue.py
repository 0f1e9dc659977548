"""One model, one thread: rows wait a moment for company, are sorted by length, and computed in token-budget batches.

The rules are those of text-embeddings-inference (``core/src/queue.rs``): a batch grows to a budget of tokens; a request
that does not fit into the queue is refused instead of waiting without bound; rows whose client has gone are dropped
before they cost anything. Added: rows that waited together are sorted by length, every request has a deadline, and a row
longer than the budget gets a batch of its own. Knows no HTTP and no model.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from fieldtune.batching import fill

FILLED = 7 / 8
"""Of the budget, by rows that are computed together; the rest is for their padding."""
Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Full(Exception):
    """The queue has no room for these rows: come back in so many seconds."""

    def __init__(self, retry: float = 0.0) -> None:
        super().__init__(retry)
        self.retry = retry


class Late(Exception):
    """The deadline passed before the answer."""


@dataclass
class Counts:
    """What happened so far, in rows."""

    accepted: int = 0
    answered: int = 0
    refused: int = 0
    gone: int = 0
    late: int = 0
    failed: int = 0
    batches: int = 0


@dataclass(eq=False)
class _Row(Generic[Item, Answer]):
    item: Item
    length: int
    answer: "asyncio.Future[Answer]"


class Queue(Generic[Item, Answer]):
    """Rows in, answers out, ``compute`` in a thread of its own.

    Args:
        compute: items of one batch -> as many answers, in order; blocking.
        length: tokens of an item.
        budget: tokens of a batch, padding included.
        permits: rows accepted and not yet answered.
        patience: seconds of computing that may wait, as far as the last full batches tell; 0 leaves it to the permits.
        window: seconds the first of a batch waits for others, unless the budget is full before.
        deadline: seconds from acceptance to answer.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        compute: Callable[[list[Item]], Sequence[Answer]],
        length: Callable[[Item], int],
        *,
        budget: int,
        permits: int,
        patience: float,
        window: float,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = Counts()
        self.held = 0  # rows
        self.pace = 0.0  # seconds that a token takes in full batches at worst, as far as the last ones tell
        self.budget, self.permits, self.patience = budget, permits, patience
        self.window, self.deadline = window, deadline
        self._compute, self._length, self._clock = compute, length, clock
        self._waiting: deque[_Row[Item, Answer]] = deque()
        self._tokens, self._accepted_tokens = 0, 0  # of the rows that wait; of all that are held
        self._mean, self._spread = 0.0, 0.0  # of the pace
        self._free: float | None = None  # when the last batch ended, if rows were waiting then
        self._some, self._enough = asyncio.Event(), asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._running: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether rows are being computed; False before :meth:`start` and after :meth:`stop`."""
        return self._running is not None and not self._running.done()

    @property
    def full(self) -> bool:
        """Whether not even one row would be accepted."""
        return self.held >= self.permits

    def start(self) -> None:
        """Begin computing, in the running event loop."""
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End; what still waits is cancelled. Call it when nobody asks any more."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        for row in self._waiting:
            row.answer.cancel()
        self._thread.shutdown()

    async def ask(self, items: Sequence[Item]) -> list[Answer]:
        """The answers to these items, in order. Cancelled (the client has gone), its rows leave the queue at once.

        Raises:
            Full: no room. Late: the deadline passed. What ``compute`` raised for one of these items.
        """
        future = asyncio.get_running_loop().create_future
        rows = [_Row[Item, Answer](item, self._length(item), future()) for item in items]
        self._accept(rows)
        try:
            async with asyncio.timeout(self.deadline) as limit:
                answers = list(await asyncio.gather(*(row.answer for row in rows)))
        except asyncio.CancelledError:
            self.counts.gone += len(rows)
            raise
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                self.counts.late += len(rows)
                raise Late from None
            self.counts.failed += len(rows)
            raise
        finally:
            self._release(rows)
        self.counts.answered += len(rows)
        return answers

    def _accept(self, rows: list[_Row[Item, Answer]]) -> None:
        tokens = sum(row.length for row in rows)
        expected = (self._accepted_tokens + tokens) * self.pace
        impatient = self.held and self.patience and expected > self.patience
        if self.held + len(rows) > self.permits or impatient:
            self.counts.refused += len(rows)
            raise Full(max(0.0, expected - self.patience))
        self.counts.accepted += len(rows)
        self.held += len(rows)
        self._waiting.extend(rows)
        self._tokens += tokens
        self._accepted_tokens += tokens
        self._wake()

    def _release(self, rows: list[_Row[Item, Answer]]) -> None:
        """Free the permits; rows that nobody waits for any more leave the queue, so that it stays as small as it says."""
        self.held -= len(rows)
        self._accepted_tokens -= sum(row.length for row in rows)
        left = [row for row in rows if not row.answer.done() or row.answer.cancelled()]
        for row in left:
            row.answer.cancel()
        if left:
            self._waiting = deque(row for row in self._waiting if not row.answer.done())
            self._tokens = sum(row.length for row in self._waiting)

    def _wake(self) -> None:
        if self._waiting:
            self._some.set()
        if self._tokens >= FILLED * self.budget:
            self._enough.set()

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                self._free = None
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), self.window)
            for batch in self._round():
                try:
                    await self._answer(batch)
                except Exception as error:  # a defect of ours costs its batch, not all that come after
                    for row in batch:
                        if not row.answer.done():
                            row.answer.set_exception(error)

    def _round(self) -> list[list[_Row[Item, Answer]]]:
        """Take a budget of rows from the front, sort them by length, and cut them where padding would pass the budget.

        Not quite a budget, or rows of about one length would leave one over each time, to be computed alone. No more than
        that: who waits at the front is overtaken by one budget of later rows at most.
        """
        taken: list[_Row[Item, Answer]] = []
        tokens = 0
        while self._waiting and (not taken or tokens + self._waiting[0].length <= FILLED * self.budget):
            taken.append(self._waiting.popleft())
            tokens += taken[-1].length
        self._tokens -= tokens
        self._some.clear()
        self._enough.clear()
        self._wake()
        taken.sort(key=lambda row: row.length)
        batches = fill(range(len(taken)), [row.length for row in taken], self.budget)
        return [[taken[place] for place in batch] for batch in batches]

    async def _answer(self, batch: list[_Row[Item, Answer]]) -> None:
        rows = [row for row in batch if not row.answer.done()]
        if not rows:
            return
        self.counts.batches += 1
        loop, started = asyncio.get_running_loop(), self._clock() if self._free is None else self._free
        self._free = None
        try:
            answers = await loop.run_in_executor(self._thread, self._compute, [row.item for row in rows])
            pairs = list(zip(rows, answers, strict=True))
        except Exception as error:
            await self._without_the_guilty(rows, error)
            return
        ended = self._clock()
        self._learn(sum(row.length for row in rows), ended - started)
        self._free = ended if self._waiting else None
        for row, answer in pairs:
            if not row.answer.done():
                row.answer.set_result(answer)

    def _learn(self, tokens: int, seconds: float) -> None:
        """From batch to batch, as who waits knows it.

        Mean and mean deviation are followed as those of round trips are (RFC 6298), so that the patience is kept when the
        machine is slower than usual too. Small batches are slow by the token and tell nothing of a full queue, unless they
        are faster than what is expected of one: then it had stalled, and would be refused batches of that size for ever.
        """
        seen = seconds / max(tokens, 1)  # items without a token, too, are computed
        if 2 * tokens < self.budget and seen >= self.pace:
            return
        if not self._mean:
            self._mean = seen
        self._spread += (abs(seen - self._mean) - self._spread) / 4
        self._mean += (seen - self._mean) / 8
        self.pace = self._mean + 2 * self._spread

    async def _without_the_guilty(self, rows: list[_Row[Item, Answer]], error: Exception) -> None:
        """A batch that failed is computed again in halves, until the row that cannot be computed fails alone."""
        if len(rows) > 1:
            await self._answer(rows[: len(rows) // 2])
            await self._answer(rows[len(rows) // 2 :])
        elif not rows[0].answer.done():
            rows[0].answer.set_exception(error)
