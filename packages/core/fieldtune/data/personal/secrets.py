"""Tokens, keys and passwords: what stands behind their usual names, and forms that well-known services give out. Pure.

The name stays, its value goes. Random letters that nothing announces are not found.
"""

import re
from collections.abc import Iterator

_NAMED = re.compile(
    r"(?:token|(?:api|secret|access|private|client|auth)[_ -]?key|secret|passw(?:or)?d|(?<![A-Za-z])(?:pwd|sig)|signature"
    r"|session[_-]?id|密码|口令|密钥)[\"']?[ ]{0,2}([=:])[ ]{0,2}[\"']?([A-Za-z0-9._~+/=%-]{6,4096})",
    re.IGNORECASE,
)
_BEARER = re.compile(
    r"(?<![A-Za-z])(?:bearer|authorization[ ]{0,2}:[ ]{0,2}[a-z]{2,12})[ ]{1,3}([A-Za-z0-9._~+/=-]{8,4096})",
    re.IGNORECASE,
)
_KNOWN = re.compile(
    r"(?<![0-9A-Za-z_-])(?:sk-(?=[A-Za-z_-]*?(?:[0-9]|[A-Za-z]{16}))[0-9A-Za-z_-]{16,}"
    r"|gh[pousr]_[0-9A-Za-z]{20,}|AKIA[0-9A-Z]{16}|xox[abprs]-[0-9A-Za-z-]{10,}"
    r"|eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{4,}(?:\.[0-9A-Za-z_-]*)?)"
)
_USERINFO = re.compile(r"://[^\s/:@]{1,64}:(?!\[secret\]@)([^\s/:@]{1,64})@")


def secrets(text: str) -> Iterator[tuple[int, int]]:
    """Values of tokens, keys and passwords, in addresses, headers and settings."""
    for match in _NAMED.finditer(text):
        # "password: something" is a sentence, "password: x7something" is not.
        if match.group(1) == "=" or _has_digit(match.group(2)):
            yield _without_stop(match, 2)
    for match in _BEARER.finditer(text):
        if _has_digit(match.group(1)):
            yield _without_stop(match, 1)
    for match in _KNOWN.finditer(text):
        yield match.span()
    for match in _USERINFO.finditer(text):
        yield match.span(1)


def _has_digit(value: str) -> bool:
    return any(sign in "0123456789" for sign in value)


def _without_stop(match: re.Match[str], group: int) -> tuple[int, int]:
    """The span of a group without the full stop of its sentence."""
    start, end = match.span(group)
    return start, end - (match.group(group).endswith(".") and end - start > 1)
