"""Tables of tagged words: CoNLL files, rows of tokens and tags, or texts with spans of characters.

What comes out has the columns ``tokens`` and ``tags`` (lists of str, tags IOB2). Knows no model.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from fieldtune.data.conll import iob2, read_conll
from fieldtune.data.filled import empty
from fieldtune.data.given import given, named, texts_of, with_numbers
from fieldtune.data.numbered import counted
from fieldtune.data.raw import extension
from fieldtune.data.read import KINDS, check_columns, check_named
from fieldtune.data.spans import place
from fieldtune.data.tables import NAME_IT, check_letters, renamed
from fieldtune.errors import InputError
from fieldtune.evaluate.sequence import OUTSIDE
from fieldtune.progress import say
from fieldtune.text import words
from fieldtune.text.shown import some_of

Places = list[tuple[int, int]]
_READ = ("text", "tokens")
_TAG = re.compile(r"O|[BI]-\S.*")
_BETWEEN = re.compile(r"(?<!\s)\s++(?=[BI]-|O(?:\s|$))")


def tagged_table(
    data: pd.DataFrame | Path | str, *, rename: Mapping[str, str] | None = None, labels: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The rows of ``data`` as ``tokens`` and ``tags``; rows without a word are left out and counted on stderr.

    Args:
        data: a CoNLL file (any name that is not a table's), a table on disk or in memory with the columns tokens and
            tags, or text and spans (a list of objects with start, end and label, in characters). In CSV such a list is
            JSON.
        rename: column wanted -> the user's name for it.
        labels: type of entity in the file -> type wanted.

    Raises:
        InputError: with the line or the row that is wrong.
    """
    if isinstance(data, (Path, str)) and extension(data) not in KINDS:
        found = read_conll(Path(data))
        rows, numbers = [(one.words, one.tags) for one in found], pd.Index([one.lines[0] for one in found])
    else:
        rows, numbers = _table_rows(data, rename or {})
    table = pd.DataFrame(rows, columns=["tokens", "tags"], index=numbers)
    check_letters(table["tags"].map("".join), named(data))
    table = counted(table)
    if labels:
        table["tags"] = [[_mapped(tag, labels, named(data)) for tag in tags] for tags in table["tags"]]
    return table


def word_table(
    data: pd.DataFrame | Path | str, rename: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What ``predict`` reads: the user's table, and beside it ``text``, ``tokens`` and their ``places`` in the text.

    Words are those of a CoNLL file (then the table is made of them, joined by spaces), those of a column ``tokens``, or
    those of the column ``text`` as :mod:`fieldtune.text.words` parts them.

    Raises:
        InputError: neither column, or tokens that do not stand in the text.
    """
    text, words_in = ((rename or {}).get(name, name) for name in _READ)
    if isinstance(data, (Path, str)) and extension(data) not in KINDS:
        found = [sentence.words for sentence in read_conll(Path(data), words_only=True)]
        table = pd.DataFrame({"text": [" ".join(tokens) for tokens in found], "tokens": pd.Series(found, dtype=object)})
        text, words_in, numbers = "text", "tokens", pd.Index(range(1, len(found) + 1))
    else:
        table, numbers = with_numbers(data)
        check_named(table, rename or {}, _READ, named(data))
    if words_in not in table:
        check_columns(table, [text], named(data), NAME_IT)
    written = texts_of(table[text].set_axis(numbers), named(data)).tolist() if text in table else []
    if words_in not in table:
        return table, parted(written)
    called = _called(numbers, named(data))
    tokens = [_texts(cell, "tokens", called(row)) for row, cell in enumerate(table[words_in])]
    texts = written if text in table else [" ".join(one) for one in tokens]
    pairs = zip(texts, tokens, strict=True)
    places = [_located(one, parts, called(row)) for row, (one, parts) in enumerate(pairs)]
    return table, _columns(texts, tokens, places)


def parted(texts: Sequence[str]) -> pd.DataFrame:
    """Texts as :mod:`fieldtune.text.words` parts them: columns text, tokens, and ``places`` of these in the text."""
    places = [words.spans(one) for one in texts]
    tokens = [[one[start:end] for start, end in cuts] for one, cuts in zip(texts, places, strict=True)]
    return _columns(texts, tokens, places)


def tags_in(answer: str) -> list[str]:
    """The tags that a line of them holds, parted by blanks; a type of entity may have blanks of its own."""
    return _BETWEEN.split(answer.strip())


def tagged(text: str, answer: str, where: str) -> tuple[list[str], list[str]]:
    """The words of a text as :func:`parted` parts them, and their tags out of a line of these.

    Args:
        where: what a user calls the answer, for the message.

    Raises:
        InputError: not IOB2, or another number of tags than of words.
    """
    words_in, tags = [text[start:end] for start, end in words.spans(text)], tags_in(answer)
    fix = "give a tag a word, blanks between: B-TYPE where an entity begins, I-TYPE where it goes on, O elsewhere"
    for number, (before, tag) in enumerate(zip((OUTSIDE, *tags), tags, strict=False), 1):
        if not _TAG.fullmatch(tag) or (tag.startswith("I-") and before[1:] != tag[1:]):
            raise InputError("tags of IOB2, such as O, B-PER and I-PER", f"{tag!r}, the tag {number} in {where}", fix)
    if len(tags) != len(words_in):
        expected = f"{len(words_in)} tags, one for each of these words: {' '.join(words_in):.200}"
        raise InputError(expected, f"{len(tags)} in {where}", fix)
    return words_in, tags


def _columns(texts: Sequence[str], tokens: Sequence[list[str]], places: Sequence[Any]) -> pd.DataFrame:
    columns = {"text": texts, "tokens": tokens, "places": places}
    return pd.DataFrame({name: pd.Series(list(values), dtype=object) for name, values in columns.items()})


def _table_rows(
    data: pd.DataFrame | Path | str, rename: Mapping[str, str]
) -> tuple[list[tuple[list[str], list[str]]], pd.Index]:
    """Tokens and tags of the rows that have a word, and the numbers of these rows."""
    where, frame = named(data), given(data)
    frame, called = renamed(frame, rename, (*_READ, "tags", "spans"), where), _called(frame.index, where)
    if "spans" in frame and "tags" not in frame:
        check_columns(frame, ["text", "spans"], where, NAME_IT)
        rows = _from_spans(frame, where)
    else:
        check_columns(frame, ["tokens", "tags"], where, "give text and spans")
        rows = [
            _pair(*cells, called(row)) for row, cells in enumerate(zip(frame["tokens"], frame["tags"], strict=True))
        ]
        tags = iob2([tags for _, tags in rows], lambda row, place: f"{called(row)} (tag {place + 1})", where)
        rows = [(tokens, mine) for (tokens, _), mine in zip(rows, tags, strict=True)]
    kept = [place for place, row in enumerate(rows) if row[0]]
    if not kept:
        raise InputError("rows with words", f"none in {where}", "check the columns")
    if len(kept) < len(rows):
        say(f"{len(rows) - len(kept)} of {len(rows)} rows without a word left out ({where})")
    return [rows[place] for place in kept], frame.index[kept]


def _pair(tokens: Any, tags: Any, row: str) -> tuple[list[str], list[str]]:
    one, other = _texts(tokens, "tokens", row), _texts(tags, "tags", row)
    if len(one) != len(other):
        raise InputError(
            "a tag for every token", f"{len(one)} tokens and {len(other)} tags in {row}", "correct that row"
        )
    return one, other


def _from_spans(frame: pd.DataFrame, where: str) -> list[tuple[list[str], list[str]]]:
    called = _called(frame.index, where)
    rows, moved, faults = [], 0, dict[int, str]()
    for number, (text, cell) in enumerate(zip(frame["text"], frame["spans"], strict=True)):
        text = text if isinstance(text, str) else ""
        cuts = words.spans(text)
        tags = [OUTSIDE] * len(cuts)
        for start, end, label in _spans(cell, len(text), called(number)):
            inside = [at for at, (first, last) in enumerate(cuts) if first < end and last > start]
            shared = [at for at in inside if tags[at] != OUTSIDE]
            if shared or not inside:
                word = text[slice(*cuts[shared[0]])] if shared else ""
                fault = f"spans that share the word {word!r:.80}" if shared else "a span of no word"
                faults.setdefault(number, f"{fault} ({start}-{end})")
                continue
            moved += (cuts[inside[0]][0], cuts[inside[-1]][1]) != (start, end)
            for at in inside:
                tags[at] = f"{'I' if at > inside[0] else 'B'}-{label}"
        rows.append(([text[start:end] for start, end in cuts], tags))
    if faults:
        _refuse(faults, frame.index, where)
    if moved:
        say(f"{moved} spans begin or end inside a word: taken as whole words")
    return rows


def _refuse(faults: Mapping[int, str], numbers: pd.Index, where: str) -> NoReturn:
    """Raise what is wrong with spans: of the first such row what it is, of all of them which they are."""
    first = next(iter(faults))
    more = f", and {len(faults)} such rows in all ({some_of(numbers[list(faults)])})" if len(faults) > 1 else ""
    raise InputError(
        "spans of words of their own",
        f"{faults[first]} in {_called(numbers, where)(first)}{more}",
        "put a space where two meet inside a word, and keep one of two that overlap, or leave such rows out",
    )


def _spans(cell: Any, length: int, row: str) -> list[tuple[int, int, str]]:
    try:
        found = sorted((*place(span), _type(span["label"])) for span in _list(cell))
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise InputError(
            "a list of objects with start, end and label", f"another thing in {row}", "correct it"
        ) from error
    for start, end, label in found:
        if not label:
            raise InputError("a label of every span", f"none of {start}-{end} in {row}", "correct it")
        if not 0 <= start < end <= length:
            raise InputError(f"spans inside the text of {length} characters", f"{start}-{end} in {row}", "correct it")
    return found


def _type(value: Any) -> str:
    """A text; a number counts as one."""
    if isinstance(value, (bool, list, dict, np.ndarray)) or value is None:
        raise TypeError("no text")
    return str(value).strip()


def _texts(cell: Any, name: str, row: str) -> list[str]:
    try:
        found = _list(cell)
    except (TypeError, ValueError):
        found = [None]
    if not all(isinstance(one, str) and one.strip() for one in found):
        raise InputError(
            f"a list of texts in column {name!r}, in a cell of text as JSON",
            f"{str(cell)!r:.60} in {row}",
            'correct that row: ["Ada", "wrote"]',
        )
    return list(found)


def _list(cell: Any) -> list[Any]:
    """A list as it is, as JSON in a text, or as the array that Parquet gives; an empty cell is an empty list."""
    if empty(cell):
        return []
    found = json.loads(cell) if isinstance(cell, str) else list(cell)
    if not isinstance(found, list):
        raise TypeError
    return found


def _located(text: str, tokens: Sequence[str], row: str) -> Places:
    """Where each token stands in the text, each after the one before it."""
    found: Places = []
    for token in tokens:
        start = text.find(token, found[-1][1] if found else 0)
        if start < 0:
            raise InputError(
                "tokens that stand in the text, in order", f"{token!r} does not in {row}", "correct that row"
            )
        found.append((start, start + len(token)))
    return found


def _mapped(tag: str, labels: Mapping[str, str], where: str) -> str:
    if tag == OUTSIDE:
        return tag
    if tag[2:] not in labels:
        fix = f"give it a place too: --map ...,{tag[2:]}=LABEL"
        raise InputError(f"types out of {', '.join(labels)}", f"{tag[2:]!r} in {where}", fix)
    return f"{tag[:2]}{labels[tag[2:]]}"


def _called(numbers: pd.Index, where: str) -> Any:
    return lambda row: f"row {numbers[row]} of {where}"
