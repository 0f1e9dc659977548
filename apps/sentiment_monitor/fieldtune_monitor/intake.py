"""One raw row -> one document, or the reason why it is none (pure).

Strips HTML, reads the clocks, finds the language and the identity. A row without a usable title, in an unknown
language, with a time that cannot be read or dated in the future is broken; a row without a time is kept, dated by when
it was first seen, and flagged. Whatever a row holds, the work for it is bounded. Knows no file and no clock.
"""

import html
import re
from datetime import datetime
from zoneinfo import ZoneInfo

from fieldtune.data.filled import empty
from fieldtune.errors import InputError
from fieldtune.text.language import detect, known
from fieldtune_monitor.identity import document_identity
from fieldtune_monitor.records import TONES, Document, RawRow
from fieldtune_monitor.windows import TIMES, clocks, in_future, parse_time

_BLOCKS = [
    (re.compile(rf"<{name}\b", re.IGNORECASE), re.compile(rf"</{name}\s*>", re.IGNORECASE))
    for name in ("script", "style")
]
_TAGS = re.compile(r"<[^<>]*>")
_PAGE = re.compile(r"\s*(<!doctype\b|<html\b|<\?xml\b)", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"&#\d{8,}")  # no character, and more digits than `html.unescape` can take
MAX_TITLE, MAX_TEXT = 1_000, 20_000
MARKUP = 10  # characters of raw text looked at for each one that is kept


def document(row: RawRow, processed: int, zone: ZoneInfo, *, arrival: int | None) -> Document | str:
    """Build the document of a row.

    Args:
        row: as the source gave it.
        processed: now, in seconds.
        zone: of times without an offset.
        arrival: when it arrived, for rows without `first_seen`; None in a replay, where the publication time stands in.

    Returns:
        The document, or one line saying what is wrong with the row.
    """
    values = row.values
    title = plain(values.get("title"), MAX_TITLE)
    if not title:
        return f"{row.place}: no title"
    if _PAGE.match(str(values.get("title"))):
        return f"{row.place}: a web page instead of a title"
    try:
        language = known(_text(values.get("language"))) or detect(title)
    except InputError as error:
        return f"{row.place}: {error}"
    published, seen = (parse_time(values.get(name), zone) for name in ("time", "first_seen"))
    for name, moment in (("time", published), ("first_seen", seen)):
        if moment is None and _text(values.get(name)):
            return f"{row.place}: expected {TIMES}; found {_text(values[name])[:40]!r} in '{name}'"
    name = "time" if seen is None else "first_seen"
    if in_future(published if seen is None else seen, processed):
        return f"{row.place}: dated in the future: {_text(values[name])[:40]!r} in '{name}'"
    first_seen = seen if seen is not None else arrival if arrival is not None else published
    if first_seen is None:
        return f"{row.place}: no time"
    if arrival is not None and first_seen > arrival:
        first_seen = arrival
    when = clocks(published, first_seen)
    text, source = plain(values.get("text"), MAX_TEXT), _text(values.get("source"))
    given, url = _text(values.get("id")), _text(values.get("url"))
    day = datetime.fromtimestamp(when.published, zone).date().isoformat()
    identity = document_identity(url, given, source, title, day)
    return Document(
        id=given or identity,
        identity=identity,
        title=title,
        text=text,
        url=url,
        source=source,
        language=language,
        published=when.published,
        first_seen=when.first_seen,
        processed=processed,
        flags=when.flags,
        topic=_text(values.get("topic")),
        tone=_tone(values.get("sentiment")),
    )


def plain(value: object, limit: int) -> str:
    """At most `limit` characters of text without HTML tags and entities, white space single; "" for nothing."""
    text = _text(value)[: limit * MARKUP]
    if "<" in text or "&" in text:
        text = html.unescape(_LONG_NUMBER.sub(" ", _TAGS.sub(" ", _without_blocks(text))))
    return " ".join(text.split())[:limit]


def _without_blocks(text: str) -> str:
    """Scripts and styles out. What does not close stays, and is looked for once only: each pass is linear."""
    for opening, closing in _BLOCKS:
        kept, place = [], 0
        while (first := opening.search(text, place)) and (last := closing.search(text, first.end())):
            kept.append(text[place : first.start()])
            place = last.end()
        text = " ".join([*kept, text[place:]])
    return text


def _text(value: object) -> str:
    return "" if empty(value) else str(value).strip()


def _tone(value: object) -> str:
    tone = _text(value).lower()
    return tone if tone in TONES else ""
