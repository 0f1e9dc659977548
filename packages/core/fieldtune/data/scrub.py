"""Personal data out of texts: the kinds that a checksum or a fixed format gives away.

E-mail addresses, international and Chinese mobile phones, payment cards, IBANs, Chinese resident IDs, IPv4
addresses. It does not know names, postal addresses or account numbers of your own making. In doubt it hides.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date
from itertools import accumulate
from typing import NamedTuple

Spans = Iterator[tuple[int, int]]


class Scrubbed(NamedTuple):
    """The text with "[email]" and the like in place of what was found; each kind once, by first
    appearance."""

    text: str
    kinds: tuple[str, ...]


def scrub(text: str, keep: Collection[str] = ()) -> Scrubbed:
    """Replace personal data by its kind: email, iban, id, card, phone, ip. Idempotent.

    Full-width digits and letters are read as plain ones; the rest of the text is left as it was.

    Args:
        keep: `contacts` that everybody may read, and that stay.
    """
    kinds: dict[str, None] = {}
    while found := [one for one in _find(text) if not keep or _contact(text, one) not in keep]:
        kinds.update(dict.fromkeys(kind for _, _, kind in found))
        edges = [0, *(edge for start, end, _ in found for edge in (start, end)), len(text)]
        kept = [text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]
        text = kept[0] + "".join(f"[{kind}]{rest}" for (_, _, kind), rest in zip(found, kept[1:], strict=True))
        # Once more: what stood against a neighbour ("...1234@") may be recognisable only now that it is gone.
    return Scrubbed(text, tuple(kinds))


def contacts(texts: Iterable[str]) -> frozenset[str]:
    """What `scrub` would hide in public texts, in a form that spaces, hyphens and case do not change: its `keep`."""
    return frozenset(_contact(text, one) for text in texts for one in _find(text))


def hides(text: str) -> bool:
    """Whether it holds a placeholder such as "[email]": something was taken out, and the text says less than it did."""
    return _PLACEHOLDER.search(text) is not None


def _contact(text: str, found: tuple[int, int, str]) -> str:
    start, end, kind = found
    plain = text[start:end].translate(_HALF_WIDTH).casefold()
    return plain if kind in ("email", "ip") else re.sub("[ .()-]", "", plain)


def _find(text: str) -> list[tuple[int, int, str]]:
    """(start, end, kind) in order, not overlapping; the finder named first wins."""
    plain = text.translate(_HALF_WIDTH)
    if not _WORTH_A_LOOK.search(plain):
        return []
    found: list[tuple[int, int, str]] = []
    taken = bytearray(len(plain))
    for kind, finder in _FINDERS:
        for start, end in finder(plain):
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append((start, end, kind))
    return sorted(found)


_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
"""Full-width forms, one to one, so that offsets hold."""
_PLACEHOLDER = re.compile(r"\[(?:email|iban|id|card|phone|ip)\]")
_WORTH_A_LOOK = re.compile(r"[@0-9]")

# Every repetition below is bounded or free of choice: time is linear in the text, whatever it holds.
_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}")
_PHONE = re.compile(r"(?<![0-9+])\+(?:[0-9][ .()-]{0,2}){7,14}[0-9](?![0-9])")
_MOBILE = re.compile(r"(?<![0-9])(?<![0-9]\.)(?:(?:00)?86[ -]?)?1[3-9](?:[ -]?[0-9]){9}(?![0-9]|\.[0-9])")
_DIGITS = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
_NETWORK = re.compile(r"[3-6]|22[2-9]|2[3-6]|27[01]|2720")
_RESIDENT = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{5}[ -]?([0-9]{8})[ -]?[0-9]{3}[0-9Xx](?![0-9A-Za-z])")
_IBAN_HEAD = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?=[ -]?[0-9A-Za-z])")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![0-9.])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9]|\.[0-9])")


def _emails(text: str) -> Spans:
    return (match.span() for match in _EMAIL.finditer(text))


def _phones(text: str) -> Spans:
    """E.164: + and up to 15 digits. More than one lone digit after the country code is a list of figures."""
    for match in _PHONE.finditer(text):
        groups = re.findall("[0-9]+", match.group())
        if sum(len(group) == 1 for group in groups[1:]) <= 1:
            yield match.span()
    for match in _MOBILE.finditer(text):
        yield match.span()


def _addresses(text: str) -> Spans:
    return (match.span() for match in _IPV4.finditer(text))


def _cards(text: str) -> Spans:
    """13 to 19 digits, whole or in groups of three and more, a network's prefix, Luhn checksum (ISO/IEC
    7812)."""
    for run in _DIGITS.finditer(text):
        groups = [(m.start() + run.start(), m.group()) for m in re.finditer("[0-9]+", run.group())]
        first = 0
        while first < len(groups):
            count = _card_groups([digits for _, digits in groups[first : first + 19]])
            if count:
                start, (last, digits) = groups[first][0], groups[first + count - 1]
                yield start, last + len(digits)
            first += max(count, 1)


def _card_groups(groups: list[str]) -> int:
    """How many of the first groups make up a card number; 0 when none do. The longest wins."""
    lengths = list(accumulate(len(group) for group in groups))
    for count in range(len(groups), 0, -1):
        if 13 <= lengths[count - 1] <= 19 and all(len(group) >= 3 for group in groups[: count - 1]):
            digits = "".join(groups[:count])
            if _NETWORK.match(digits) and _luhn(digits):
                return count
    return 0


def _luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[::-2])) % 10 == 0


def _residents(text: str) -> Spans:
    """GB 11643-1999: 17 digits with a date of birth, check character mod 11-2 (ISO 7064)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    for match in _RESIDENT.finditer(text):
        number = re.sub("[ -]", "", match.group()).upper()
        total = sum(weight * int(digit) for weight, digit in zip(weights, number[:17], strict=True))
        if "10X98765432"[total % 11] == number[17] and _is_date(match.group(1)):
            yield match.span()


def _is_date(digits: str) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).year >= 1800
    except ValueError:
        return False


_IBAN_COUNTRIES = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 "
    "EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 "
    "IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 "
    "NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 "
    "SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBAN_COUNTRIES.split()}
"""Characters of an IBAN by country (SWIFT IBAN registry)."""


def _ibans(text: str) -> Spans:
    """Country, length and mod 97 (ISO 13616); single spaces and hyphens between are allowed."""
    for head in _IBAN_HEAD.finditer(text):
        length = _IBAN_LENGTHS.get(head.group()[:2].upper(), 0)
        end = _take(text, head.start(), length)
        if end:
            number = re.sub("[ -]", "", text[head.start() : end]).upper()
            if int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1:
                yield head.start(), end


def _take(text: str, start: int, length: int) -> int:
    """Where `length` letters and digits from `start` end; 0 when there are fewer or the word goes on."""
    pattern = re.compile(rf"[0-9A-Za-z](?:[ -]?[0-9A-Za-z]){{{length - 1}}}(?![0-9A-Za-z])") if length else None
    match = pattern.match(text, start) if pattern else None
    return match.end() if match else 0


_FINDERS: tuple[tuple[str, Callable[[str], Spans]], ...] = (
    ("email", _emails),
    ("iban", _ibans),
    ("id", _residents),
    ("card", _cards),
    ("phone", _phones),
    ("ip", _addresses),
)
