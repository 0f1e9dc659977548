"""Where a service listens and under which names it answers: loopback alone without a key, known names alone.

A page in a browser can reach loopback under a name of its own choice (DNS rebinding); the ``Host`` header tells. Pure.
"""

import ipaddress
from collections.abc import Sequence

from fieldtune.errors import RefusedError

LOCAL = ("localhost", "127.0.0.1", "::1")


def loopback(host: str) -> bool:
    """Whether nobody beyond this machine can reach an address; a name other than ``localhost`` counts as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bindable(host: str, keys: int) -> None:
    """Refuse to be reachable from other machines by everybody.

    Raises:
        RefusedError: the address is not loopback and there is no key.
    """
    if not loopback(host) and not keys:
        raise RefusedError(
            "a key, since other machines can reach this address",
            f"--host {host} and no key",
            "give --keys FILE (or FIELDTUNE_KEYS), or serve on 127.0.0.1",
        )


def known_hosts(host: str, others: Sequence[str]) -> frozenset[str]:
    """The names a service answers to: those of this machine where it listens there, its address, those given."""
    anywhere = host in ("0.0.0.0", "::")
    here = LOCAL if loopback(host) or anywhere else ()
    return frozenset(name.lower().strip("[]") for name in (*here, *(() if anywhere else (host,)), *others))


def name_of(header: str) -> str:
    """The host of a ``Host`` header without its port: ``[::1]:8000`` -> ``::1``; "" where it is no host at all."""
    header = header.strip().lower()
    if header.startswith("["):
        name, bracket, rest = header[1:].partition("]")
        return name if bracket and (not rest or _port(rest)) else ""
    name, colon, port = header.partition(":")
    return name.removesuffix(".") if not colon or _port(f":{port}") else ""


def _port(text: str) -> bool:
    return text[:1] == ":" and text[1:].isascii() and text[1:].isdigit()
