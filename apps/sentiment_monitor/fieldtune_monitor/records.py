"""The values that travel through the monitor: raw rows, documents, alert lines.

Times are whole seconds since 1970 in UTC; only sources, store and sinks know their text form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TONES = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class RawRow:
    """One record as a source gave it, and where: `place` names file and line for messages."""

    values: Mapping[str, Any]
    place: str


@dataclass(frozen=True)
class Document:
    """One article with its three clocks.

    id: the source's own id, or the identity; identity: same article = same identity.
    flags: what was odd about it (undated, future, late).
    """

    id: str
    identity: str
    title: str
    text: str
    url: str
    source: str
    language: str
    published: int
    first_seen: int
    processed: int
    flags: tuple[str, ...] = ()
    topic: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Line:
    """One line of an alerts file; the fields are the contract."""

    incident: str
    key: str
    topic: str
    signal: str
    state: str
    time: str
    observed: int
    expected: float
    low: int
    high: int
    weeks_between_false_alarms: float
    evidence: tuple[str, ...]
    sources: int
    copies: int
    note: str = ""

    def payload(self) -> dict[str, Any]:
        """The line as a JSON object, keys in the order of the contract; an empty note is left out."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["evidence"] = list(self.evidence)
        return values if self.note else {k: v for k, v in values.items() if k != "note"}
