"""Token-budget batches: pure planning of which rows are computed together; knows no model and no tensor.

Rows of similar length share a batch and a batch is filled up to a number of tokens, padding included, so little
is wasted on padding (transformers pads random batches: 60 % of the tokens on mixed lengths).
"""

from collections.abc import Iterator, Sequence

import numpy as np

Batch = list[int]


def fill(order: Sequence[int], lengths: Sequence[int], budget: int) -> Iterator[Batch]:
    """Cut ``order`` into consecutive batches of at most ``budget`` tokens, counting each row as long as the longest.

    A row longer than the budget gets a batch of its own: it is never dropped and never loops.
    """
    batch: Batch = []
    longest = 0
    for row in order:
        wider = max(longest, int(lengths[row]))
        if batch and wider * (len(batch) + 1) > budget:
            yield batch
            batch, wider = [], int(lengths[row])
        batch.append(int(row))
        longest = wider
    if batch:
        yield batch


def by_length(lengths: Sequence[int], budget: int) -> list[Batch]:
    """Batches for inference: rows sorted by length, longest first, so running out of memory shows at once."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    return list(fill(order.tolist(), lengths, budget))


def epoch(lengths: Sequence[int], budget: int, rng: np.random.Generator, *, bucket: int = 1024) -> list[Batch]:
    """Batches of one training epoch: shuffled, sorted by length only inside buckets of ``bucket`` rows.

    Both the rows inside a bucket and the order of the batches are random, so batches differ between epochs.
    """
    order = rng.permutation(len(lengths))
    batches: list[Batch] = []
    for start in range(0, len(order), bucket):
        rows = order[start : start + bucket]
        rows = rows[np.argsort(np.asarray(lengths)[rows], kind="stable")]
        batches += fill(rows.tolist(), lengths, budget)
    return [batches[place] for place in rng.permutation(len(batches))]


def fixed(keys: Sequence[tuple[object, ...]], rows_per_batch: int, rng: np.random.Generator) -> list[Batch]:
    """Batches of one contrastive epoch: a fixed count of rows, no two of which share any key.

    In-batch negatives are only negatives when no other row of the batch has the same query or document.
    Rows that fit nowhere in a full pass wait for the next batch; the last batch may be smaller.

    Args:
        keys: per row, what must be unique inside a batch, e.g. (query, positive).
    """
    waiting = rng.permutation(len(keys)).tolist()
    batches: list[Batch] = []
    while waiting:
        batch: Batch = []
        taken: set[object] = set()
        left: list[int] = []
        for place, row in enumerate(waiting):
            if taken.isdisjoint(keys[row]):
                batch.append(row)
                taken.update(keys[row])
            else:
                left.append(row)
            if len(batch) == rows_per_batch:
                left += waiting[place + 1 :]
                break
        batches.append(batch)
        waiting = left
    return batches


def dealt(plan: Sequence[Batch], part: int, parts: int) -> list[Batch]:
    """One part of every batch, for processes that share the work.

    A batch of fewer rows than parts leaves some of them idle: they get its first row as ``-1 - row``, to be computed so
    that they keep step, and to count as nothing.
    """
    return [batch[part::parts] or [-1 - batch[0]] for batch in plan]


def whole_run(epochs: Sequence[list[Batch]], max_steps: int | None = None) -> list[Batch]:
    """All batches of a training run in order; a run planned in advance resumes by skipping the first n."""
    plan = [batch for batches in epochs for batch in batches]
    return plan if max_steps is None else plan[:max_steps]
