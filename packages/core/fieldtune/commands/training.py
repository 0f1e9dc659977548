"""``fieldtune train | evaluate | predict | encode``: one model, from a table to a folder and back."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from fieldtune.cli_kit import Json, pair, parse_map, show
from fieldtune.commands.columns import Columns, LabelColumn, LabelMap, TextColumn, renamed
from fieldtune.errors import InputError
from fieldtune.models.card import outdone
from fieldtune.progress import say

FEW = 30  # validation rows below which a figure says little


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.command()(train)
    app.command()(evaluate)
    app.command()(predict)
    app.command()(encode)


def train(
    task: Annotated[
        str,
        typer.Option(
            help="text-classification and regression (columns text, label; with --set multi_label=true several, a|b), "
            "text-pair (text_a, text_b, label), token-classification (CoNLL, or columns tokens, tags), "
            "embedding (query, positive, negative), reranking (query, document, label), "
            "image-classification (columns image, label; a folder a class; .npz), "
            "object-detection (VOC or COCO), ..."
        ),
    ],
    train: Annotated[
        Path,
        typer.Option(
            help="Training table: CSV, TSV, JSON lines, Parquet or CoNLL (.gz allowed); of pictures also a folder, .npz or .json."
        ),
    ],
    valid: Annotated[Path | None, typer.Option(help="Validation table; without it a tenth of the rows.")] = None,
    model: Annotated[str, typer.Option(help="Encoder: default, a folder, or a hub name.")] = "default",
    method: Annotated[str, typer.Option(help="linear, head, full, fewshot, auto, ...: what the task knows.")] = "full",
    out: Annotated[Path, typer.Option(help="Model folder to write.")] = Path("model"),
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value, repeatable.")] = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    columns: Columns = None,
    mapping: LabelMap = None,
    unlabelled: Annotated[Path | None, typer.Option(help="Rows without a label, for --method selftrain.")] = None,
    seed: Annotated[int, typer.Option(help="Of the split, the batches and dropout.")] = 0,
    processes: Annotated[
        int, typer.Option(help="Local processes that share every batch; this machine's threads are divided among them.")
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an unfinished folder (also done without).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fine-tune a model; the task's rivals, on texts the plain model and the frozen encoder, are measured beside it."""
    from fieldtune.pipeline import finetune
    from fieldtune.tasks import task_module

    started = time.monotonic()
    done = finetune(
        task,
        train,
        valid=valid,
        model=model,
        method=method,
        out=out,
        settings=dict(pair(item, "--set") for item in settings or []),
        seed=seed,
        rename=renamed(task, text, label, columns),
        labels=parse_map(mapping),
        rivals=True,
        unlabelled=unlabelled,
        processes=processes,
    )
    metrics = {key: value for key, value in done.metrics.items() if key != "per_class"}
    remark(done.method, done.metrics, task_module(done.task).FIGURE)
    show({"model": str(done.path), "method": done.method, **metrics, "seconds": time.monotonic() - started}, as_json)


def evaluate(
    model: Annotated[Path, typer.Option(help="Model folder.")],
    data: Annotated[Path, typer.Option(help="Table with the same columns as in training.")],
    text: TextColumn = "text",
    label: LabelColumn = "label",
    columns: Columns = None,
    mapping: LabelMap = None,
    report: Annotated[Path | None, typer.Option(help="Folder for a report with pictures (classifiers).")] = None,
    as_json: Json = False,
) -> None:
    """Measure a model on rows it has not seen."""
    from fieldtune.data.write import check_output
    from fieldtune.models import load
    from fieldtune.using import measure

    if report is not None:
        check_output(report / "report.html", (".html",))
    trained = load(model)
    rename = renamed(trained.card["task"], text, label, columns)
    show(measure(trained, data, rename=rename, labels=parse_map(mapping), report=report), as_json)


def predict(
    model: Annotated[Path, typer.Option(help="Model folder.")],
    data: Annotated[
        Path, typer.Option(help="Table with a text column; for pictures a table of paths, a folder, .npz or COCO.")
    ],
    out: Annotated[Path, typer.Option(help="Table to write: .csv, .tsv, .jsonl or .parquet.")],
    text: TextColumn = "text",
    columns: Columns = None,
    as_json: Json = False,
) -> None:
    """Label every row; input columns and order are kept, rows without text included.

    Columns spans and boxes, where answers take these names, are not copied.
    """
    from fieldtune.data.raw import extension
    from fieldtune.data.read import KINDS
    from fieldtune.data.write import check_output, write_pieces
    from fieldtune.models import load
    from fieldtune.using import answers

    check_output(out, reads=[data])
    trained = load(model)
    rename = renamed(trained.card["task"], text, "label", columns)
    written: dict[str, int] = {}
    words = out.suffix in (".csv", ".tsv")
    found = answers(trained, data, rename=rename)
    if extension(data) not in KINDS:  # a folder, or a file that names pictures in its own way: paths are ours
        found = _from_there(found, out.parent)
    write_pieces(_counted(found, written, words), out)
    kept: dict[str, float] = (
        {"in_scope": written["in_scope"] / max(written["answered"], 1)} if "in_scope" in written else {}
    )
    kept |= {name: count for name, count in written.items() if name not in ("rows", "in_scope", "answered")}
    show({"out": str(out), "rows": written["rows"], **kept}, as_json)


def encode(
    model: Annotated[str, typer.Option(help="default, an encoder's folder or hub name, or a fieldtune model folder.")],
    data: Annotated[Path, typer.Option(help="Table with a text column.")],
    out: Annotated[Path, typer.Option(help="File to write: .npy, float32, a row of unit length per text.")],
    text: TextColumn = "text",
    as_json: Json = False,
) -> None:
    """Embed a column of texts."""
    import numpy as np

    from fieldtune.data.given import texts_of
    from fieldtune.data.read import read_table
    from fieldtune.data.tables import NAME_IT
    from fieldtune.data.write import check_output, written
    from fieldtune.models import load, load_encoder
    from fieldtune.models.readable import warn_unread
    from fieldtune.models.trained import CARD, embedder_of

    check_output(out, (".npy",))
    table = read_table(data, [text], hint=NAME_IT, every_row=True, numbered=True)
    trained = load(model) if (Path(model) / CARD).is_file() else load_encoder(model)
    embedder = embedder_of(trained)
    if embedder is None:
        raise InputError(
            "a model that embeds texts",
            f"{model}, which counts n-grams or reads other things",
            "train it with --method head or full",
        )
    texts = texts_of(table[text], str(data)).tolist()
    warn_unread(embedder, texts)
    vectors = embedder.encode(texts)
    with written(out) as temporary, temporary.open("wb") as handle:
        np.save(handle, vectors, allow_pickle=False)
    show({"out": str(out), "rows": len(vectors), "dimensions": vectors.shape[1]}, as_json)


def remark(method: str, metrics: dict[str, Any], figure: str) -> None:
    """Say on stderr when a rival did better, or when the rows it was measured on are too few to say much."""
    if not metrics["n"]:  # said before it was trained
        return
    if metrics["n"] < FEW:
        say(
            f"note: measured on {metrics['n']} rows, which is too few to rely on; give more with --valid or more to train"
        )
    if better := outdone(method, metrics, figure):
        say(f"note: {better}")


def _from_there(pieces: Iterator[Any], folder: Path) -> Iterator[Any]:
    """The pieces with the paths of pictures as a table in ``folder`` gives them."""
    for piece in pieces:
        if "image" in piece:
            piece = piece.assign(image=[_path_from(folder, Path(name)) for name in piece["image"]])
        yield piece


def _path_from(folder: Path, file: Path) -> str:
    """A path, which counts from here, as it counts from there; one that was given whole stays so, but for files below."""
    here = file.absolute()
    whole = file.is_absolute() and not here.is_relative_to(folder.resolve())
    return file.as_posix() if whole else Path(os.path.relpath(here, folder.resolve())).as_posix()


def _counted(pieces: Iterator[Any], written: dict[str, int], words: bool) -> Iterator[Any]:
    """The pieces as files hold them; ``written`` gets how many rows they hold, and where that is told how many are in scope, or unreadable.

    Args:
        words: whether the file knows no booleans: then they are the words true and false.
    """
    from fieldtune.data.unreadable import UNREADABLE

    for piece in pieces:
        written["rows"] = written.get("rows", 0) + len(piece)
        if "in_scope" in piece:
            written["in_scope"] = written.get("in_scope", 0) + int(piece["in_scope"].eq(True).sum())
            written["answered"] = written.get("answered", 0) + int(piece["in_scope"].notna().sum())
            if words:
                piece = piece.assign(in_scope=piece["in_scope"].map({True: "true", False: "false"}).fillna(""))
        if UNREADABLE in piece:
            written[UNREADABLE] = written.get(UNREADABLE, 0) + int((piece[UNREADABLE] != "").sum())
        yield piece
