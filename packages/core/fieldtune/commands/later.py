"""Commands of the contract that a later release brings: their help and their answer say which part."""

import typer

from fieldtune.cli_kit import planned

LATER = {
    "label": "the next rows worth labelling; comes with the core's active learning (fieldtune 0.3)",
}


def register(app: typer.Typer) -> None:
    """Add the names to the root, so that --help shows what is coming."""
    planned(app, LATER)
