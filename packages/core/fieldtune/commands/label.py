"""``fieldtune label``: the next rows worth labelling, and the labels they got."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from fieldtune.cli_kit import Json, show
from fieldtune.commands.columns import LabelColumn, TextColumn
from fieldtune.errors import InputError
from fieldtune.progress import say
from fieldtune.text.shown import some_of

WATCHED = 1000
"""Rows of the pool on which successive models are compared."""


def register(app: typer.Typer) -> None:
    """Add this command to the root."""
    app.command()(label)


def label(
    model: Annotated[Path, typer.Option(help="Model folder: what is already known.")],
    pool: Annotated[Path, typer.Option(help="Table of rows without labels.")],
    queue: Annotated[
        Path | None, typer.Option(help="File of asked rows and their labels [POOL.labels.sqlite].")
    ] = None,
    strategy: Annotated[str, typer.Option(help="margin-kmeans, margin-kcentre, margin or random.")] = "margin-kmeans",
    count: Annotated[int, typer.Option("-n", min=1, help="Rows wanted.")] = 20,
    train: Annotated[Path | None, typer.Option(help="Rows that have a label already: never asked for.")] = None,
    answers: Annotated[Path | None, typer.Option(help="Table text, label to take in first.")] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask for the labels here, one line each; Enter skips.")] = False,
    out: Annotated[Path | None, typer.Option(help="Table to write all labels to, for train.")] = None,
    text: TextColumn = "text",
    label_column: LabelColumn = "label",
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    as_json: Json = False,
) -> None:
    """Name the rows of a pool whose labels would teach most; killed anywhere, no label is lost.

    The label of a model of words is the tags of its words, separated by spaces.

    Rows asked for and not yet labelled come first, labelled ones never again. Train anew on what --out writes and call
    it again; `enough` is true once three models, each of a tenth more labels than the one before, hardly differ any more.
    """
    from fieldtune.data.queue import Queue
    from fieldtune.data.tables import training_table
    from fieldtune.data.write import check_output, write_table
    from fieldtune.labelling import Pool, next_rows, strangers, turn

    rename = {"text": text, "label": label_column}
    queue = queue or pool.with_name(f"{pool.stem}.labels.sqlite")
    if out is not None:
        check_output(out, reads=[one for one in (pool, queue, train, answers) if one is not None])
    asked = Pool.read(pool, model, text)
    kept = Queue(queue, asked.kind)
    if answers is not None:
        table = training_table(answers, "text-classification", rename=rename)
        kept.answer(list(zip(table["text"], table["label"], strict=True)))
        for remark in strangers(asked, table):
            say(f"note: {remark}")
    known = training_table(train, "text-classification", rename=rename)["text"].tolist() if train else []
    rows = next_rows(asked, kept, known, strategy, count, seed)
    agreements, stop = turn(asked, kept, len(kept.labelled()) + len(known), WATCHED, seed)
    if ask:
        _ask(kept, rows, {*asked.model.labels, *asked.parts(kept.labelled()["label"])}, asked.parts)
    labelled = kept.labelled()
    if out is not None and len(labelled):
        write_table(labelled, out)
    if stop:
        say("enough: a tenth more labels has changed a hundredth of the answers or less, three times")
    show(
        {"queue": str(kept.file), "rows": rows, "labelled": len(labelled), "waiting": len(kept.waiting()),
         "agreements": agreements, "enough": stop, **({"out": str(out)} if out else {})},
        as_json,
    )  # fmt: skip


def _ask(queue: Any, rows: list[dict[str, Any]], known: set[str], parts: Callable[[list[str]], list[str]]) -> None:
    """One line of stdin a row; each label is on disk before the next row is shown. One that nobody knows, as a mistyped one, is
    told and, on a terminal, asked for once more: the row would never come again.

    Args:
        known: labels; parts: answers -> the labels in them.
    """
    for number, row in enumerate(rows, 1):
        answer = _typed(f"{number}/{len(rows)} {row['text']} [{row['predicted']}]: ")
        if answer is None:
            return
        new = [repr(label) for label in dict.fromkeys(parts([answer])) if label and label not in known]
        if new:
            told = f"new: {some_of(new, 10)} (known: {some_of([repr(label) for label in sorted(known)], 10)})"
            if sys.stdin.isatty():
                again = _typed(f"{told}; Enter keeps it, or type another: ")
                if again is None:
                    return
                answer = again or answer
            else:  # lines from a file: the next one is the next row's
                say(told)
        if answer:
            queue.answer([(row["text"], answer)])
            known.update(parts([answer]))


def _typed(prompt: str) -> str | None:
    """A line of stdin; None at its end."""
    say(prompt)
    try:
        return input().strip()
    except EOFError:
        return None
    except UnicodeDecodeError as error:
        raise InputError("labels as UTF-8", "other bytes on stdin", "type them again") from error
