"""``fieldtune search``: hyper-parameters by trials, resumable after any crash."""

from pathlib import Path
from typing import Annotated

import typer

from fieldtune.cli_kit import Json, pair, parse_map, show
from fieldtune.commands.columns import Columns, LabelColumn, LabelMap, TextColumn, renamed


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(search)


def search(
    task: Annotated[str, typer.Option(help="text-classification, embedding, ...")],
    train: Annotated[Path, typer.Option(help="Training table.")],
    trials: Annotated[
        int, typer.Option(help="How many are to be tried in all, those of an earlier call and failed ones included.")
    ],
    valid: Annotated[Path | None, typer.Option(help="Validation table; without it a tenth of the rows.")] = None,
    model: Annotated[str, typer.Option(help="Encoder: default, a folder, or a hub name.")] = "default",
    method: Annotated[str, typer.Option(help="A method that is fine-tuned, such as full.")] = "full",
    out: Annotated[Path, typer.Option(help="Folder of the search; the best model is OUT/best.")] = Path("search"),
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value that is not to be searched.")] = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    columns: Columns = None,
    mapping: LabelMap = None,
    seed: Annotated[int, typer.Option(help="Of the proposals, the split, the batches and dropout.")] = 0,
    as_json: Json = False,
) -> None:
    """Search learning rates, epochs, dropout, ...; the first trial is the defaults, the best model is kept.

    The best of many is flattered by the rows it was chosen on: evaluate it on rows kept apart.
    """
    from fieldtune.searching import find_settings

    found = find_settings(
        task,
        train,
        out=out,
        trials=trials,
        valid=valid,
        model=model,
        method=method,
        settings=dict(pair(item, "--set") for item in settings or []),
        seed=seed,
        rename=renamed(task, text, label, columns),
        labels=parse_map(mapping),
    )
    best = {"model": str(found.best), "value": found.value, "settings": found.settings}
    show({"best": best, "trials": found.trials, "failed": found.failed}, as_json)
