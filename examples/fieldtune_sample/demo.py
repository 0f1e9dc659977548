"""`fieldtune demo`: the sample company written, three applications built on it, measured, and taught by feedback.

Everything is done by commands a user can type (they are told on stderr) and by the functions the pages call. Knows the
order of the work; each application's part lies in a module of its own, all of one shape.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from fieldtune import __version__
from fieldtune.progress import say
from fieldtune_sample import demo_chatbot, demo_monitor, demo_recommender, loops, story
from fieldtune_sample.place import Place
from fieldtune_sample.size import Size
from fieldtune_sample.steps import HOME, Steps, home_at, key_of, prepare

NOW = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
"""When the simulated users speak: after all records of the company; fixed, so that two runs write equal rows."""
APPS = {"chatbot": demo_chatbot, "monitor": demo_monitor, "recommender": demo_recommender}
TOLD = {
    "chatbot": "chatbot: learn from articles, FAQ and dialogues; ask; measure",
    "monitor": "monitor: learn tone and topic, replay the stories, compare alerts with what was planted",
    "recommender": "recommender: learn interests from texts and events, compare with every rival",
}


def run(out: Path, seed: int, size: Size) -> dict[str, Any]:
    """The whole demo into `out`; finished steps of an earlier run with the same settings are kept.

    Returns:
        report, pages (the lines that open them) and figures.

    Raises:
        RefusedError: `out` holds something else.
    """
    key = key_of({"seed": seed, "release": __version__, **asdict(size)})
    prepare(out, key)
    place, steps = Place(out), Steps(out, key)
    with home_at(out.resolve() / HOME):
        figures = {**_figures(steps, place, seed, size), "seconds": steps.seconds}
    say(f"[{steps.clock()}] write the report")
    report = story.write(figures, out)
    say(f"[{steps.clock()}] done")
    return {"report": str(report), "pages": place.pages(), "figures": figures}


def _figures(steps: Steps, place: Place, seed: int, size: Size) -> dict[str, Any]:
    found: dict[str, Any] = {"seed": seed}
    company = "write the company, and what its users will do later"
    steps.run("company", company, partial(write, place, seed, size), [place.company, place.config])
    for name, part in APPS.items():
        found[name] = steps.run(name, TOLD[name], partial(part.build, place, size, seed, NOW), part.outputs(place))
    found["loop"] = {
        name: steps.run(
            f"loop-{name}", f"{name}: its users speak, it learns or refuses", partial(learn, part, place, size, seed)
        )
        for name, part in APPS.items()
    }
    return found


def write(place: Place, seed: int, size: Size) -> dict[str, Any]:
    """Every part of the company."""
    for part in APPS.values():
        part.write(place, seed, size)
    return {}


def learn(part: ModuleType, place: Place, size: Size, seed: int) -> dict[str, Any]:
    """The learning loop of one application; see `loops.turn`."""
    return loops.turn(part.loop(place, size, seed, NOW))
