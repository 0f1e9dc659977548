"""``python -m benchmarks.accept``: the acceptance table with what was last measured, on which commit."""

import json
import operator
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.run import RESULTS, current, name_of, rows

COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq}


def value_at(figures: Any, path: str) -> Any:
    """The figure at a dotted path; None when it is not there."""
    for key in path.split("."):
        if isinstance(figures, list):
            figures = figures[int(key)] if int(key) < len(figures) else None
        elif isinstance(figures, dict):
            figures = figures.get(key)
        else:
            return None
    return figures


def holds(figures: Any, check: str) -> tuple[bool | None, str]:
    """One check such as ``"accuracy >= 0.93"`` or ``"accuracy >= frozen.accuracy - 0.005"``: whether it holds, and the figures."""
    left, sign, right, *less = check.split()
    found = value_at(figures, left)
    wanted = value_at(figures, right) if right[0].isalpha() and right not in ("true", "false") else json.loads(right)
    if found is None or wanted is None:
        return None, "-"
    if less:
        wanted -= float(less[1])
    return bool(COMPARE[sign](found, wanted)), f"{_short(found)} {sign} {_short(wanted)}"


def main() -> None:
    """Print the table; exit 1 unless every row is measured on this very code and holds."""
    found: Counter[str] = Counter()
    for row in rows():
        file = RESULTS / f"{name_of(row['command'])}.json"
        result = json.loads(file.read_text()) if file.is_file() else None
        print(f"\n{row['id']}: {row['what']}")
        if result is None:
            found["not measured yet"] += 1
            print(f"   not measured yet: {row['command']}")
            continue
        checks = [(check, *holds(result["figures"], check)) for check in row["must"]]
        for check, good, shown in checks:
            mark = {True: "holds ", False: "FAILS ", None: "absent"}[good]
            print(f"   {mark} {check}   [{shown}]")
        older = not current(result, row)
        state = ("hold" if all(good for _, good, _ in checks) else "FAIL") if checks else "recorded"
        found[f"{state} on older code" if older else state] += 1
        told = f"{result['measured_at'][:10]} at {result['commit']} in {result['seconds']:.0f} s"
        print(f"   measured {told}{', the code has changed since' if older else ''}: {row['command']}")
    print(f"\n{found.total()} rows: " + ", ".join(f"{count} {state}" for state, count in sorted(found.items())))
    sys.exit(0 if set(found) <= {"hold", "recorded"} else 1)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    if not Path(RESULTS).is_dir():
        sys.exit("no results yet: make bench")
    main()
