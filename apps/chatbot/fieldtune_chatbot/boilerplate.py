"""What a company's people say whatever the question was: found in the log itself, not in a list. Pure.

A sentence or an opening clause that stands beside many unlike texts, some of which also stand alone, is a wrapper
("Let me know if anything is unclear."); a whole turn that goes with texts it shares no word with is small talk or a
request for data. Knows frequencies, not meanings.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from fieldtune.text.ngrams import lexical_tokens
from fieldtune.text.normalise import equality_key
from fieldtune.text.sentences import spans

_OPENING = re.compile(r"\s*[^，,：:。.!?！？]{1,40}?[，,：:]\s*")
_ENDING = re.compile(r"[，,]\s*[^，,。.!?！？]{1,30}[。.!?！？]?\s*\Z")
LEAST_CONTEXTS = 5
"""Unlike texts a part must stand beside before it counts as a wrapper."""
_COMMA = ("，", ",")


def wrappers(texts: Sequence[str], rounds: int = 3) -> frozenset[str]:
    """Keys of the sentences and opening or closing clauses that only wrap what people say.

    In `rounds`, because a wrapper may itself be wrapped ("sure, ... let me know if ...").
    """
    known: frozenset[str] = frozenset()
    for _ in range(rounds):
        found = _outermost([unwrapped(text, known) for text in texts]) - known
        if not found:
            break
        known |= found
    return known


def _outermost(texts: Iterable[str]) -> frozenset[str]:
    beside: dict[str, dict[str, set[str]]] = {}
    alone: dict[str, set[str]] = {}
    clauses: set[str] = set()
    for text in texts:
        alone.setdefault(equality_key(text), set()).add("")
        for start, end, rest in _parts(text):
            part, context = equality_key(text[start:end]), equality_key(rest)
            if part and context and len(part) <= 60:
                beside.setdefault(part, {}).setdefault(context, _telling(rest))
                alone.setdefault(context, set()).add(part)
                if text[start:end].strip().endswith(_COMMA) or text[start:end].startswith(_COMMA):
                    clauses.add(part)
    # After a comma the rest must be seen without the clause too: "sure, ..." goes away, "open the order, ..." never.
    return frozenset(
        part
        for part, contexts in beside.items()
        if len(contexts) >= LEAST_CONTEXTS
        and (part not in clauses or any(alone[context] - {part} for context in contexts))
        and len(list(islice(_unlike(contexts.values()), LEAST_CONTEXTS))) >= LEAST_CONTEXTS
    )


def _unlike(contexts: Iterable[set[str]]) -> Iterator[set[str]]:
    """Contexts that share little with those before them: typing errors do not make a text another one."""
    seen: list[set[str]] = []
    for context in contexts:
        if context and all(len(context & known) / len(context | known) < 0.3 for known in seen):
            seen.append(context)
            yield context


def unwrapped(text: str, known: frozenset[str]) -> str:
    """`text` without its wrappers, from both ends; what is left stays verbatim."""
    changed = True
    while changed:
        changed = False
        for start, end, rest in _parts(text):
            if equality_key(text[start:end]) in known and equality_key(rest):
                text, changed = rest.strip(), True
                break
    return text


def _parts(text: str) -> list[tuple[int, int, str]]:
    """First and last sentence, opening and closing clause: (start, end, everything else)."""
    found = []
    sentences = spans(text)
    if len(sentences) > 1:
        first, last = sentences[0], sentences[-1]
        found += [(first[0], first[1], text[first[1] :]), (last[0], last[1], text[: last[0]])]
    if opening := _OPENING.match(text):
        found.append((opening.start(), opening.end(), text[opening.end() :]))
    if closing := _ENDING.search(text):
        found.append((closing.start(), closing.end(), text[: closing.start()]))
    return found


def unrelated(others: Sequence[str], text: str, *, least: int = 3, share: float = 0.3) -> bool:
    """Does `text` go with at least `least` different others, hardly any of which shares a telling word with it?"""
    distinct = {equality_key(other) for other in others}
    if len(distinct) < least:
        return False
    said = _telling(text)
    touching = sum(bool(said & _telling(other)) for other in distinct)
    return touching / len(distinct) < share


def _telling(text: str) -> set[str]:
    """Longer words and pairs of Chinese characters."""
    return {token for token in lexical_tokens(text) if len(token) >= (2 if not token.isascii() else 4)}
