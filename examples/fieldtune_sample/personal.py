"""Invented personal data with valid check digits, for the dialogues: what a scrubber has to find.

Nobody can own them: domains end in .example, telephone numbers lie in ranges kept for fiction or in number blocks
without a place, card and bank codes are unassigned, and no province has the region code of the resident ids.
"""

from collections.abc import Callable, Mapping

import numpy as np

from fieldtune_sample.noise import pick

_NAMES = (
    "anna",
    "li.wei",
    "marco",
    "chen.yu",
    "ruth",
    "sam",
    "olga",
    "zhang.min",
    "peter",
    "noor",
    "wang.fang",
    "ines",
)
_DOMAINS = ("post.example", "mail.example", "letters.example", "youxiang.example")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def luhn_digit(digits: str) -> str:
    """The check digit that makes `digits` + it pass the Luhn test (ISO/IEC 7812-1)."""
    doubled = [int(d) * (2 if place % 2 == 0 else 1) for place, d in enumerate(reversed(digits))]
    return str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)


def iban_digits(country: str, account: str) -> str:
    """The two check digits of an IBAN (ISO 13616: mod 97 = 1, letters as 10 to 35)."""
    number = "".join(str(int(character, 36)) for character in account + country + "00")
    return f"{98 - int(number) % 97:02d}"


def resident_id_digit(digits: str) -> str:
    """The 18th character of a Chinese resident id (GB 11643-1999, mod 11-2)."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, _ID_WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def _digits(count: int, rng: np.random.Generator) -> str:
    return "".join(str(digit) for digit in rng.integers(0, 10, count))


def email(rng: np.random.Generator) -> str:
    return f"{pick(_NAMES, rng)}{int(rng.integers(10, 99))}@{pick(_DOMAINS, rng)}"


def phone(rng: np.random.Generator) -> str:
    """A UK or US number from the ranges kept for films and novels."""
    return pick((f"+44 7700 900{_digits(3, rng)}", f"+1 202 555 01{_digits(2, rng)}"), rng)


def chinese_mobile(rng: np.random.Generator) -> str:
    return f"{pick(('139', '138', '186'), rng)}0000{_digits(4, rng)}"


def card(rng: np.random.Generator) -> str:
    """Sixteen digits, with or without spaces, that pass Luhn."""
    number = "400000" + _digits(9, rng)
    number += luhn_digit(number)
    return " ".join(number[start : start + 4] for start in range(0, 16, 4)) if rng.random() < 0.5 else number


def iban(rng: np.random.Generator) -> str:
    account = "99999999" + _digits(10, rng)
    number = f"DE{iban_digits('DE', account)}{account}"
    return " ".join(number[start : start + 4] for start in range(0, 22, 4)) if rng.random() < 0.5 else number


def resident_id(rng: np.random.Generator) -> str:
    born = f"{int(rng.integers(1955, 2004))}{int(rng.integers(1, 13)):02d}{int(rng.integers(1, 29)):02d}"
    body = "990101" + born + _digits(3, rng)
    return body + resident_id_digit(body)


KINDS: Mapping[str, Mapping[str, Callable[[np.random.Generator], str]]] = {
    "en": {"email": email, "phone": phone, "card": card, "iban": iban},
    "zh": {"email": email, "phone": chinese_mobile, "card": card, "resident_id": resident_id},
}


def any_of(language: str, rng: np.random.Generator) -> tuple[str, str]:
    """A kind usual in `language` and an invented value of it."""
    kind = pick(list(KINDS[language]), rng)
    return kind, KINDS[language][kind](rng)
