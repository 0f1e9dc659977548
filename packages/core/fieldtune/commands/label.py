"""``fieldtune label``: the next rows worth labelling, and the labels they got."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fieldtune.cli_kit import Json, show
from fieldtune.commands.columns import LabelColumn, TextColumn
from fieldtune.errors import InputError
from fieldtune.progress import say
from fieldtune.text.shown import some_of

if TYPE_CHECKING:
    from fieldtune.data.queue import Queue
    from fieldtune.labelling import Pool

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

    The label of a model of words is the tags of its words (IOB2), separated by spaces; --out has columns tokens and tags of it.

    Rows asked for and not yet labelled come first, labelled ones never again. Train anew on what --out writes and call
    it again; `enough` is true once three models, each of a tenth more labels than the one before, hardly differ any more.
    """
    from fieldtune.data.numbered import numbers_of
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
        for row, one, answer in zip(numbers_of(table), table["text"], table["label"], strict=True):
            asked.check(one, answer, f"row {row} of {answers}")
        kept.answer(list(zip(table["text"], table["label"], strict=True)))
        for remark in strangers(asked, table):
            say(f"note: {remark}")
    known = asked.known(train, {"text": text} if asked.tags else rename) if train else []
    rows = next_rows(asked, kept, known, strategy, count, seed)
    agreements, stop = turn(asked, kept, len(kept.labelled()) + len(known), WATCHED, seed)
    if ask:
        _ask(kept, rows, asked)
    labelled = kept.labelled()
    if out is not None and len(labelled):
        write_table(asked.table(labelled), out)
    if stop:
        say("enough: a tenth more labels has changed a hundredth of the answers or less, three times")
    show(
        {"queue": str(kept.file), "rows": rows, "labelled": len(labelled), "waiting": len(kept.waiting()),
         "agreements": agreements, "enough": stop, **({"out": str(out)} if out else {})},
        as_json,
    )  # fmt: skip


def _ask(queue: "Queue", rows: list[dict[str, Any]], pool: "Pool") -> None:
    """One line of stdin a row; each label is on disk before the next row is shown: a row never comes again."""
    known = {*pool.model.labels, *pool.parts(queue.labelled()["label"])}
    for number, row in enumerate(rows, 1):
        prompt = f"{number}/{len(rows)} {row['text']} [{row['predicted']}]: "
        answer = _answer(prompt, row["text"], pool, known)
        if answer is None:
            return
        if answer:
            queue.answer([(row["text"], answer)])
            known.update(pool.parts([answer]))


def _answer(prompt: str, text: str, pool: "Pool", known: set[str]) -> str | None:
    """The label typed in; None where stdin ends. One that nobody knows, as a mistyped one, is told and, on a terminal, asked
    for once more."""
    answer = _fitting(_typed(prompt), text, pool)
    new = [repr(label) for label in dict.fromkeys(pool.parts([answer])) if label not in known] if answer else []
    if not new:
        return answer
    told = f"new: {some_of(new, 10)} (known: {some_of([repr(label) for label in sorted(known)], 10)})"
    if not sys.stdin.isatty():  # lines from a file: the next one is the next row's
        say(told)
        return answer
    again = _fitting(_typed(f"{told}; Enter keeps it, or type another: "), text, pool)
    return again if again is None else again or answer


def _fitting(answer: str | None, text: str, pool: "Pool") -> str | None:
    """An answer that labels the text; on a terminal, one that does not is asked for again.

    Raises:
        InputError: lines from a file hold one that does not.
    """
    while answer:
        try:
            pool.check(text, answer, f"the answer to {text!r:.60}")
            break
        except InputError as error:
            if not sys.stdin.isatty():
                raise
            answer = _typed(f"{error}: ")
    return answer


def _typed(prompt: str) -> str | None:
    """A line of stdin; None at its end."""
    say(prompt)
    try:
        return input().strip()
    except EOFError:
        return None
    except UnicodeDecodeError as error:
        raise InputError("labels as UTF-8", "other bytes on stdin", "type them again") from error
