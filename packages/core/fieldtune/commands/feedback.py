"""``fieldtune feedback list | export | retrain | erase``: what users said, and models made better by it."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from fieldtune.applications import APPLICATIONS, application
from fieldtune.cli_kit import Json, folder, show
from fieldtune.errors import InputError

feedback = typer.Typer(help="Feedback of users: list, export, retrain from it, erase a user.", no_args_is_help=True)
Into = Annotated[
    str, typer.Argument(help="chatbot, monitor or recommender; /SLOT names one of its folders.", metavar="APP[/SLOT]")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.add_typer(feedback, name="feedback")


@feedback.command("list")
def list_(app: Annotated[str, typer.Option(help="Only this application's.")] = "", as_json: Json = False) -> None:
    """What users said, the oldest first."""
    show({"feedback": _rows(app)}, as_json)


@feedback.command()
def export(
    out: Annotated[Path, typer.Option(help="Table to write: .csv, .jsonl or .parquet.")],
    app: Annotated[str, typer.Option(help="Only this application's.")] = "",
    as_json: Json = False,
) -> None:
    """Write the feedback as a table; the payload is one JSON column.

    In .csv and .tsv an apostrophe stands before a cell that a spreadsheet would run as a formula.
    """
    import json

    import pandas as pd

    from fieldtune.data.spreadsheet import guarded
    from fieldtune.data.write import write_table

    rows = [{**row, "payload": json.dumps(row["payload"], ensure_ascii=False)} for row in _rows(app)]
    if not rows:
        raise InputError("feedback to export", "none", "collect some on the pages first")
    table = pd.DataFrame(rows)
    if out.suffix in (".csv", ".tsv"):
        table = table.map(lambda cell: guarded(cell) if isinstance(cell, str) else cell)
    write_table(table, out)
    show({"out": str(out), "rows": len(rows)}, as_json)


@feedback.command()
def retrain(into: Into, as_json: Json = False) -> None:
    """Train a candidate from the feedback about one folder; it ships only if it is better on held-out rows."""
    from fieldtune import feedback as store
    from fieldtune import registry
    from fieldtune.runtime import home, now

    app, _, slot = into.partition("/")
    module = application(app)
    if module is None:
        raise _unknown(app)
    with registry.open_home().begin() as connection:
        rows = store.rows(connection, app)
    if not rows:
        raise InputError(f"feedback about the {app}", "none", "collect some on its page first")
    verdict = module.retrain(rows, slot or None, home=home(), now=now(), progress=True)
    show({"rows": len(rows), **verdict.as_dict()}, as_json)


@feedback.command()
def erase(
    user: Annotated[str, typer.Option(help="Who is erased; on the chatbot's page a user's name is the session.")],
    store: Annotated[
        list[Path] | None,
        typer.Option(help="A chatbot's store that this FIELDTUNE_HOME does not serve.", parser=folder),
    ] = None,
    as_json: Json = False,
) -> None:
    """Delete at once the user's feedback, the vectors of its texts that are kept under FIELDTUNE_HOME, what the
    recommender recorded of lists made for that name, and the chatbot's conversations in the session of that name.

    Vectors are found by their text, as it was written and as models read it, without personal data. Not found are those
    of texts that were cut off or joined with others before they were read (a question with the one before it, a dialogue):
    delete FIELDTUNE_HOME/embeddings.sqlite to be rid of these; it is filled anew. Where vectors cannot be deleted, the
    rows they belong to stay and the command fails.

    A conversation goes with its questions, answers and decisions. The user is remembered by a hash of the name: the
    next `chatbot build` leaves out what they taught, and so does a version that `feedback retrain chatbot` ships.
    Until then the chatbot knows it still. Not undone: what is in versions made before (delete their folders under
    FIELDTUNE_HOME/versions), in tables of typed answers (delete their rows in STORE/typed-*.csv), in the weights of
    models and in the texts that those which go on learning rehearse (memory.json), and in what the monitor and the
    recommender learnt; for those, train again. Backups, tables you exported and queues of `label` are yours to clean.
    """
    from fieldtune import feedback as said
    from fieldtune import registry
    from fieldtune.infer.cache import Cache
    from fieldtune.runtime import now
    from fieldtune.store import erasing

    if not user.strip():
        raise InputError("the name of a user", repr(user), "take it from `user` in fieldtune feedback list")
    found = Counter[str]()
    for name in APPLICATIONS:  # first: a wrong --store is refused before anything is gone
        module = application(name)
        if module is not None and hasattr(module, "erase"):
            found.update(module.erase(user, store or []))
    with erasing(registry.open_home()) as connection:
        found["vectors"] += Cache().forget(said.texts(connection, user))  # it needs the texts, and may fail
        rows = said.forget(connection, user, now())
    show({"user": user, "erased": rows, **found}, as_json)


def _unknown(app: str) -> InputError:
    return InputError(f"an application out of {', '.join(APPLICATIONS)}", repr(app), "install or choose one")


def _rows(app: str) -> list[dict[str, object]]:
    from dataclasses import asdict

    from fieldtune import feedback as store
    from fieldtune import registry

    if app and app not in APPLICATIONS:
        raise _unknown(app)
    with registry.open_home().begin() as connection:
        return [{**asdict(row), "payload": dict(row.payload)} for row in store.rows(connection, app or None)]
