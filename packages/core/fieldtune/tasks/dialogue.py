"""Dialogue: what the customer said becomes what the agent says next. Only the agent's tokens are learnt.

A row is one turn of the agent with the turns before it; the work is done in :mod:`fieldtune.tasks.generation`.
"""

import pandas as pd

from fieldtune.data import dialogues
from fieldtune.data.checks import text_key
from fieldtune.data.dialogues import agent_turns
from fieldtune.data.numbered import numbers_of
from fieldtune.data.split import joined, tenth
from fieldtune.tasks import generation

COLUMNS = (("turns",), ("target",))
INPUTS = ("source",)
ENCODERLESS: tuple[str, ...] = ()
DEFAULTS, METHODS, RIVALS, FIGURE = generation.DEFAULTS, generation.METHODS, generation.RIVALS, generation.FIGURE
SHARED, heeds = generation.SHARED, generation.heeds
read = agent_turns
read_inputs = dialogues.asked
check, train, finish = generation.check, generation.train, generation.finish
adopt, metrics, correct, predict = generation.adopt, generation.metrics, generation.correct, generation.predict


def split(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A tenth of the rows for validation; whole dialogues, since a later turn's source quotes the replies before it.

    Dialogues that share a source stay together too. Where they nearly all do, as when everyone begins with "hello", only
    dialogues are kept whole, and rows whose source is learnt are not measured on.
    """
    dialogues, sources = list(numbers_of(table)), [text_key(source) for source in table["source"]]
    rows, held_out = tenth(table, joined(dialogues, sources), seed)
    if len(held_out) >= len(table) / 20:
        return rows, held_out
    rows, held_out = tenth(table, dialogues, seed)
    learnt = set(rows["source"].map(text_key))
    return rows, held_out[~held_out["source"].map(text_key).isin(learnt)].reset_index(drop=True)


def texts(table: pd.DataFrame) -> list[str]:
    """What the model reads of each row."""
    return list(table["source"])
