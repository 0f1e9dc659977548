"""A long list in a message: the first few, and how many more (pure)."""

from collections.abc import Iterable


def some_of(things: Iterable[object], most: int = 5, mark: str = ", ") -> str:
    """``"a, b and 7 more"``: the first ``most``, in the order given; all of them where there are no more."""
    told = list(things)
    shown, more = mark.join(map(str, told[:most])), len(told) - most
    return f"{shown}{' ' if mark == ', ' else mark}and {more} more" if more > 0 else shown
