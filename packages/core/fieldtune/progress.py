"""Progress on stderr for anything over two seconds; knows nothing of what is being done."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def track(items: Iterable[Item], description: str, total: int | None = None, *, show: bool = True) -> Iterator[Item]:
    """Yield ``items`` with a progress bar on stderr; silent where stderr is no terminal or ``show`` is False."""
    if not (show and sys.stderr.isatty()):
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(items, description=description, total=total, console=Console(stderr=True), transient=True)


def say(message: str) -> None:
    """One line of progress on stderr."""
    print(message, file=sys.stderr, flush=True)
