"""What happens to a story on its way to a reader: copies with small rewrites, damaged fields, re-delivery (pure)."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]


def _swap_word(text: str, pairs: Sequence[str], rng: random.Random, language: str) -> str:
    """One word of the newsroom's list replaced, if the text has any."""
    gap = "" if language == "zh" else " "
    found = [pair.split("|") for pair in pairs if f"{gap}{pair.split('|')[0]}{gap}" in text]
    if not found:
        return text
    old, new = rng.choice(found)
    return text.replace(f"{gap}{old}{gap}", f"{gap}{new}{gap}", 1)


def rewrite(row: Row, source: str, pairs: Sequence[str], rng: random.Random) -> Row:
    """The same story from another source: its tag, another case, another word, or a shorter text."""
    title, text, chinese = row["title"], row["text"], row["language"] == "zh"
    kind = rng.random()
    if kind < 0.30:
        title = f"{title}_{source}" if chinese else f"{title} - {source}"
    elif kind < 0.40 and not chinese:
        title = title.upper() if rng.random() < 0.5 else title.title()
    elif kind < 0.55 and text:
        title = _swap_word(title, pairs, rng, row["language"])
    elif kind < 0.65:
        title = f"【快讯】{title}" if chinese else f"UPDATE 1-{title}"
    if rng.random() < 0.5:
        text = _swap_word(text, pairs, rng, row["language"])
    if rng.random() < 0.25 and text:
        text = f"{text}（{source}）" if chinese else f"{text} ({source})"
    return {**row, "title": title, "text": text, "source": source}


def _without_title(row: Row, rng: random.Random) -> Row:
    kept = {key: value for key, value in row.items() if key != "title"}
    return kept if rng.random() < 0.5 else {**row, "title": ""}


def _bad_date(row: Row, rng: random.Random) -> Row:
    return {**row, "time": rng.choice(["yesterday", "2016/6/29 15:07:41", "", None, "31.02.2026 25:00", "今天上午"])}


def _year_1513(row: Row, rng: random.Random) -> Row:
    return {**row, "time": "1513" + row["time"][4:]}


def _future(row: Row, rng: random.Random) -> Row:
    return {**row, "time": f"{int(row['time'][:4]) + rng.choice((1, 73))}{row['time'][4:]}"}


def _html(row: Row, rng: random.Random) -> Row:
    junk = rng.choice(
        ["<p><b>{}</b>&nbsp;</p>", '{}<img src="/t.gif"/>', "<script>track(1)</script>{}&amp;", "<h1>{}<br/>"]
    )
    return {**row, "title": junk.format(row["title"]), "text": f'<div class="story">{row["text"]}</div>'}


def _error_page(row: Row, rng: random.Random) -> Row:
    return {**row, "title": "<!DOCTYPE html><html><head><title>503 Service Unavailable</title>", "text": "<h1>503</h1>"}


DAMAGE: Mapping[str, tuple[float, Callable[[Row, random.Random], Row]]] = {
    "missing_title": (0.20, _without_title),
    "bad_date": (0.25, _bad_date),
    "year_1513": (0.10, _year_1513),
    "future": (0.10, _future),
    "html": (0.25, _html),
    "error_page": (0.10, _error_page),
}


def damage(row: Row, rng: random.Random) -> tuple[Row, str]:
    """The row with one field broken, and the kind of the damage."""
    kind = rng.choices(list(DAMAGE), [weight for weight, _ in DAMAGE.values()])[0]
    return DAMAGE[kind][1](row, rng), kind
