"""The queue's rules: budget, order, refusal, the gone, deadlines, a row too long, a row that fails."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldtune.serve.queue import Full, Late, Queue

BUDGET = 40


class Model:
    """Doubles numbers; keeps the batches it saw; waits for its gate."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate, self.begun = threading.Event(), threading.Event()
        self.gate.set()

    def __call__(self, items: list[int]) -> Sequence[int]:
        self.begun.set()
        assert self.gate.wait(20)
        self.batches.append(items)
        if 13 in items:
            raise ValueError("unlucky")
        return [2 * item for item in items]


def run(model: Model, work: Callable[[Queue[int, int]], Awaitable[Any]], **changes: Any) -> Any:
    """Work with a running queue, in an event loop of its own; afterwards its books must balance."""

    async def main() -> Any:
        options: dict[str, Any] = {
            "budget": BUDGET,
            "permits": 100,
            "patience": 0.0,
            "window": 0.01,
            "deadline": 20.0,
            **changes,
        }
        queue: Queue[int, int] = Queue(model, lambda item: item, **options)
        queue.start()
        try:
            return await work(queue)
        finally:
            model.gate.set()
            counts = queue.counts
            assert queue.held == 0
            assert counts.accepted == counts.answered + counts.gone + counts.late + counts.failed
            await queue.stop()
            assert not queue.alive

    return asyncio.run(main())


async def blocked(queue: Queue[int, int], model: Model) -> "asyncio.Task[list[int]]":
    """A request that occupies the model until its gate opens."""
    model.gate.clear()
    model.begun.clear()
    task = asyncio.create_task(queue.ask([1]))
    await asyncio.to_thread(model.begun.wait, 20)
    return task


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(14, 90), max_size=6), max_size=8))
def test_every_request_gets_its_own_answers_from_batches_within_the_budget(requests: list[list[int]]) -> None:
    model = Model()

    async def work(queue: Queue[int, int]) -> Any:
        return await asyncio.gather(*(queue.ask(items) for items in requests))

    assert run(model, work, window=0.001) == [[2 * item for item in items] for items in requests]
    for batch in model.batches:
        assert len(batch) == 1 or max(batch) * len(batch) <= BUDGET
    assert sorted(item for batch in model.batches for item in batch) == sorted(chain(*requests))


def test_what_waited_together_is_sorted_by_length_and_shares_batches() -> None:
    model = Model()

    async def work(queue: Queue[int, int]) -> None:
        first = await blocked(queue, model)
        others = [asyncio.create_task(queue.ask([item])) for item in (9, 2, 20, 3, 19, 4, 2)]
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(first, *others)

    run(model, work)
    assert model.batches == [[1], [2, 3, 9], [20], [2, 4], [19]]


def test_rows_of_about_one_length_leave_none_to_be_computed_alone() -> None:
    async def work(queue: Queue[int, int]) -> None:
        first = await blocked(queue, model)
        others = [asyncio.create_task(queue.ask([item])) for item in [4, 4, 5, 4] * 6]
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(first, *others)

    model = Model()
    run(model, work)
    assert {len(batch) for batch in model.batches[1:]} == {8}


def test_a_row_longer_than_the_budget_is_computed_alone() -> None:
    model = Model()
    assert run(model, lambda queue: queue.ask([10 * BUDGET, 2, 10 * BUDGET])) == [800, 4, 800]
    assert sorted(model.batches) == [[2], [400], [400]]


def test_a_request_without_room_is_refused_and_those_accepted_are_answered() -> None:
    model = Model()

    async def work(queue: Queue[int, int]) -> None:
        first = await blocked(queue, model)
        second = asyncio.create_task(queue.ask([2, 3]))
        await asyncio.sleep(0)
        assert queue.full
        for _ in range(50):
            with pytest.raises(Full):
                await queue.ask([4])
        assert (queue.held, len(queue._waiting), queue.counts.refused) == (3, 2, 50)
        model.gate.set()
        assert await asyncio.gather(first, second) == [[2], [4, 6]]
        assert await queue.ask([5]) == [10]

    run(model, work, permits=3)


def test_rows_of_a_client_that_has_gone_cost_nothing_and_free_their_room() -> None:
    model = Model()

    async def work(queue: Queue[int, int]) -> None:
        first = await blocked(queue, model)
        for _ in range(20):
            gone = asyncio.create_task(queue.ask([7, 8]))
            await asyncio.sleep(0)
            assert queue.full
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            assert (queue.held, len(queue._waiting)) == (1, 0)
        model.gate.set()
        assert await first == [2]
        assert queue.counts.gone == 40

    run(model, work, permits=3)
    assert model.batches == [[1]]


def test_one_that_leaves_between_two_batches_of_a_round_is_not_computed() -> None:
    model = Model()

    async def work(queue: Queue[int, int]) -> None:
        first = await blocked(queue, model)
        short, long = (asyncio.create_task(queue.ask([item])) for item in (8, 26))
        await asyncio.sleep(0)
        model.begun.clear()
        model.gate.set()
        await first
        model.gate.clear()
        await asyncio.to_thread(model.begun.wait, 20)  # the short one is being computed, the long one was taken along
        long.cancel()
        await asyncio.gather(long, return_exceptions=True)
        model.gate.set()
        assert await short == [16]

    run(model, work)
    assert 26 not in chain(*model.batches)


def test_a_deadline_ends_the_wait_and_the_row_is_not_computed() -> None:
    model = Model()

    async def work(queue: Queue[int, int]) -> None:
        first = await blocked(queue, model)
        late = await asyncio.gather(queue.ask([5]), return_exceptions=True)
        assert isinstance(late[0], Late)
        model.gate.set()
        await asyncio.gather(first, return_exceptions=True)
        assert queue.counts.late >= 1

    run(model, work, deadline=0.05)
    assert 5 not in chain(*model.batches)


def test_a_row_that_cannot_be_computed_fails_alone() -> None:
    model = Model()

    async def work(queue: Queue[int, int]) -> Any:
        asked = (queue.ask([item]) for item in (2, 3, 13, 4, 5, 2))
        return await asyncio.gather(*asked, return_exceptions=True)

    found = run(model, work, budget=1000)
    assert [repr(answer) for answer in found] == ["[4]", "[6]", "ValueError('unlucky')", "[8]", "[10]", "[4]"]


def test_a_model_that_answers_too_few_rows_is_a_failure_not_a_hang() -> None:
    async def work() -> Any:
        queue: Queue[int, int] = Queue(
            lambda items: [], lambda _: 1, budget=9, permits=9, patience=0.0, window=0.0, deadline=20.0
        )
        queue.start()
        found = await asyncio.gather(queue.ask([1, 2]), return_exceptions=True)
        await queue.stop()
        return found

    assert isinstance(asyncio.run(work())[0], ValueError)


def test_an_item_without_a_token_is_answered_and_the_next_one_too() -> None:
    async def work(queue: Queue[int, int]) -> Any:
        return [await queue.ask([item]) for item in (0, BUDGET, 0)]

    assert run(Model(), work) == [[0], [2 * BUDGET], [0]]


def test_a_defect_of_the_queue_costs_its_batch_and_not_those_after() -> None:
    broken = [False, True]

    def clock() -> float:
        if broken and broken.pop():
            raise ArithmeticError("no time")
        return 0.0

    async def work(queue: Queue[int, int]) -> Any:
        with pytest.raises(ArithmeticError):
            await queue.ask([1])
        return await queue.ask([2])

    assert run(Model(), work, clock=clock) == [4]


def test_a_full_budget_does_not_wait_for_the_window() -> None:
    model = Model()

    async def work(queue: Queue[int, int]) -> Any:
        return await queue.ask([BUDGET])

    assert run(model, work, window=1000.0) == [80]  # with the window it would miss its deadline


def test_who_would_wait_longer_than_patience_is_refused_with_the_seconds_to_wait() -> None:
    """A clock of its own: each look at it is a second later, so a batch takes one second; a full one has 40 tokens."""
    model, ticks = Model(), count()

    async def work(queue: Queue[int, int]) -> None:
        await queue.ask([2])
        assert queue.pace == 0  # too small a batch to tell
        await queue.ask([BUDGET])
        assert queue.pace == 1 / BUDGET
        await queue.ask([10 * BUDGET])  # alone, it is accepted however long it takes
        queue.pace = 1 / BUDGET
        first = await blocked(queue, model)
        second = asyncio.create_task(queue.ask([2 * BUDGET]))
        await asyncio.sleep(0)
        with pytest.raises(Full) as refused:
            await queue.ask([2 * BUDGET])
        assert refused.value.retry == pytest.approx((1 + 4 * BUDGET) / BUDGET - 3)
        third = asyncio.create_task(queue.ask([BUDGET // 2]))
        model.gate.set()
        await asyncio.gather(first, second, third)

    run(model, work, patience=3.0, clock=lambda: float(next(ticks)))


def test_a_pace_that_varies_is_reckoned_with_as_round_trips_are() -> None:
    """By hand, after RFC 6298 (2.3): deviation 1/4 of the surprise, mean 1/8 of it, twice the deviation on top."""
    queue: Queue[int, int] = Queue(
        lambda items: items, lambda item: item, budget=BUDGET, permits=9, patience=1.0, window=0.0, deadline=20.0
    )
    queue._learn(BUDGET, 1.0)
    queue._learn(BUDGET, 3.0)
    assert queue.pace * BUDGET == pytest.approx(1 + 2 / 8 + 2 * 2 / 4)


def test_what_lies_between_two_batches_belongs_to_the_pace_while_rows_wait() -> None:
    model, now = Model(), [0.0]

    async def work(queue: Queue[int, int]) -> None:
        async def busy() -> None:  # the loop has other work, three seconds after every answer
            await queue.ask([BUDGET])
            now[0] += 3

        await asyncio.gather(*(busy() for _ in range(8)))
        assert queue.pace * BUDGET >= 2
        await queue.ask([2])
        now[0] += 1000  # nobody waits meanwhile
        await queue.ask([BUDGET])
        assert queue.pace * BUDGET < 10

    run(model, work, patience=1e6, clock=lambda: now[0])


def test_one_stall_is_forgotten() -> None:
    """A batch that took long makes the queue refuse all but small ones; these must be able to tell that it is over."""
    queue: Queue[int, int] = Queue(
        lambda items: items, lambda item: item, budget=BUDGET, permits=9, patience=1.0, window=0.0, deadline=20.0
    )
    queue._learn(BUDGET, 1.0)
    queue._learn(BUDGET, 100.0)
    assert queue.pace * BUDGET > 50
    for _ in range(60):
        queue._learn(BUDGET // 4, 0.5)  # twice as slow by the token as a full batch
    assert queue.pace * BUDGET <= 2.5
    pace = queue.pace
    queue._learn(BUDGET // 4, 5.0)
    assert queue.pace == pace
