"""People by a list of names that the caller gives. Pure; it knows no name of its own."""

import re
from collections.abc import Iterator
from functools import lru_cache

_LETTER = "0-9A-Za-z\u00c0-\u024f"


def people(text: str, names: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Where one of the names stands as words of its own.

    A name of several words may be written in any case; a single word only as given or in capitals, since "Mark" is a
    name and "mark" is a word.
    """
    pattern = _pattern(names)
    return (match.span() for match in pattern.finditer(text)) if pattern else iter(())


@lru_cache(maxsize=16)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str] | None:
    wanted = sorted({" ".join(name.split()) for name in names} - {""}, key=lambda name: (-len(name), name))
    return re.compile("|".join(map(_one, wanted))) if wanted else None


def _one(name: str) -> str:
    written = r"\s{1,3}".join(map(re.escape, name.split()))
    if " " in name:
        written = f"(?i:{written})"
    elif name.upper() != name:
        written = f"(?:{written}|{re.escape(name.upper())})"
    before = f"(?<![{_LETTER}])" if re.match(f"[{_LETTER}]", name) else ""
    return before + written + (f"(?![{_LETTER}])" if re.search(f"[{_LETTER}]$", name) else "")
