"""``fieldtune chatbot ...``: mine, build, ask, evaluate, ui; review and serve say which release brings them."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fieldtune.cli_kit import Json, folder, planned, show
from fieldtune.errors import InputError

app = typer.Typer(help="Customer support: learn from records, answer with sources.", no_args_is_help=True)

Store = Annotated[Path, typer.Option(parser=folder, help="Folder of the built chatbot.")]


@app.command()
def mine(
    dialogues: Annotated[Path, typer.Option(help="Conversations, JSON lines: turns [{role, text}], resolved, rating.")],
    out: Annotated[Path, typer.Option(help="Table of mined pairs to write, in the form of a FAQ.")],
    documents: Annotated[
        Path | None, typer.Option(help="Articles: addresses and numbers they tell everybody are no personal data.")
    ] = None,
    least_weight: Annotated[float, typer.Option(help="Outcome weight below which a pair is dropped, 0 to 1.")] = 0.5,
    as_json: Json = False,
) -> None:
    """Mine question-answer pairs from conversations, to look through and pass as --faq; nothing is published by itself.

    Personal data is removed; an answer that held some is left out.
    """
    from fieldtune.data.scrub import contacts, hides
    from fieldtune.data.write import check_output, write_table
    from fieldtune.progress import say
    from fieldtune_chatbot import ingest, mining

    check_output(out, reads=[dialogues])
    read = ingest.read_dialogues(dialogues)
    articles, skipped = ingest.read_documents(documents) if documents else ([], {})
    for note in ingest.skipped_notes(skipped):
        say(note)
    pairs = mining.mine(read, least_weight=least_weight, keep=contacts(article.text for article in articles))
    if not pairs:
        raise InputError("conversations with answered questions", f"none among {len(read)}", "check the roles")
    whole = [pair for pair in pairs if not hides(pair.answer)]
    write_table(ingest.faq_table(map(asdict, whole)), out)
    counts = {"dialogues": len(read), "pairs": len(whole), "left_out_for_personal_data": len(pairs) - len(whole)}
    show({**counts, "out": str(out)}, as_json)


@app.command()
def build(
    documents: Annotated[Path, typer.Option(help="Folder of articles: Markdown, HTML, text, CSV.")],
    store: Store,
    faq: Annotated[Path | None, typer.Option(help="FAQ table: question, answer, intent, similar, document.")] = None,
    dialogues: Annotated[
        Path | None, typer.Option(help="Conversations to learn from how customers ask for what the FAQ answers.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(help="Known questions with their right document; they tune, judge, and join the FAQ.")
    ] = None,
    model: Annotated[str, typer.Option(help="Pretrained encoder: default, a folder, or a hub name.")] = "default",
    max_steps: Annotated[int, typer.Option(help="Training steps for the encoder; 0 leaves it as it is.")] = 60,
    seed: Annotated[int, typer.Option(help="Of the training and the comparison.")] = 0,
    publish_mined: Annotated[
        bool,
        typer.Option(
            "--publish-mined", help="Answer customers with agents' answers from --dialogues that nobody approved."
        ),
    ] = False,
    hosts: Annotated[
        str | None,
        typer.Option(
            help="Web hosts, comma-separated, that articles may link to; other addresses are hidden. Default: all."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Build the bot and put the best version into service; run it again after an interruption and it continues."""
    from fieldtune.runtime import now
    from fieldtune_chatbot.build import Settings
    from fieldtune_chatbot.build import build as build_bot
    from fieldtune_chatbot.gathering import Inputs

    inputs = Inputs(documents, faq, dialogues, questions)
    named = None if hosts is None else tuple(filter(None, (host.strip().lower() for host in hosts.split(","))))
    settings = Settings(model, max_steps, seed, publish_mined, named)
    built = build_bot(inputs, store, settings, now=now(), progress=True)
    told = {"intent": built.intent, **built.counts, "review": built.review, "store": str(store)}
    show({**built.verdict.as_dict(), **told}, as_json)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What a customer asks.")],
    store: Store,
    session: Annotated[
        str, typer.Option(help="Record the turn under this conversation; earlier turns do not change the answer.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Answer one question, with sources; or ask back; or say that a person should answer.

    The confidence is the probability that a source covers the question, times that it is the first; the reason says which
    of the two decided, and the least that is needed.
    """
    from fieldtune.runtime import now
    from fieldtune_chatbot import wire

    answer = wire.ask(wire.open_service(store), question, session=session, now=now())
    show(asdict(answer), as_json)


@app.command()
def evaluate(
    store: Store,
    questions: Annotated[Path, typer.Option(help="Questions with document or answer, and answerable 0 or 1.")],
    as_json: Json = False,
) -> None:
    """Measure retrieval, coverage, wrong answers and answers where there is none, also per language.

    Questions whose document the bot does not have count as not found.
    """
    from fieldtune.progress import say, track
    from fieldtune_chatbot import ingest, wire

    service = wire.open_service(store)
    known = ingest.read_questions(questions, service.bot.contacts)

    def progress(rows: Iterable[Any]) -> Iterable[Any]:
        return track(rows, "asking", len(known))

    if lacking := wire.absent(service, known):
        say(f"note: {lacking}")
    figures = wire.evaluate(service, known, track=progress)
    if figures["already_told"]:
        say(f"note: the bot was told {figures['already_told']} of {len(known)} questions: others measure it better")
    show(figures, as_json)


@app.command()
def ui(
    store: Store, port: Annotated[int, typer.Option(help="Port to listen on, on this machine only.")] = 8501
) -> None:
    """Open the page: chat with sources, confidence, thumbs and corrections."""
    from fieldtune.ui.launch import launch
    from fieldtune_chatbot import wire

    wire.serving_folder(store)  # complain here, in one line, rather than on the page
    launch(Path(__file__).with_name("ui.py"), port, {"FIELDTUNE_CHATBOT_STORE": str(store)})


planned(
    app,
    {
        "review": "approve mined pairs and see unanswered questions; comes with the chatbot's review queue (fieldtune 0.2)",
        "serve": "the bot behind HTTP; comes with the chatbot's service (fieldtune 0.2)",
    },
)


def publish(folder: Path, slot: str | None, now: datetime) -> Any:
    """Called by ``fieldtune models publish FOLDER --into chatbot[/SLOT]``."""
    from fieldtune_chatbot import improving

    return improving.publish(folder, slot, now=now)


def retrain(rows: list[Any], slot: str | None = None, *, home: Path, now: datetime, progress: bool) -> Any:
    """Called by ``fieldtune feedback retrain chatbot[/SLOT]``."""
    from fieldtune_chatbot import improving

    return improving.retrain(rows, slot, home=home, now=now, progress=progress)


def erase(user: str, stores: list[Path]) -> dict[str, int]:
    """Called by ``fieldtune feedback erase``: forgets the user's conversations in `stores` and in all that serve."""
    from fieldtune import registry
    from fieldtune_chatbot import wire

    standing = [folder for folder in registry.origins("chatbot") if (folder / "fieldtune.db").is_file()]
    turns, vectors = wire.erase(user, dict.fromkeys(folder.resolve() for folder in (*standing, *stores)))
    return {"turns": turns, "vectors": vectors}
