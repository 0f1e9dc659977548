"""Numbers of a person that a checksum or a fixed form gives away: cards, bank accounts, identity. Pure."""

import re
from collections.abc import Iterator
from datetime import date
from itertools import accumulate

from fieldtune.data.personal.context import names_an_order

Spans = Iterator[tuple[int, int]]
_DIGITS = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
_RESIDENT = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{5}[ -]?([0-9]{8})[ -]?[0-9]{3}[0-9Xx](?![0-9A-Za-z])")
_IBAN_HEAD = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?=[ -]?[0-9A-Za-z])")
_NETWORK = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|(?:5[1-5]|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]+|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11}|35(?:2[89]|[3-8][0-9])[0-9]{12,15}|(?:50|5[6-9]|6[0-9])[0-9]{11,17}"
)
"""Prefixes and lengths: Visa, Mastercard, American Express, Diners, JCB; Maestro, Discover and UnionPay."""
_SOCIAL = re.compile(r"(?<![0-9A-Za-z-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![0-9A-Za-z]|[.-][0-9])")


def socials(text: str) -> Spans:
    """Social security numbers of the United States, with hyphens and in ranges that are given out (SSA POMS RM 10201)."""
    return (match.span() for match in _SOCIAL.finditer(text) if not names_an_order(text, match.start()))


def cards(text: str) -> Spans:
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
            if _NETWORK.fullmatch(digits) and _luhn(digits):
                return count
    return 0


def _luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[::-2])) % 10 == 0


def residents(text: str) -> Spans:
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


def ibans(text: str) -> Spans:
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
