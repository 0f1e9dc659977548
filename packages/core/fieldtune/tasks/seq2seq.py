"""Sequence to sequence: a source text becomes a target text. The work is done in :mod:`fieldtune.tasks.generation`."""

from functools import partial

import pandas as pd

from fieldtune.data.tables import training_table
from fieldtune.tasks import generation

COLUMNS = (("source", "target"), ())
INPUTS = ("source",)
ENCODERLESS: tuple[str, ...] = ()
DEFAULTS, METHODS, RIVALS, FIGURE = generation.DEFAULTS, generation.METHODS, generation.RIVALS, generation.FIGURE
SHARED, heeds = generation.SHARED, generation.heeds
read = partial(training_table, task="seq2seq")
check, split, train, finish = generation.check, generation.split, generation.train, generation.finish
adopt, metrics, correct, predict = generation.adopt, generation.metrics, generation.correct, generation.predict


def texts(table: pd.DataFrame) -> list[str]:
    """What the model reads of each row."""
    return list(table["source"])
