"""Commands of the contract that a later release brings: their help and their answer say which part."""

import typer

from fieldtune.errors import RefusedError

LATER = {
    "explain": "which words decided; comes with the core's explanations (fieldtune 0.3)",
    "search": "hyper-parameter search; comes with the core's search and tracking (fieldtune 0.3)",
    "label": "the next rows worth labelling; comes with the core's active learning (fieldtune 0.3)",
    "serve": "one model behind HTTP; comes with the core's service (fieldtune 0.3)",
}


def register(app: typer.Typer) -> None:
    """Add the names to the root, so that --help shows what is coming."""
    for name, what in LATER.items():
        add(app, name, what)


def add(app: typer.Typer, name: str, what: str) -> None:
    """One such command: any arguments, one line, exit 1."""

    @app.command(
        name,
        help=f"Not in this release: {what}.",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def _later(context: typer.Context) -> None:
        raise RefusedError(f"a command of this release (not {name!r})", f"one that is planned: {what}", "see --help")
