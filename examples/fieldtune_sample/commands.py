"""``fieldtune demo``: the three applications on the sample company, end to end, with a report."""

from pathlib import Path
from typing import Annotated

import typer

from fieldtune.cli_kit import show


def demo(
    out: Annotated[Path, typer.Option(help="Folder to write; run again after an interruption, it continues.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option(help="Of the company, the training and the simulated users.")] = 7,
    small: Annotated[
        bool, typer.Option("--small", help="A tiny company: a minute instead of a quarter of an hour.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """The three applications end to end on the sample company, made better by feedback, with a report in pictures."""
    from fieldtune_sample import demo as whole
    from fieldtune_sample.size import FULL, SMALL

    result = whole.run(out, seed, SMALL if small else FULL)
    if as_json:
        show(result, True)
        return
    typer.echo(f"The report: {result['report']}")
    typer.echo("Open the pages:")
    for line in result["pages"]:
        typer.echo(f"  {line}")
