"""The three applications and the sample company, found by name when they are installed; never imported by the core.

Each has a module ``commands`` with ``app`` (its command line), ``publish(folder, slot, now)`` and
``retrain(rows, slot, home, now, progress)``; where it keeps more of a user than the
feedback, also ``erase(user, stores)``, which says how much of what it deleted.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

APPLICATIONS = {
    "chatbot": "fieldtune_chatbot",
    "monitor": "fieldtune_monitor",
    "recommender": "fieldtune_recommender",
}
SAMPLE = "fieldtune_sample"


def application(name: str) -> ModuleType | None:
    """The commands of an application; None when there is no such application or it is not installed."""
    package = APPLICATIONS.get(name)
    return _commands(package) if package else None


def sample() -> ModuleType | None:
    """The sample company's commands; None when it is not installed."""
    return _commands(SAMPLE)


def _commands(package: str) -> ModuleType | None:
    if find_spec(package) is None or find_spec(f"{package}.commands") is None:
        return None
    return import_module(f"{package}.commands")
