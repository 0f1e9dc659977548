"""``fieldtune data list | get | scrub | check``: public data sets, a table without personal data, and what is wrong with one."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fieldtune.cli_kit import Json, parse_map, show
from fieldtune.commands.columns import Columns, LabelColumn, LabelMap, TextColumn, renamed
from fieldtune.text.shown import some_of

FEW = 5  # rows that a finding names to people

data = typer.Typer(help="Public data sets; your own tables without personal data, and checked.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.add_typer(data, name="data")


@data.command("list")
def list_(as_json: Json = False) -> None:
    """The public data sets that the benchmarks use, with source and licence."""
    from dataclasses import asdict

    from fieldtune.data.catalog import SETS, local

    show({"sets": [{**asdict(entry), "here": local(entry.name) is not None} for entry in SETS]}, as_json)


@data.command()
def get(
    name: Annotated[str, typer.Argument(help="Name of a set; see `fieldtune data list`.")],
    out: Annotated[Path, typer.Option(help="Folder to put it in.")] = Path("data"),
    as_json: Json = False,
) -> None:
    """Fetch a public data set: from FIELDTUNE_DATA when it is there, else from its official address, checked."""
    from fieldtune.data.catalog import fetch

    show({"folder": str(fetch(name, out))}, as_json)


@data.command()
def scrub(
    file: Annotated[Path, typer.Argument(help="The table.")],
    out: Annotated[Path, typer.Option(help="Table to write: .csv, .tsv, .jsonl or .parquet.")],
    text: Annotated[
        list[str] | None,
        typer.Option(help="Column of texts, repeatable; without it, those named as the tasks name them."),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            help="Names of people to hide too: a file, one a line. A single word is hidden as it is written there or "
            "in capitals, not as a word in small letters: list each way it is written (Mark, mark)."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a table with personal data hidden: what `train` hides by itself, and names of a list.

    Cells may be texts, or lists and objects of texts (turns, messages, tokens), in CSV as JSON; a column spans moves with
    its text. Anything else in a column to scrub is refused with its row. Other columns, labels and ids among them, stay.

    Names are hidden here and nowhere else: to hide them from a model's inputs too, its folder would have to hold the list.
    Scrub what it is to train on, and what it is asked about, with the same list.
    """
    from fieldtune.data.hiding import TOKENS, listed
    from fieldtune.data.read import check_columns, read_table
    from fieldtune.data.scrubbed import COLUMNS, scrubbed
    from fieldtune.data.write import check_output, write_table
    from fieldtune.errors import InputError

    check_output(out, reads=[file, *([names] if names else [])])
    table = read_table(file, every_row=True, numbered=True)
    check_columns(table, text or [], str(file))
    columns = [name for name in ((*text, TOKENS) if text else COLUMNS) if name in table]
    if not columns:
        raise InputError(f"a column of texts ({', '.join(COLUMNS)})", f"none in {file}", "name it with --text COLUMN")
    clean, found = scrubbed(table, list(dict.fromkeys(columns)), listed(names) if names else (), str(file))
    write_table(clean, out)
    show({"out": str(out), "rows": len(clean), "hidden": dict(found.most_common())}, as_json)


@data.command()
def check(
    file: Annotated[Path, typer.Argument(help="The table.")],
    task: Annotated[str, typer.Option(help="What it is to train, as in fieldtune train.")] = "text-classification",
    text: TextColumn = "text",
    label: LabelColumn = "label",
    columns: Columns = None,
    mapping: LabelMap = None,
    against: Annotated[
        Path | None, typer.Option(help="A training table: which rows of the file also stand in it, or nearly do.")
    ] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Also look for wrong labels: slow, it reads every text.")
    ] = False,
    model: Annotated[str, typer.Option(help="Encoder for --labels: default, a folder, or a hub name.")] = "default",
    as_json: Json = False,
) -> None:
    """What a training on this table would stumble over: duplicates, conflicting labels, rare classes, ...

    Rows are compared as a training reads them, without personal data. Ends with exit code 1 when there is an error that would
    stop the training.
    """
    from fieldtune.data.checks import TEXT_COLUMNS, numbered
    from fieldtune.data.hiding import hidden
    from fieldtune.data.leaks import leaked, repeated
    from fieldtune.data.numbered import counted, numbers_of
    from fieldtune.data.picture_checks import lost
    from fieldtune.data.tables import task_columns
    from fieldtune.tasks import task_module

    rename = renamed(task, text, label, columns)

    def read(path: Path) -> Any:  # without personal data, as a training does: rows that differ in it alone are the same
        if task not in TEXT_COLUMNS:
            return hidden(task_module(task).read(path, rename=rename, labels=parse_map(mapping)))[0]
        return hidden(counted(task_columns(path, task, rename=rename, labels=parse_map(mapping))))[0]

    table = read(file)
    findings = task_module(task).check(table) + repeated(table, task)
    if against is not None:
        findings += leaked(read(against), table, task).findings()
    if labels:
        findings += _doubtful(table, task, model)
    findings = numbered(lost(table), int) + numbered(findings, numbers_of(table).__getitem__)
    told = [finding._asdict() if as_json else _short(finding) for finding in findings]
    show({"rows": len(table), "findings": told}, as_json)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


def _short(finding: Any) -> dict[str, Any]:
    """A finding for people, who need the first few of its rows (its message has them) and how many there are."""
    told = {"kind": finding.kind, "severity": finding.severity, "message": finding.message}
    if not finding.suggested:
        return told
    more = " (--json lists them)" if len(finding.suggested) > FEW else ""
    return {**told, "suggested": some_of(finding.suggested, FEW) + more}


def _doubtful(table: Any, task: str, model: str) -> list[Any]:
    from fieldtune.errors import InputError
    from fieldtune.progress import say
    from fieldtune.tasks import task_module
    from fieldtune.train.noise import doubtful

    if task != "text-classification":
        raise InputError("--labels with task text-classification", repr(task), "leave --labels out")
    say(f"looking for wrong labels among {len(table)} rows: this embeds every text and fits ten models")
    return list(doubtful(table, model, task_module(task).DEFAULTS.max_length))
