"""What a service accepts: one frozen table of limits, and what is done to a text that is too long.

Knows no queue and no HTTP.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from fieldtune.errors import ConfigError
from fieldtune.train.settings import updated


@dataclass(frozen=True)
class Limits:
    """How much is accepted, and how long anything may take.

    Attributes:
        body_bytes: of a request; more is refused before it is parsed.
        rows: of a request.
        chars: of a text; the rest is cut off, with a flag in the answer.
        permits: rows accepted and not yet answered; who would go beyond is refused instead of queued.
        wait_s: seconds of computing that may wait; who would have to wait longer is refused too. 0: permits alone count.
        token_budget: tokens computed together, padding included; a GPU takes sixteen times as many.
        window_ms: how long a row waits for company, unless the budget is full before.
        deadline_s: from a request's acceptance to its answer.
        body_s: for a body to arrive.
        rate: requests a second and key that are accepted in the long run; 0 for no limit.
        burst: requests of one key that are accepted at once.
        cache: answers kept for texts that come again, exactly; 0 keeps nothing of any text.
        head_s: for a request's head to arrive, and between two requests of a connection.
        connections: requests in work, and connections open, at a time; of more, those that ask nothing are closed.
        drain_s: once told to stop, how long new requests are still answered, so that balancers can look elsewhere.
    """

    body_bytes: int = 2_000_000
    rows: int = 128
    chars: int = 10_000
    permits: int = 512
    wait_s: float = 2.0
    token_budget: int = 1024
    window_ms: float = 2.0
    deadline_s: float = 30.0
    body_s: float = 10.0
    head_s: float = 5.0
    rate: float = 0.0
    burst: int = 20
    cache: int = 0
    connections: int = 1000
    drain_s: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            least = 0 if field.name in ("wait_s", "window_ms", "rate", "cache", "drain_s") else 1e-3
            value = getattr(self, field.name)
            if not least <= value < 1e12:
                raise ConfigError(f"{field.name} above 0", str(value), f"correct --set {field.name}=...")
        if self.rows > self.permits:
            raise ConfigError(
                "rows of a request within the permits of the queue",
                f"{self.rows} above {self.permits}",
                "lower rows or raise permits",
            )

    def updated(self, changes: Mapping[str, Any] | None) -> "Limits":
        """These limits with some changed; raises ConfigError as :func:`fieldtune.train.settings.updated` does."""
        return updated(self, changes)


def cut(text: str, chars: int) -> tuple[str, bool]:
    """The text, at most so many characters of it, and whether any were cut off."""
    return text[:chars], len(text) > chars
