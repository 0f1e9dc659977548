"""What the scrubber finds and what it takes for personal data by mistake, per kind, on lines made without knowing it.

A find counts where it covers the whole value and at most three signs around it; what was hidden is read off the output.
"""

import argparse
import re
from collections import Counter
from typing import Any

from benchmarks.common import report
from benchmarks.scrub_lines import NAMES, Line, lines
from fieldtune.data.scrub import scrub
from fieldtune.runtime import generator

_HIDDEN = re.compile(r"\[(secret|email|iban|id|ssn|card|phone|ip|name)\]")
AROUND = 3


def main() -> None:
    """Recall and precision over all kinds and of the worst one, on three seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[811, 812, 813])
    parser.add_argument("--quick", action="store_true", help="one seed")
    options = parser.parse_args()
    seeds = options.seeds[:1] if options.quick else options.seeds
    report(measured([line for seed in seeds for line in lines(options.count, generator(seed))]))


def measured(written: list[Line]) -> dict[str, Any]:
    """recall and precision: over all, of the worst kind, and per kind."""
    right: Counter[str] = Counter()
    given: Counter[str] = Counter()
    hidden: Counter[str] = Counter()
    for line in written:
        found = taken_out(line.text, scrub(line.text, names=NAMES).text)
        given.update(kind for _, _, kind in line.personal)
        hidden.update(kind for _, _, kind in found)
        right.update(one[2] for one in line.personal if any(covers(other, one) for other in found))
    kinds = sorted(given | hidden)
    recall = {kind: right[kind] / max(given[kind], 1) for kind in kinds}
    precision = {kind: right[kind] / max(hidden[kind], 1) for kind in kinds}
    return {
        "lines": len(written),
        "values": given.total(),
        "recall": right.total() / given.total(),
        "precision": right.total() / hidden.total(),
        "least_recall": min(recall.values()),
        "least_precision": min(precision.values()),
        "per_kind": {kind: {"recall": recall[kind], "precision": precision[kind], "n": given[kind]} for kind in kinds},
    }


def covers(found: tuple[int, int, str], value: tuple[int, int, str]) -> bool:
    """Whether a piece taken out is this value and of this kind."""
    return found[2] == value[2] and 0 <= value[0] - found[0] <= AROUND and 0 <= found[1] - value[1] <= AROUND


def taken_out(before: str, after: str) -> list[tuple[int, int, str]]:
    """(start, end, kind) of what a placeholder stands for, read off the two texts alone."""
    parts = _HIDDEN.split(after)
    match = re.fullmatch("(.+?)".join(map(re.escape, parts[::2])), before, re.DOTALL)
    assert match, after
    return [(*match.span(place + 1), kind) for place, kind in enumerate(parts[1::2])]


if __name__ == "__main__":
    main()
