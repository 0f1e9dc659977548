"""What every application's ``feedback retrain`` begins with: which folder the rows are about, and a place to work in.

Knows no model and no kind of row; an application says under which key of the payload its rows name their folder.
"""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from fieldtune import registry
from fieldtune.errors import InputError
from fieldtune.feedback import Feedback
from fieldtune.models.folder import locked
from fieldtune.progress import say


def about(app: str, rows: Sequence[Feedback], key: str, slot: str | None = None) -> tuple[Path, list[Feedback]]:
    """The application's folder to improve, and the rows about it; rows that name no folder belong to it too.

    Args:
        rows: the oldest first.
        key: of the payload, under which a row names its folder.
        slot: the folder's name or path. None takes the one that the newest row names, or, where no row names one
            in service, the one promoted last.

    Raises:
        InputError: nothing of that name is in service, several folders have it, or its folder is gone.
    """
    standing = [path for path in registry.origins(app) if path.is_dir()]
    if slot is not None:
        named_one = registry.origin_of(app, slot)
        fitting = [path for path in standing if path == named_one]
    else:
        named = dict.fromkeys(str(row.payload.get(key, "")) for row in reversed(rows))
        fitting = [Path(name) for name in named if Path(name) in standing] or standing[:1]
        if len(fitting) > 1:
            _tell(app, fitting[0], fitting[1:])
    if not fitting:
        there = ", ".join(map(registry.slot_of, standing)) or "none yet"
        raise InputError(
            f"a folder of the {app} that is in service: {there}",
            repr(slot) if slot is not None else "none",
            "name one of them" if standing else f"make one first, see: fieldtune {app} --help",
        )
    return fitting[0], [row for row in rows if row.payload.get(key) in (None, "", str(fitting[0]))]


@contextlib.contextmanager
def workplace(home: Path, app: str, origin: Path) -> Iterator[Path]:
    """A folder to make candidates for ``origin`` in, held against a second retraining of the same folder.

    It goes when the block ends well. After a failure it stays, for training that goes on where it stopped.

    Raises:
        RefusedError: another process retrains this folder.
    """
    place = home / "candidates" / f"{app}-{registry.slot_of(origin)}"
    with locked(place):
        place.mkdir(exist_ok=True)
        yield place
        shutil.rmtree(place)


def _tell(app: str, chosen: Path, others: Sequence[Path]) -> None:
    commands = ", ".join(f"fieldtune feedback retrain {app}/{registry.slot_of(other)}" for other in others)
    say(f"note: learning for {chosen}, which the newest row is about; there are rows about others too: {commands}")
