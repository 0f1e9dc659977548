"""Parts of a long row kept as they finish: a row that was cut off, or split over processes, goes on from there.

``FIELDTUNE_SCRATCH`` names the folder; without it nothing is kept. Results of other code are never taken.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import standing
from benchmarks.run import keep

FOLDER = "FIELDTUNE_SCRATCH"


def part(
    script: str, name: str, measure: Callable[[], dict[str, Any]], reads: Sequence[str] = ("packages",)
) -> dict[str, Any]:
    """The figures of one part: from the scratch folder, else measured and kept there, whole or not at all.

    Args:
        reads: what can change them beside the script; a peer stands on less than our own code.
    """
    root = os.environ.get(FOLDER)
    if not root:
        return measure()
    row = {"command": f"python -m benchmarks.{script}", "reads": reads}
    digest = standing.digest(row["command"], standing.named(row))
    file = Path(root) / f"{script}-{digest}" / f"{name}.json"
    if not file.is_file():
        keep(file, measure())
    return dict(json.loads(file.read_text()))
