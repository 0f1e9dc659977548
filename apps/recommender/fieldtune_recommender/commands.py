"""``fieldtune recommender ...``: train, evaluate, recommend, rank, ui; update and serve say which release brings them."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fieldtune.cli_kit import Json, pair, planned, show
from fieldtune.errors import InputError
from fieldtune.progress import say

app = typer.Typer(help="Text-aware ranking: learn interests from texts and behaviour.", no_args_is_help=True)

Model = Annotated[Path, typer.Option(help="Folder of the trained recommender.")]
Count = Annotated[int, typer.Option("-k", help="How many items.")]
Diversity = Annotated[float, typer.Option(help="0 keeps the plain order, 1 is as varied as can be.")]


@app.command()
def train(
    events: Annotated[Path, typer.Option(help="Events: user, item; optional type, time, weight.")],
    items: Annotated[Path, typer.Option(help="Items: item, title; optional description, tags, category, time.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    columns: Annotated[
        str,
        typer.Option(
            help="Your column names of the events: user=user_id,item=book_id; item holds for the items too, if they have it."
        ),
    ] = "",
    item_columns: Annotated[str, typer.Option(help="The same for items: item=book_id,tags=authors.")] = "",
    positive: Annotated[
        str, typer.Option(help="Successes: 'rating>=4' or 'type=buy,share'; default: all but refusals, at any rating.")
    ] = "",
    model: Annotated[str, typer.Option(help="Pretrained encoder: default, a folder, or a hub name.")] = "default",
    max_steps: Annotated[int, typer.Option(help="Training steps of the text tower; 0 leaves it frozen.", min=0)] = 60,
    min_positives: Annotated[
        int, typer.Option(help="Successes before the cut to count in the headline figure.", min=0)
    ] = 5,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Tower settings: key=value, repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Of pairs, batches, trees and intervals.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Train on the first 80 % of the log by time, compare on the rest with every rival, put the best into service."""
    from fieldtune.models.folder import replaceable
    from fieldtune.runtime import now, set_threads
    from fieldtune_recommender import bundle, reading, texts
    from fieldtune_recommender.schema import Schema
    from fieldtune_recommender.training import Options
    from fieldtune_recommender.training import train as train_shop

    schema = Schema(_pairs(columns, "--columns"), _pairs(item_columns, "--item-columns"), positive)
    chosen = dict(pair(item, "--set") for item in settings or [])
    texts.check(chosen)  # here, as a tower that stays frozen never looks at them
    replaceable(out, bundle.APP)
    data = reading.read(events, items, schema)
    if data.repairs:
        say(f"note: {reading.told(data.repairs)}")
    options = Options(model, max_steps, min_positives, seed, set_threads(), chosen)
    show(train_shop(data, schema, out, options, now=now(), progress=True), as_json)


@app.command()
def evaluate(
    model: Model,
    events: Annotated[Path, typer.Option(help="Events; only those after the recorded cut count.")],
    seed: Annotated[int, typer.Option(help="Of ties and intervals.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Full-catalogue figures on the events after the cut, beside every rival, with paired intervals."""
    from fieldtune_recommender import wire

    show(wire.evaluate(model, events, seed=seed, progress=True), as_json)


@app.command()
def recommend(
    model: Model,
    user: Annotated[str, typer.Option(help="A user of the log; an unknown one gets what is popular.")] = "",
    history: Annotated[str, typer.Option(help="Items in the order they were liked: A,B,C.")] = "",
    interest: Annotated[str, typer.Option(help="A sentence that says what is wanted.")] = "",
    users: Annotated[Path | None, typer.Option(help="Batch: a table with the column user.")] = None,
    out: Annotated[Path | None, typer.Option(help="Batch: table to write: user, rank, item, score.")] = None,
    k: Count = 10,
    diversity: Diversity = 0.0,
    as_json: Json = False,
) -> None:
    """The list for a user, a history, a sentence, or a whole table of users."""
    from fieldtune.data.write import check_output
    from fieldtune_recommender import opening, wire

    if users is not None:
        if out is None:
            raise InputError("--out with --users", "none", "name the table to write, e.g. --out lists.csv")
        check_output(out, reads=[users])
        show(wire.batch(opening.open_shop(model), users, out, k, diversity=diversity, progress=True), as_json)
        return
    if out is not None:
        raise InputError("--users with --out", "none", "give the table of users, or take --json for one list")
    if not (user or history or interest.strip()):
        raise InputError("--user, --history, --interest or --users", "none of them", "give one")
    if user and history:
        raise InputError("--user or --history", "both", "give one of them")
    _show(wire.answer(model, _asked(user, history, interest), k, diversity=diversity), as_json)


@app.command()
def rank(
    model: Model,
    candidates: Annotated[Path, typer.Option(help="A table with the column item.")],
    user: Annotated[str, typer.Option(help="A user of the log.")] = "",
    history: Annotated[str, typer.Option(help="Items in the order they were liked: A,B,C.")] = "",
    k: Count = 1000,
    as_json: Json = False,
) -> None:
    """Order the given candidates for one user; those already seen are left out."""
    from fieldtune.data.read import read_table
    from fieldtune_recommender import reading, wire

    among = reading.names(read_table(candidates, ["item"])["item"].astype(object)).tolist()
    _show(wire.answer(model, _asked(user, history, ""), k, diversity=0.0, among=among), as_json)


@app.command()
def ui(
    model: Model, port: Annotated[int, typer.Option(help="Port to listen on, on this machine only.")] = 8503
) -> None:
    """Open the page: edit a history, see the list, the reasons, and a dial for diversity."""
    from fieldtune.ui.launch import launch
    from fieldtune_recommender import opening

    opening.open_shop(model)  # complain here, in one line, rather than on the page
    launch(Path(__file__).with_name("ui.py"), port, {"FIELDTUNE_RECOMMENDER_MODEL": str(model)})


planned(
    app,
    {
        "update": "new events and items without training; comes with the recommender's daily update (fieldtune 0.2)",
        "serve": "lists behind HTTP; comes with the recommender's service (fieldtune 0.2)",
    },
)


def erase(user: str, stores: list[Path]) -> dict[str, int]:
    """Called by ``fieldtune feedback erase``: forgets the lists that were made for the user."""
    from fieldtune_recommender import remembering

    return {"lists": remembering.erase(user)}


def publish(folder: Path, slot: str | None, now: datetime) -> Any:
    """Called by ``fieldtune models publish FOLDER --into recommender[/SLOT]``."""
    from fieldtune_recommender import improving

    return improving.publish(folder, slot, now=now)


def retrain(rows: list[Any], slot: str | None = None, *, home: Path, now: datetime, progress: bool) -> Any:
    """Called by ``fieldtune feedback retrain recommender[/SLOT]``."""
    from fieldtune_recommender import improving

    return improving.retrain(rows, slot, home=home, now=now, progress=progress)


def _asked(user: str, history: str, interest: str) -> Mapping[str, Any]:
    return {
        "user": user,
        "history": [part.strip() for part in history.split(",") if part.strip()],
        "interest": interest.strip(),
    }


def _show(result: dict[str, Any], as_json: bool) -> None:
    """The whole result as JSON; for a person one line an item with its first reason.

    The chance stands there only where it orders the list.
    """
    if not as_json:
        from fieldtune_recommender import wording

        by_chance = result["ordered_by"] == "chance"
        lines = [
            f"{item['title'] or item['item']} ({item['item']})"
            + (f", {wording.chance(item['probability'])}" if by_chance else "")
            + f": {item['reasons'][0]['text']}"
            for item in result["items"]
        ]
        result = {**result, "items": lines}
    show(result, as_json)


def _pairs(text: str, option: str) -> dict[str, str]:
    return dict(pair(part, option) for part in text.split(",") if part.strip())
