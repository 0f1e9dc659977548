"""``fieldtune monitor ...``: train, score, replay, run, detect, backtest, ui; the others say which release brings them."""

import signal
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fieldtune.cli_kit import Json, folder, planned, show
from fieldtune.progress import say

if TYPE_CHECKING:
    from fieldtune.feedback import Feedback
    from fieldtune.gate import Verdict

app = typer.Typer(help="Opinion monitor: topic and tone of news, alerts when bad news surges.", no_args_is_help=True)

ConfigFile = Annotated[Path, typer.Option("--config", help="TOML: topics, sources, sinks, budget, bucket, model.")]
Alerts = Annotated[Path, typer.Option(help="Alerts file, one JSON object a line.")]
Info = Annotated[bool, typer.Option("--info", help="Also surges of volume in the usual tone (info only).")]


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="Labelled table: title (or text), sentiment, topic, optional language.")],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    model: Annotated[str, typer.Option(help="Encoder: default (reads English), a folder, or a hub name.")] = "default",
    languages: Annotated[str, typer.Option(help="Languages the encoder reads; others get n-grams.")] = "en",
    methods: Annotated[str, typer.Option(help="Methods that compete, out of linear, head, full.")] = "linear,head,full",
    max_steps: Annotated[int, typer.Option(help="Most steps of fine-tuning per model.", min=0)] = 200,
    seed: Annotated[int, typer.Option(help="Of splits, batches and dropout.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Train tone and topic models per language; the best of each ships, if the whole beats what serves."""
    from fieldtune.runtime import now
    from fieldtune.text.language import known
    from fieldtune_monitor import labelled, slot_training, training

    readable = tuple(known(name, "--languages") for name in _names(languages))
    plan = slot_training.Plan(model, readable, max_steps, _names(methods), seed)
    rows = labelled.read_rows(data)
    slots, verdict = training.train_and_publish(rows, out, plan, now())
    held = len(labelled.held_out(rows))
    caution = slot_training.few(held, "held-out titles")
    about = {"model": str(out), "rows": len(rows), "held_out": held, **({"caution": caution} if caution else {})}
    show({**about, "slots": slots, **verdict.as_dict()}, as_json)


@app.command()
def score(
    model: Annotated[Path, typer.Option(help="Model folder of `monitor train`.")],
    data: Annotated[Path, typer.Option(help="Table with title (or text), optional language.")],
    out: Annotated[Path, typer.Option(help="Table to write: the input with topic, tone, p_negative, ...")],
    as_json: Json = False,
) -> None:
    """Add topic and tone to a table; input columns are kept (a name that is taken becomes predicted_NAME)."""
    from fieldtune_monitor import scoring

    show(scoring.score_table(model, data, out), as_json)


@app.command()
def replay(
    config: ConfigFile,
    source: Annotated[Path, typer.Option("--input", help="History: CSV or JSON lines with time, title, ...")],
    alerts: Alerts,
    store: Annotated[
        Path | None,
        typer.Option(parser=folder, help="Keep the store in this folder, for the page; default: in memory."),
    ] = None,
    info: Info = False,
    as_json: Json = False,
) -> None:
    """Run a history through the monitor in event time; the same input gives the same alerts, byte for byte."""
    from fieldtune.data.write import check_output
    from fieldtune.runtime import now
    from fieldtune_monitor import history, wire
    from fieldtune_monitor.config import read_config

    settings = read_config(config)
    check_output(alerts, None, reads=[config, source, *wire.source_files(settings)])
    judged = wire.judge_of(settings)
    with wire.replay_store(store) as engine:
        made = wire.setup(settings, engine, {"replay": info}, judged)
        lines, summary = history.replay(made, source, now(), _progress())
        history.write_lines(alerts, lines)
    show({"alerts_file": str(alerts), **summary}, as_json)


@app.command()
def run(
    config: ConfigFile,
    once: Annotated[bool, typer.Option("--once", help="One look at the sources, then stop.")] = False,
    as_json: Json = False,
) -> None:
    """Watch the sources and send alerts until stopped; killed at any moment, it goes on where it was.

    With --json a stdout sink prints its lines on stderr.
    """
    from fieldtune_monitor import wire
    from fieldtune_monitor.config import read_config

    settings = read_config(config)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    show(wire.run(settings, once=once, stop=stop, progress=_progress(), aside=as_json), as_json)


@app.command()
def detect(
    counts: Annotated[Path, typer.Option(help="Table: time, topic, documents, optional negative.")],
    alerts: Alerts,
    budget: Annotated[
        float, typer.Option(help="False alerts per week, all topics and signals together.", min=1e-6)
    ] = 1.0,
    warmup: Annotated[str, typer.Option(help="Learning time, e.g. 7d; default a week, 56 days for daily counts.")] = "",
    zone: Annotated[
        float, typer.Option(help="Rates up to this multiple of the usual (below 2.5) are no surge.", min=1.0)
    ] = 1.3,
    info: Info = False,
    as_json: Json = False,
) -> None:
    """The detector alone, on a table of counts."""
    from fieldtune_monitor import scoring

    show(scoring.detect_table(counts, alerts, budget, warmup, zone, info=info), as_json)


@app.command()
def backtest(
    alerts: Alerts,
    events: Annotated[Path, typer.Option(help="Dated events: topic, time, optional end.")],
    config: Annotated[
        Path | None, typer.Option("--config", help="The monitor's configuration: topics, time zone.")
    ] = None,
    source: Annotated[Path | None, typer.Option("--input", help="The history that was replayed: its span.")] = None,
    placebo: Annotated[
        int, typer.Option(help="Replays with days permuted within weekdays (needs config, input).", min=0)
    ] = 0,
    as_json: Json = False,
) -> None:
    """Alerts against events: found, delay, alerts outside events per topic-week, and the placebo."""
    from fieldtune.runtime import now
    from fieldtune_monitor import scoring

    show(scoring.backtest_files(alerts, events, config, source, placebo, now(), _progress()), as_json)


@app.command()
def ui(
    config: ConfigFile,
    store: Annotated[str, typer.Option(help="Show this store (of `replay --store`), not the configuration's.")] = "",
    port: Annotated[int, typer.Option(help="Port to listen on, on this machine only.")] = 8502,
) -> None:
    """Open the page: trends with their usual band, alerts with evidence, confirm or dismiss."""
    from fieldtune.ui.launch import launch
    from fieldtune_monitor.config import read_config

    read_config(config)
    environment = {"FIELDTUNE_MONITOR_CONFIG": str(config), "FIELDTUNE_MONITOR_STORE": store}
    launch(Path(__file__).with_name("ui.py"), port, environment)


LATER = {
    "test-fire": "a test alert through a sink; comes with the monitor's sinks (fieldtune 0.2)",
    "silence": "mute topics for a while; comes with the monitor's alert policy (fieldtune 0.2)",
    "ack": "acknowledge an incident; comes with the monitor's alert policy (fieldtune 0.2)",
    "test": "unit tests for alert rules; comes with the monitor's alert policy (fieldtune 0.2)",
    "serve": "scores and alerts behind HTTP; comes with the monitor's service (fieldtune 0.2)",
}


planned(app, LATER)


def publish(folder: Path, *, slot: str | None, now: datetime) -> "Verdict":
    """Gate a bundle against what serves (called by `fieldtune models publish ... --into monitor`)."""
    from fieldtune_monitor import retraining

    return retraining.publish(folder, slot, now)


def retrain(
    rows: "Sequence[Feedback]", slot: str | None = None, *, home: Path, now: datetime, progress: bool
) -> "Verdict":
    """A candidate from corrected tones and topics, gated (called by `fieldtune feedback retrain monitor[/SLOT]`)."""
    from fieldtune_monitor import retraining

    return retraining.retrain(rows, slot, home=home, now=now, progress=progress)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _progress() -> Any:
    """Remarks on stderr, at most one per two seconds."""
    import time

    last = [time.monotonic()]

    def remark(what: str, count: int) -> None:
        if time.monotonic() - last[0] > 2:
            last[0] = time.monotonic()
            say(f"{what}: {count}")

    return remark
