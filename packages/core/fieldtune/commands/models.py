"""``fieldtune models list | show | publish | rollback | verify | sign | export``: what serves, what served before, and the gate."""

from pathlib import Path
from typing import Annotated

import typer

from fieldtune.applications import application
from fieldtune.cli_kit import Json, parse_map, show
from fieldtune.commands.columns import Columns, LabelColumn, LabelMap, TextColumn, renamed
from fieldtune.errors import InputError, RefusedError
from fieldtune.progress import say

models = typer.Typer(help="Model versions: list, show, publish, roll back, verify, sign, export.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.add_typer(models, name="models")


@models.command("list")
def list_(as_json: Json = False) -> None:
    """Every version, the oldest first; the one that serves is marked."""
    from fieldtune import registry

    rows = [
        {key: row[key] for key in ("id", "app", "slot", "origin", "made_at", "serving")} for row in registry.versions()
    ]
    show({"versions": rows}, as_json)


@models.command("show")
def show_(
    identity: Annotated[str, typer.Argument(help="Version id, or its beginning.")], as_json: Json = False
) -> None:
    """One version with the comparison that put it into service."""
    from fieldtune import registry

    found = [row for row in registry.versions() if row["id"].startswith(identity)]
    if len(found) != 1:
        raise InputError(
            "the id of one version", f"{len(found)} that begin with {identity!r}", "see: fieldtune models list"
        )
    show(found[0], as_json)


@models.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="The folder to put into service.")],
    into: Annotated[str, typer.Option(help="APP or APP/SLOT: where it would serve.")],
    data: Annotated[Path | None, typer.Option(help="Held-out table, for models of no application.")] = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    columns: Columns = None,
    mapping: LabelMap = None,
    as_json: Json = False,
) -> None:
    """Compare a model with what serves, on the same held-out rows; the best ships, a worse one is refused (exit 1).

    The first version of a name meets no other: it ships, with a warning and `compared: false`.
    """
    from fieldtune.models import load
    from fieldtune.publishing import publish_model
    from fieldtune.runtime import generator, now

    name, _, slot = into.partition("/")
    module = application(name)
    if module is not None:
        verdict = module.publish(folder, slot=slot or None, now=now())
    else:
        rename = renamed(load(folder).card["task"], text, label, columns) if data else None
        verdict = publish_model(
            folder, name, slot or None, data, columns=rename, labels=parse_map(mapping), rng=generator(0), now=now()
        )
    if verdict.promoted and not verdict.compared:
        say(f"warning: put into service unopposed: {verdict.reason}")
    show(verdict.as_dict(), as_json)
    if not verdict.promoted:
        raise RefusedError("a model better than what serves", verdict.reason, "improve it, or collect more feedback")


@models.command()
def rollback(
    into: Annotated[str, typer.Argument(help="APP or APP/SLOT.", metavar="APP[/SLOT]")], as_json: Json = False
) -> None:
    """Put the version before the present one back into service."""
    from fieldtune import registry
    from fieldtune.runtime import now

    name, _, slot = into.partition("/")
    show({"serving": registry.rollback(name, slot or None, now=now())}, as_json)


@models.command()
def export(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Model folder: one label or several, a number or a vector for a text; pairs by --method head."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write: a model folder with model.onnx; without it one beside it, DIR-onnx[-int8]."
        ),
    ] = None,
    to: Annotated[str, typer.Option(help="onnx.")] = "onnx",
    int8: Annotated[
        bool, typer.Option("--int8", help="8-bit weights, if they answer as well on --data, 462 rows or more.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="Held-out table to compare on; with labels --int8 is judged by accuracy too.")
    ] = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    columns: Columns = None,
    mapping: LabelMap = None,
    as_json: Json = False,
) -> None:
    """Write a model for ONNX Runtime; refused where its answers differ from the model's."""
    from fieldtune.exporting import export_model
    from fieldtune.models import load

    if to != "onnx":
        raise InputError("--to onnx", repr(to), "leave --to out")
    trained = load(folder)
    rename = renamed(trained.card["task"], text, label, columns)
    if out is None:
        whole = folder.resolve()
        out = whole.with_name(f"{whole.name}-onnx{'-int8' if int8 else ''}")
    show(
        {"out": str(out), **export_model(trained, out, data, int8=int8, rename=rename, labels=parse_map(mapping))},
        as_json,
    )


@models.command()
def verify(folder: Annotated[Path, typer.Argument(help="Model folder.")], as_json: Json = False) -> None:
    """Check every file of a model folder against its manifest."""
    from fieldtune.models.folder import verify as verify_folder

    manifest = verify_folder(folder)
    show({"folder": str(folder), "files": len(manifest["files"]), "intact": True}, as_json)


@models.command()
def sign(folder: Annotated[Path, typer.Argument(help="Model folder.")], as_json: Json = False) -> None:
    """Sign a folder that you trust, and those inside, with the key that FIELDTUNE_SIGNING_KEY names; what is saved is by itself.

    A pretrained model that has no manifest gets one.
    """
    from fieldtune.models.sign_folder import sign_folder

    show({"folder": str(folder), "signed": True, "manifests": sign_folder(folder)}, as_json)
