"""The options by which a user names his columns and labels, the same in every command that reads a task's table."""

from typing import Annotated

import typer

from fieldtune.cli_kit import pair
from fieldtune.errors import InputError

TextColumn = Annotated[str, typer.Option("--text", help="The column that holds the text.")]
LabelColumn = Annotated[str, typer.Option("--label", help="The column that holds the label.")]
LabelMap = Annotated[
    list[str] | None,
    typer.Option("--map", help="""Rename labels: 0=negative,1=positive; repeatable. One with a comma: '"a, b"=c'."""),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="A column by the task's name for it, text_a=question; repeatable."),
]


def renamed(task: str, text: str, label: str, columns: list[str] | None) -> dict[str, str]:
    """Column that the task reads -> the user's name for it.

    Raises:
        InputError: an option for a column that the task does not read.
    """
    from fieldtune.tasks import columns_of

    known = columns_of(task)
    asked = [("text", text, "--text"), ("label", label, "--label")]
    given = {name: (theirs, option) for name, theirs, option in asked if theirs != name}
    given |= {name: (theirs, "--column") for name, theirs in (pair(item, "--column") for item in columns or [])}
    for name, (_, option) in given.items():
        if name not in known:
            raise InputError(
                f"a column that {task} reads: {', '.join(known)}",
                f"{option} for {name!r}",
                f"leave it out, or name one of these with --column {known[0]}=COLUMN",
            )
    return {name: theirs for name, (theirs, _) in given.items()}
