"""Personal data out of texts: the kinds that a checksum, a fixed format or a word before it gives away.

E-mail addresses, telephones (:mod:`fieldtune.data.personal.contacts`), payment cards, IBANs, Chinese resident IDs, social
security numbers, IP addresses, tokens and keys, and names of a list. It does not know names by itself, postal addresses
or account numbers of your own making. In doubt it hides.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from fieldtune.data.personal.contacts import addresses, emails, phones
from fieldtune.data.personal.numbers import cards, ibans, residents, socials
from fieldtune.data.personal.people import people
from fieldtune.data.personal.secrets import secrets

Finder = Callable[[str], Iterator[tuple[int, int]]]


class Scrubbed(NamedTuple):
    """The text with "[email]" and the like in place of what was found; each kind once, by first
    appearance."""

    text: str
    kinds: tuple[str, ...]


def scrub(text: str, keep: Collection[str] = (), names: Sequence[str] = ()) -> Scrubbed:
    """Replace personal data by its kind: secret, email, iban, id, ssn, card, phone, ip, name. Idempotent.

    Full-width digits and letters are read as plain ones; the rest of the text is left as it was.

    Args:
        keep: `contacts` that everybody may read, and that stay.
        names: of people, to hide too.
    """
    kinds: dict[str, None] = {}
    known = hidden_names(names)
    while found := [one for one in find(text, known) if not keep or _contact(text, one) not in keep]:
        kinds.update(dict.fromkeys(kind for _, _, kind in found))
        edges = [0, *(edge for start, end, _ in found for edge in (start, end)), len(text)]
        kept = [text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
        text = kept[0] + "".join(f"[{kind}]{rest}" for (_, _, kind), rest in zip(found, kept[1:], strict=True))
        # Once more: what stood against a neighbour ("...1234@") may be recognisable only now that it is gone.
    return Scrubbed(text, tuple(kinds))


def find(text: str, names: tuple[str, ...] = ()) -> list[tuple[int, int, str]]:
    """Where `scrub` would hide something: (start, end, kind) in order, not overlapping; the finder named first wins."""
    looked = _SIGNS.search(text) is not None or _WORDS.search(text.casefold()) is not None
    if not (looked or names):
        return []
    plain = text.translate(_HALF_WIDTH)
    named: Finder = partial(people, names=names)
    finders = (*(_FINDERS if looked else ()), ("name", named))
    found: list[tuple[int, int, str]] = []
    taken = bytearray(len(plain))
    for kind, finder in finders:
        for start, end in finder(plain):
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append((start, end, kind))
    return sorted(found)


def traced(text: str, names: Sequence[str] = ()) -> tuple[str, list[tuple[int, int]]]:
    """The text that `scrub` gives, and of each of its characters where what it stands for is in ``text``: (start, end)."""
    places = [(place, place + 1) for place in range(len(text))]
    known = hidden_names(names)
    while found := find(text, known):
        parts, kept, end = [], list[tuple[int, int]](), 0
        for start, stop, kind in [*found, (len(text), len(text), "")]:
            written = f"[{kind}]" if kind else ""
            parts += [text[end:start], written]
            kept += places[end:start]
            kept += [(places[start][0], places[stop - 1][1])] * len(written) if written else []
            end = stop
        text, places = "".join(parts), kept
    return text, places


def contacts(texts: Iterable[str]) -> frozenset[str]:
    """What `scrub` would hide in public texts, in a form that spaces, hyphens and case do not change: its `keep`."""
    return frozenset(_contact(text, one) for text in texts for one in find(text))


def hides(text: str) -> bool:
    """Whether it holds a placeholder such as "[email]": something was taken out, and the text says less than it did."""
    return _PLACEHOLDER.search(text) is not None


def placeholder(word: str) -> bool:
    """Whether it is one, such as "[email]", and nothing else."""
    return _PLACEHOLDER.fullmatch(word) is not None


def hidden_names(names: Sequence[str]) -> tuple[str, ...]:
    """Those of a list that no placeholder bears: "[name]" would be hidden again for ever."""
    return tuple(name for name in names if not hides(f"[{name.strip().casefold()}]"))


def _contact(text: str, found: tuple[int, int, str]) -> str:
    start, end, kind = found
    plain = text[start:end].translate(_HALF_WIDTH).casefold()
    return plain if kind in ("email", "ip", "secret", "name") else re.sub("[ .()-]", "", plain)


_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
"""Full-width forms, one to one, so that offsets hold."""
_FINDERS: tuple[tuple[str, Finder], ...] = (
    ("secret", secrets),
    ("email", emails),
    ("iban", ibans),
    ("id", residents),
    ("ssn", socials),
    ("card", cards),
    ("phone", phones),
    ("ip", addresses),
)
_PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(kind for kind, _ in _FINDERS)}|name)\]")
_SIGNS = re.compile("[@0-9＠０-９Ａ-Ｚａ-ｚ]")
_WORDS = re.compile(
    "token|key|secret|passw|pwd|signature|sig[^a-z]|session.?id|sk-|gh[pousr]_|akia|xox|eyj|密码|口令|密钥"
)
"""Every model looks at every text it is given: one with neither of these has nothing to hide, and is told apart at once."""
