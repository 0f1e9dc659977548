"""``fieldtune explain``: which words decided one prediction."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fieldtune.cli_kit import Json, show

PAGE_MODEL = "FIELDTUNE_EXPLAIN_MODEL"


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(explain)


def explain(
    model: Annotated[Path, typer.Option(help="Model folder of a text classifier.")],
    text: Annotated[str, typer.Option(help="The text.")] = "",
    label: Annotated[str, typer.Option(help="Explain this label instead of the predicted one.")] = "",
    method: Annotated[
        str, typer.Option(help="gradients (integrated, for encoders) or occlusion (any model); the first that fits.")
    ] = "",
    html: Annotated[Path | None, typer.Option(help="Write a coloured text as HTML here too.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random orders that deletion is compared with.")] = 0,
    ui: Annotated[bool, typer.Option("--ui", help="Open a page instead, to try texts on.")] = False,
    port: Annotated[int, typer.Option(help="Port of the page, on this machine only.")] = 8504,
    as_json: Json = False,
) -> None:
    """Which words decided, with two checks: do the weights add up, and does cutting heavy words hurt most?"""
    from rich.console import Console

    from fieldtune.data.write import check_output, written
    from fieldtune.errors import InputError
    from fieldtune.explain.attribution import explain as attribute
    from fieldtune.explain.display import as_dict, as_html, terminal
    from fieldtune.models import Classifier, load
    from fieldtune.runtime import generator

    if html is not None:
        check_output(html, (".html",))
    trained = load(model)
    if not isinstance(trained, Classifier):
        raise InputError("a classifier of texts", f"a model for {trained.card['task']}", "choose another --model")
    if ui:
        from fieldtune.ui.launch import launch

        launch(Path(__file__).parents[1] / "ui" / "explain_page.py", port, {PAGE_MODEL: str(model)})
        return
    found = attribute(trained, text, rng=generator(seed), label=label or None, method=method or None)
    if html is not None:
        page = f'<!doctype html><meta charset="utf-8"><body style="font-family:sans-serif">{as_html(found)}</body>\n'
        with written(html) as temporary:
            temporary.write_text(page, encoding="utf-8")
    if not as_json and sys.stdout.isatty():
        Console().print(terminal(found))
    show({**as_dict(found), **({"html": str(html)} if html is not None else {})}, as_json)
