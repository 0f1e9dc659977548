"""``fieldtune train | evaluate | predict | encode``: one model, from a table to a folder and back."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from fieldtune.cli_kit import Json, pair, show
from fieldtune.data.checks import OUT_OF_SCOPE
from fieldtune.errors import InputError
from fieldtune.progress import say

TextColumn = Annotated[str, typer.Option("--text", help="The column that holds the text.")]
LabelColumn = Annotated[str, typer.Option("--label", help="The column that holds the label.")]
LabelMap = Annotated[str, typer.Option("--map", help="Rename labels: 0=negative,1=positive.")]
FEW = 30  # validation rows below which a figure says little
NAME_IT = "name it with --text COLUMN"


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
    mapping: LabelMap = "",
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
        rename={"text": text, "label": label},
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
    mapping: LabelMap = "",
    report: Annotated[Path | None, typer.Option(help="Folder for a report with pictures (classifiers).")] = None,
    as_json: Json = False,
) -> None:
    """Measure a model on rows it has not seen."""
    from fieldtune.data.read import check_output
    from fieldtune.models import load
    from fieldtune.tasks import task_module

    if report is not None:
        check_output(report / "report.html", (".html",))
    trained = load(model)
    task = trained.card["task"]
    about = task_module(task)
    table = about.read(data, rename={"text": text, "label": label}, labels=parse_map(mapping))
    started = time.monotonic()
    found: dict[str, Any] = about.metrics(trained, table)
    seconds = time.monotonic() - started
    _remark_strangers(trained, table)
    if report is not None:
        from fieldtune.models import Classifier
        from fieldtune.reporting import classifier_report

        if not isinstance(trained, Classifier):
            raise InputError("a classifier for --report", f"a model for {task}", "leave --report out")
        found["report"] = str(classifier_report(trained, table, found, report))
    show({**found, "seconds": seconds}, as_json)


def predict(
    model: Annotated[Path, typer.Option(help="Model folder.")],
    data: Annotated[
        Path, typer.Option(help="Table with a text column; for pictures a table of paths, a folder, .npz or COCO.")
    ],
    out: Annotated[Path, typer.Option(help="Table to write: .csv, .tsv, .jsonl or .parquet.")],
    text: TextColumn = "text",
    as_json: Json = False,
) -> None:
    """Label every row; input columns and order are kept, rows without text included."""
    from fieldtune.data.read import check_output, write_pieces
    from fieldtune.models import load
    from fieldtune.tasks import task_module

    check_output(out, reads=[data])
    trained = load(model)
    about = task_module(trained.card["task"])
    table, inputs = (about.read_inputs or partial(_read_inputs, names=about.INPUTS))(data, text)
    inside: list[float] = []
    write_pieces(_answered(partial(about.predict, trained), table, inputs, data, inside), out)
    kept = {"in_scope": sum(inside) / len(table)} if inside else {}
    show({"out": str(out), "rows": len(table), **kept}, as_json)


def encode(
    model: Annotated[str, typer.Option(help="default, an encoder's folder or hub name, or a fieldtune model folder.")],
    data: Annotated[Path, typer.Option(help="Table with a text column.")],
    out: Annotated[Path, typer.Option(help="File to write: .npy, float32, a row of unit length per text.")],
    text: TextColumn = "text",
    as_json: Json = False,
) -> None:
    """Embed a column of texts."""
    import numpy as np

    from fieldtune.data.hiding import as_trained
    from fieldtune.data.read import check_output, read_table, written
    from fieldtune.models import load, load_encoder
    from fieldtune.models.folder import MANIFEST
    from fieldtune.models.trained import CARD, embedder_of

    check_output(out, (".npy",))
    table = read_table(data, [text], hint=NAME_IT)
    ours = any((Path(model) / name).is_file() for name in (MANIFEST, CARD))
    trained = load(model) if ours else load_encoder(model)
    embedder = embedder_of(trained)
    if embedder is None:
        raise InputError(
            "a model that embeds texts",
            f"{model}, which counts n-grams or reads other things",
            "train it with --method head or full",
        )
    texts = table[[text]].rename(columns={text: "text"}).fillna("").astype(str)
    vectors = embedder.encode(as_trained(texts, getattr(trained, "card", {}))["text"].tolist())
    with written(out) as temporary, temporary.open("wb") as handle:
        np.save(handle, vectors, allow_pickle=False)
    show({"out": str(out), "rows": len(vectors), "dimensions": vectors.shape[1]}, as_json)


def remark(method: str, metrics: dict[str, Any], figure: str) -> None:
    """Say on stderr when a rival did better, or when the rows it was measured on are too few to say much."""
    if not metrics["n"]:  # said before it was trained
        return
    found = {
        method: metrics[figure],
        **{rival: figures[figure] for rival, figures in metrics.get("rivals", {}).items()},
    }
    best = max(found, key=lambda one: found[one])  # the first of equals is the method asked for
    if metrics["n"] < FEW:
        say(
            f"note: measured on {metrics['n']} rows, which is too few to rely on; give more with --valid or more to train"
        )
    elif best != method:
        say(
            f"note: {best} did better, {figure} {found[best]:.3f} against {found[method]:.3f}: consider --method {best}"
        )


def _remark_strangers(model: Any, table: Any) -> None:
    """Say on stderr which labels of the table the model cannot answer: their rows count as wrong."""
    from fieldtune.data.labels import row_labels
    from fieldtune.data.tables import SETS

    labels = () if "boxes" in table else getattr(model, "labels", ())  # detection says so itself
    types = {label.partition("-")[2] for label in labels} if "tags" in table else set(labels)
    given = set().union(*row_labels(table, model.card["task"] in SETS)) if types else set()
    strangers = sorted(given - types - {OUT_OF_SCOPE})
    if strangers:
        say(
            f"note: labels the model does not know: {', '.join(strangers[:5])} (it knows {', '.join(sorted(types - {''})[:5])})"
        )


def _answered(answer: Any, table: Any, inputs: Any, data: Path, inside: list[float]) -> Iterator[Any]:
    """The table with what a model answers, in pieces; ``inside`` gets how many rows of each are in scope."""
    from fieldtune.data.read import in_pieces

    start = 0
    for piece in in_pieces(table):
        added = answer(inputs.iloc[start : start + len(piece)].reset_index(drop=True))
        taken = [name for name in added if name in piece]
        if taken:
            raise InputError("columns of other names than predict adds", f"{', '.join(taken)} in {data}", "rename them")
        if "in_scope" in added:
            inside.append(float((added["in_scope"] == "true").sum()))
        # A table read from Parquet has an index of its own.
        yield piece.assign(**{name: added[name].to_numpy() for name in added})
        start += len(piece)


def _read_inputs(data: Path, text: str, names: tuple[str, ...]) -> tuple[Any, Any]:
    """The table, and the columns a task reads under its own names; empty cells are empty texts, so no row is lost."""
    from fieldtune.data.read import read_table

    wanted = [text if name == "text" else name for name in names]
    table = read_table(data, wanted, hint=NAME_IT)
    return table, table[wanted].rename(columns={text: "text"}).fillna("").astype(str).reset_index(drop=True)


def parse_map(text: str) -> dict[str, str] | None:
    """``0=negative,1=positive`` -> a dictionary; empty -> None."""
    return dict(pair(item, "--map") for item in text.split(",")) if text else None
