"""How a shop's tables name things, and what is counted while they are read. Knows no file."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True, slots=True)
class Schema:
    """How the user's tables name things.

    Attributes:
        columns: our name -> theirs, for events; `item` serves the items as well, where they have that column.
        item_columns: our name -> theirs, for items.
        positive: "rating>=4", "type=buy,share", or "" for every event that is no refusal.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    item_columns: Mapping[str, str] = field(default_factory=dict)
    positive: str = ""

    def event(self, name: str) -> str:
        """Their name of an event column."""
        return self.columns.get(name, name)

    def item(self, name: str, there: Collection[str]) -> str:
        """Their name of an item column, in a table that has the columns `there`."""
        shared = self.columns.get("item", name) if name == "item" else name
        return self.item_columns.get(name, shared if shared in there else name)


def column(table: pd.DataFrame, name: str) -> pd.Series | None:
    """A column with empty text for what is missing; None where the table has none of that name."""
    if name not in table:
        return None
    return table[name].where(table[name].notna(), "")


def count(repairs: dict[str, int], name: str, number: int) -> None:
    """Add to a repair's count; nothing is written of none."""
    if number:
        repairs[name] = repairs.get(name, 0) + number
