"""What a classifier that goes on learning remembers of the rows it has seen: saved beside it, loaded with it.

It holds texts of the training rows only where they are rehearsed (``rehearsed``) or measured again (``held_out``).
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

ROWS, TENSORS = "memory.json", "memory.safetensors"
Row = tuple[str, str]


@dataclass
class Block:
    """One batch of learning.

    Attributes:
        labels: the classes that came with it.
        held_out: rows (text, label) that it is measured on, now and after every later block that does not teach them.
        accuracy: on these rows, when it was learnt and after each later block. Where a later block taught some of them, the
            figures start anew on those left, with the model of before that block; none where it taught all.
    """

    labels: list[str]
    held_out: list[Row] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)


@dataclass
class Memory:
    """A classifier's past.

    Attributes:
        blocks: in order of learning.
        rehearsed: rows (text, label) that are trained on again with every later block.
        tensors: float32 arrays by name: sums of statistics, importance of weights.
    """

    blocks: list[Block] = field(default_factory=list)
    rehearsed: list[Row] = field(default_factory=list)
    tensors: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write ``memory.json`` and, where there are tensors, ``memory.safetensors``."""
        rows = {"blocks": [asdict(block) for block in self.blocks], "rehearsed": self.rehearsed}
        (folder / ROWS).write_text(json.dumps(rows, ensure_ascii=False, allow_nan=False), encoding="utf-8")
        if self.tensors:
            save_file({name: np.ascontiguousarray(value) for name, value in self.tensors.items()}, folder / TENSORS)

    @classmethod
    def load(cls, folder: Path) -> "Memory | None":
        """What was saved in a model folder; None where its model does not go on learning."""
        if not (folder / ROWS).is_file():
            return None
        rows = json.loads((folder / ROWS).read_text(encoding="utf-8"))
        blocks = [
            Block(block["labels"], [_row(row) for row in block["held_out"]], block["accuracy"])
            for block in rows["blocks"]
        ]
        tensors = dict(load_file(folder / TENSORS)) if (folder / TENSORS).is_file() else {}
        return cls(blocks, [_row(row) for row in rows["rehearsed"]], tensors)


def _row(row: list[str]) -> Row:
    text, label = row
    return str(text), str(label)
