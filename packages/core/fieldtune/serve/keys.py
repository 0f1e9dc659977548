"""Who may ask, and how often: keys from a file or the environment, compared in constant time; a token bucket each.

A key is kept as its digest alone, so no log, repr or traceback can show it. Knows no HTTP.
"""

import hashlib
import hmac
import math
from collections.abc import Mapping
from pathlib import Path

from fieldtune.errors import ConfigError, InputError

VARIABLE = "FIELDTUNE_KEYS"
SHORTEST = 16


class Keys:
    """The keys of a service; without any, everybody may ask (on this machine: see ``hosts.bindable``)."""

    def __init__(self, keys: list[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def __len__(self) -> int:
        return len(self._digests)

    def owner(self, given: str) -> int | None:
        """The number of a key, None when it is none of ours. Takes as long whatever is given, and looks at all keys."""
        found, digest = None, _digest(given)
        for number, known in enumerate(self._digests):
            if hmac.compare_digest(known, digest):
                found = number
        return found


def read_keys(file: Path | None, environment: Mapping[str, str]) -> Keys:
    """Keys from a file, one a line (# begins a remark), or from the variable FIELDTUNE_KEYS, separated by commas.

    Raises:
        InputError: the file cannot be read.
        ConfigError: it, or the variable where it is set, holds none, or one that is too short to be hard to guess.
    """
    if file is None:
        listed = environment.get(VARIABLE, "").split(",")
    else:
        try:
            listed = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError("a file of keys", f"{file}: {type(error).__name__}", "correct --keys") from error
    keys = [key for line in listed if (key := line.strip()) and not key.startswith("#")]
    if file is not None and not keys:
        raise ConfigError("keys, one a line", f"none in {file}", "write one, or leave --keys out")
    if file is None and VARIABLE in environment and not keys:  # a secret that did not arrive must not open the service
        raise ConfigError(f"keys in {VARIABLE}, separated by commas", "none", "write one, or unset it")
    if any(len(key) < SHORTEST for key in keys):
        raise ConfigError(f"keys of at least {SHORTEST} characters", "a shorter one", "make one: openssl rand -hex 24")
    return Keys(keys)


class Buckets:
    """A token bucket per owner of a key: ``burst`` requests at once, ``rate`` a second in the long run."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self._left: dict[int | None, tuple[float, float]] = {}

    def wait(self, owner: int | None, now: float) -> float:
        """0 and one token taken, or the seconds until there is one. Without a rate always 0."""
        if not self.rate:
            return 0.0
        left, since = self._left.get(owner, (float(self.burst), now))
        left = min(self.burst, left + (now - since) * self.rate)
        allowed = left >= 1
        self._left[owner] = (left - 1 if allowed else left, now)
        return 0.0 if allowed else (1 - left) / self.rate


def whole(seconds: float) -> str:
    """Seconds for ``Retry-After``: whole ones, at least one."""
    return str(max(1, math.ceil(seconds)))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
