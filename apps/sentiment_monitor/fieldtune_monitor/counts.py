"""The detector alone, over a table of counts: what `monitor detect` does (pure).

Bucket = the commonest time step; a missing (topic, bucket) is zero, a bucket missing for all topics is no data.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from fieldtune.errors import InputError
from fieldtune_monitor import windows
from fieldtune_monitor.alerting import AlertConfig
from fieldtune_monitor.baseline import Array
from fieldtune_monitor.engine import begin, observe
from fieldtune_monitor.lines import alert_line
from fieldtune_monitor.records import Line
from fieldtune_monitor.spikes import DetectorConfig

UTC = ZoneInfo("UTC")
RULE = "detect"


@dataclass(frozen=True)
class Grid:
    """Counts by time and topic. times [T] in seconds, ascending; documents and negatives [T, K]; bucket in seconds."""

    topics: tuple[str, ...]
    times: tuple[int, ...]
    documents: Array
    negatives: Array
    bucket: int


def grid(
    times: Sequence[int], topics: Sequence[str], documents: Array, negatives: Array, numbers: Sequence[int]
) -> Grid:
    """Rows of a counts table -> a grid; rows of one (time, topic) are added up.

    Args:
        numbers: of the rows, for messages.

    Raises:
        InputError: fewer than two distinct times, a count that is negative or no number, or more negatives than
            documents.
    """
    for name, counts in (("documents", documents), ("negative", negatives)):
        wrong = np.flatnonzero(~np.isfinite(counts) | (counts < 0))
        if len(wrong):
            raise InputError(
                f"counts of 0 or more in '{name}'", f"row {numbers[wrong[0]]}: {counts[wrong[0]]}", "correct it"
            )
    over = np.flatnonzero(negatives > documents)
    if len(over):
        found = f"{negatives[over[0]]:g} of {documents[over[0]]:g} in row {numbers[over[0]]}"
        raise InputError("no more 'negative' than 'documents'", found, "correct it")
    moments = sorted(set(times))
    if len(moments) < 2:
        raise InputError("at least two different times", str(len(moments)), "give a longer table")
    steps = Counter(b - a for a, b in pairwise(moments))
    bucket = min(steps, key=lambda step: (-steps[step], step))
    names = tuple(sorted(set(topics)))
    row, column = {t: i for i, t in enumerate(moments)}, {name: k for k, name in enumerate(names)}
    places = [row[t] for t in times], [column[name] for name in topics]
    both = np.zeros((2, len(moments), len(names)))
    np.add.at(both[0], places, documents)
    np.add.at(both[1], places, negatives)
    return Grid(names, tuple(moments), both[0], both[1], bucket)


def detect(table: Grid, config: DetectorConfig, rules: AlertConfig, *, info: bool = False) -> list[Line]:
    """Alert lines of a grid, dated like the row that raised them.

    Args:
        config: its `bucket` is replaced by the grid's.
        info: also lines of surges of volume without tone.
    """
    config = replace(config, bucket=table.bucket)
    memory = begin(table.topics, config)
    lines: list[Line] = []
    for time, documents, negatives in zip(table.times, table.documents, table.negatives, strict=True):
        index, slot = time // table.bucket, _slot(time, table.bucket)
        memory, verdict, happened = observe(memory, index, slot, documents, negatives, config, rules)
        for change in happened:
            if change.told or (info and not change.silent):
                name, opened = table.topics[change.topic], time - (change.bucket - change.opened) * table.bucket
                lines.append(alert_line(RULE, name, change, verdict, config, opened=opened, time=time))
    return lines


def _slot(time: int, bucket: int) -> int:
    index = time // bucket if bucket < windows.DAY else windows.bucket_of(time, windows.DAY, UTC)
    return windows.season_slot(index, min(bucket, windows.DAY), UTC)
