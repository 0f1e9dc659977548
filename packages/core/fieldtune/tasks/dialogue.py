"""Dialogue: what the customer said becomes what the agent says next. Only the agent's tokens are learnt.

A row is one turn of the agent with the turns before it; the work is done in :mod:`fieldtune.tasks.generation`.
"""

import pandas as pd

from fieldtune.data.dialogues import agent_turns
from fieldtune.tasks import generation

COLUMNS = (("turns",), ())
INPUTS = ("source",)
ENCODERLESS: tuple[str, ...] = ()
DEFAULTS, METHODS, RIVALS, FIGURE = generation.DEFAULTS, generation.METHODS, generation.RIVALS, generation.FIGURE
SHARED, heeds = generation.SHARED, generation.heeds
read = agent_turns
check, split, train, finish = generation.check, generation.split, generation.train, generation.finish
adopt, metrics, correct, predict = generation.adopt, generation.metrics, generation.correct, generation.predict


def texts(table: pd.DataFrame) -> list[str]:
    """What the model reads of each row."""
    return list(table["source"])
