"""The same function over many batches, one batch a core: no core waits for another inside a product.

Splitting every product over the cores makes them meet several times a layer; small products leave them idle there, and
beside other programs one late core holds up all. Which core computes a batch does not change its numbers.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Results in the order of ``items``; ``function`` spends its time in code that lets other threads run."""
    threads = torch.get_num_threads()
    if threads == 1 or len(items) < 2:
        yield from map(function, items)
        return
    try:
        with ThreadPoolExecutor(min(threads, len(items)), initializer=torch.set_num_threads, initargs=(1,)) as workers:
            yield from workers.map(function, items)
    finally:
        torch.set_num_threads(threads)  # what workers set holds for threads begun later, too
