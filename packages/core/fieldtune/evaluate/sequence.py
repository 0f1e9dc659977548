"""Quality of a tagger: strict scores of whole entities, and a table of single tags.

Tags are IOB2: ``B-TYPE`` begins an entity, ``I-TYPE`` continues one of that type, ``O`` is outside. Knows tags only, no
words; an ``I-`` that continues nothing belongs to no entity (seqeval's strict mode).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fieldtune.errors import InputError

OUTSIDE = "O"
Tags = Sequence[str]


class Entity(NamedTuple):
    """Words ``start`` to ``end`` (exclusive) of a sentence."""

    start: int
    end: int
    type: str


def entities(tags: Tags) -> list[Entity]:
    """The entities of one sentence, in order."""
    found: list[Entity] = []
    start: int | None = None
    for place, tag in enumerate((*tags, OUTSIDE)):
        if start is not None and tag != f"I-{tags[start][2:]}":
            found.append(Entity(start, place, tags[start][2:]))
            start = None
        if tag.startswith("B-"):
            start = place
    return found


def report(true: Sequence[Tags], given: Sequence[Tags]) -> dict[str, Any]:
    """entity_f1, token_accuracy, n, and the tables ``entity`` and ``token``.

    ``entity``: precision, recall, f1 and support of entities whose words and type are all right, pooled over types
    (micro), their ``macro`` mean over types, and ``per_type``. ``token``: ``per_tag`` with O, and over all tags but O
    ``micro`` and ``macro``, as scikit-learn's ``precision_recall_fscore_support`` gives them. A ratio without a
    denominator is 0.

    Raises:
        InputError: no sentences, or other numbers of tags.
    """
    if not true or [len(tags) for tags in true] != [len(tags) for tags in given]:
        raise InputError(
            "the same words tagged twice", "none, or other numbers of tags", "evaluate on one labelled row"
        )
    entity = _entity_table(true, given)
    token = _token_table([tag for tags in true for tag in tags], [tag for tags in given for tag in tags])
    return {
        "entity_f1": entity["f1"],
        "token_accuracy": token["accuracy"],
        "n": len(true),
        "entity": entity,
        "token": token,
    }


def sentence_f1(true: Tags, given: Tags) -> float:
    """Strict F1 of the entities of one sentence; 1 where it has none and none were given."""
    wanted, found = set(entities(true)), set(entities(given))
    return 2 * len(wanted & found) / (len(wanted) + len(found)) if wanted or found else 1.0


def _entity_table(true: Sequence[Tags], given: Sequence[Tags]) -> dict[str, Any]:
    wanted = {(row, *entity) for row, tags in enumerate(true) for entity in entities(tags)}
    found = {(row, *entity) for row, tags in enumerate(given) for entity in entities(tags)}
    counts = [Counter(str(entity[-1]) for entity in some) for some in (wanted & found, wanted, found)]
    per_type = {name: _scores(*(count[name] for count in counts)) for name in sorted(counts[1] | counts[2])}
    return {
        **_scores(*(sum(count.values()) for count in counts)),
        "macro": _mean(per_type.values()),
        "per_type": per_type,
    }


def _token_table(true: Tags, given: Tags) -> dict[str, Any]:
    same = [one for one, other in zip(true, given, strict=True) if one == other]
    counts = [Counter(some) for some in (same, true, given)]
    per_tag = {name: _scores(*(count[name] for count in counts)) for name in sorted(counts[1] | counts[2])}
    inside = {name: scores for name, scores in per_tag.items() if name != OUTSIDE}
    return {
        "accuracy": len(same) / len(true),
        "micro": _scores(*(sum(count[name] for name in inside) for count in counts)),
        "macro": _mean(inside.values()),
        "per_tag": per_tag,
    }


def _scores(hits: int, support: int, claimed: int) -> dict[str, float]:
    return {
        "precision": hits / claimed if claimed else 0.0,
        "recall": hits / support if support else 0.0,
        "f1": 2 * hits / (support + claimed) if support + claimed else 0.0,
        "support": support,
    }


def _mean(tables: Iterable[dict[str, float]]) -> dict[str, float]:
    rows = list(tables)
    return {name: sum(row[name] for row in rows) / len(rows) if rows else 0.0 for name in ("precision", "recall", "f1")}
