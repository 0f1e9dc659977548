"""Dialogues -> rows to learn a reply from: every turn of the agent, after what was said before it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune.data.filled import empty
from fieldtune.data.given import given, named, texts_of
from fieldtune.data.numbered import counted
from fieldtune.data.read import check_columns, check_named
from fieldtune.data.tables import NAME_OTHERS, renamed, training_table
from fieldtune.errors import InputError
from fieldtune.progress import say
from fieldtune.text.normalise import blank

AGENT, CUSTOMER = "agent", "customer"
_ROLES = {"agent": AGENT, "assistant": AGENT, "bot": AGENT, "customer": CUSTOMER, "user": CUSTOMER}
_ASIDE = ("system", "developer", "tool", "function")  # in exported chats: instructions and what programs answered
_CALLS = (
    "tool_calls",
    "function_call",
)  # what an agent's turn holds instead of a text, by the newer and the older name
_WRITTEN = ("source", "target")
KEPT = 6
"""Turns before a reply that are kept."""


def agent_turns(
    data: pd.DataFrame | Path | str, *, rename: Mapping[str, str] | None = None, labels: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Columns source and target, a row for each turn of an agent that answers something.

    A turn after a customer's first words alone has these as its source; later ones name who spoke.

    Args:
        data: JSON lines with ``turns`` [{role, text}] (see ``chatbot mine``) or, as chats are exported, ``messages``
            [{role, content}], each row in its own way; or a table of columns source, target.
        rename: the users' names for turns, or for source and target.
        labels: taken for the sake of the other tasks' signature, unused.

    Raises:
        InputError: no such columns, a turn without role or text, an unknown role, or no turn of an agent.
    """
    where, rename = named(data), rename or {}
    frame = _turned(given(data), rename, where)
    check_named(frame, rename, _WRITTEN, where)
    if {rename.get(name, name) for name in _WRITTEN} <= set(frame.columns):
        return training_table(data, "seq2seq", rename=rename)
    check_columns(frame, ["turns"], where, NAME_OTHERS)
    rows, numbers, silent, blanks = [], [], 0, 0
    for number, turns in frame["turns"].items():
        said = _turns(turns, f"row {number} of {where}")
        blanks += sum(blank(text) for _, text in said)
        said = [(role, text) for role, text in said if not blank(text)]
        found = [
            (_source(said[max(at - KEPT, 0) : at]), text)
            for at, (role, text) in enumerate(said)
            if at and role == AGENT
        ]
        silent += not found
        rows += found
        numbers += [number] * len(found)
    if not rows:
        raise InputError(
            "dialogues in which an agent answers", f"none in {where}", "check the roles: customer and agent"
        )
    if blanks:
        say(f"{blanks} turns without text left out ({where})")
    if silent:
        say(f"{silent} of {len(frame)} dialogues without an agent's answer left out ({where})")
    return counted(pd.DataFrame(rows, columns=["source", "target"], index=numbers))


def asked(
    data: pd.DataFrame | Path | str, rename: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What to answer: the table as it is kept, and beside it the column source.

    Of dialogues it is what was said up to the customer's last turn, as :func:`agent_turns` writes it.

    Raises:
        InputError: neither source nor turns, or turns that are none.
    """
    where, table, rename = named(data), given(data, every_row=True), rename or {}
    frame, source = _turned(table, rename, where), rename.get("source", "source")
    check_named(frame, rename, ("source",), where)
    if source in frame or "turns" not in frame:
        check_columns(frame, [source], where, f"give dialogues, as for training, or {NAME_OTHERS}")
        return table, pd.DataFrame({"source": texts_of(frame[source], where)}).reset_index(drop=True)
    sources = []
    for number, turns in frame["turns"].items():
        said = [] if empty(turns) else _turns(turns, f"row {number} of {where}")
        said = [(role, text) for role, text in said if not blank(text)]
        while said and said[-1][0] == AGENT:
            said.pop()
        sources.append(_source(said[-KEPT:]) if said else "")
    return table, pd.DataFrame({"source": sources}, dtype=object)


def _turned(frame: pd.DataFrame, rename: Mapping[str, str], where: str) -> pd.DataFrame:
    """Turns under that name; chats are exported as messages, all of a table's rows or those without turns."""
    if "turns" in rename or "messages" not in frame:
        return renamed(frame, rename, ("turns",), where)
    if "turns" not in frame:
        return renamed(frame, {**rename, "turns": "messages"}, ("turns",), where)
    either = [other if empty(own) else own for own, other in zip(frame["turns"], frame["messages"], strict=True)]
    return renamed(frame.assign(turns=pd.Series(either, index=frame.index, dtype=object)), rename, ("turns",), where)


def _turns(turns: Any, where: str) -> list[tuple[str, str]]:
    """Who said what; instructions to a model, its calls of programs and what these answered are passed over."""
    if isinstance(turns, np.ndarray):  # as Parquet gives lists
        turns = turns.tolist()
    if not isinstance(turns, list):
        kind = "nothing" if empty(turns) else type(turns).__name__
        raise InputError("turns as a list of {role, text}", f"{kind} in {where}", "write JSON lines")
    found = []
    for turn in turns:
        told = turn if isinstance(turn, dict) else {}
        name = str(told.get("role", "")).lower()
        role, text = _ROLES.get(name), told.get("text") if told.get("text") is not None else told.get("content")
        called = any(told.get(one) is not None for one in _CALLS)
        if name in _ASIDE or (role == AGENT and text is None and called):
            continue
        if role is None or not isinstance(text, str):
            raise InputError(
                f"a turn with a role out of {', '.join(_ROLES)} and a text", f"{turn!r:.80} in {where}", "correct it"
            )
        found.append((role, text.strip()))
    return found


def _source(said: list[tuple[str, str]]) -> str:
    if len(said) == 1:
        return said[0][1]
    return "\n".join(f"{role}: {text}" for role, text in said)
