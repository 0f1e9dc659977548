"""The command contract: every command exists, its help explains it and names its options; what is not here yet says so."""

import re
from collections.abc import Callable

import pytest

from tests.conftest import Ran

Cli = Callable[..., Ran]

# command -> options that scripts and other people's tests rely on
NOW = {
    "demo": ["--out"],
    "train": [
        "--task",
        "--train",
        "--valid",
        "--model",
        "--method",
        "--out",
        "--set",
        "--resume",
        "--text",
        "--label",
        "--map",
    ],
    "evaluate": ["--model", "--data", "--json"],
    "predict": ["--model", "--data", "--out"],
    "encode": ["--model", "--data", "--text", "--out"],
    "label": ["--model", "--pool", "--json"],
    "serve": ["--model", "--host", "--port", "--keys", "--allow-host", "--set", "--json"],
    "models list": ["--json"],
    "models show": ["--json"],
    "models publish": ["--into", "--data", "--text", "--label", "--map", "--json"],
    "models rollback": ["--json"],
    "models verify": ["--json"],
    "models export": ["--to", "--out", "--data"],
    "feedback list": ["--json"],
    "feedback export": ["--out"],
    "feedback retrain": ["--json"],
    "feedback erase": ["--user"],
    "data list": ["--json"],
    "data get": [],
    "data scrub": ["--out", "--text", "--names", "--json"],
    "data check": [],
    "doctor": ["--json"],
    "chatbot mine": ["--dialogues", "--out"],
    "chatbot build": ["--documents", "--faq", "--dialogues", "--store"],
    "chatbot ask": ["--store", "--session", "--json"],
    "chatbot evaluate": ["--store", "--questions", "--json"],
    "chatbot ui": ["--store"],
    "monitor train": ["--data", "--out"],
    "monitor score": ["--model", "--data", "--out"],
    "monitor run": ["--config"],
    "monitor replay": ["--config", "--input", "--alerts"],
    "monitor detect": ["--counts", "--alerts", "--budget"],
    "monitor backtest": ["--alerts", "--events"],
    "monitor ui": [],
    "recommender train": ["--events", "--items", "--out"],
    "recommender recommend": ["--model", "--user", "--history", "--interest", "--users", "--out", "-k", "--json"],
    "recommender evaluate": ["--model", "--events"],
    "recommender rank": ["--model", "--user", "--candidates"],
    "recommender ui": [],
}
LATER = [
    "chatbot review", "chatbot serve", "monitor test-fire",
    "monitor silence", "monitor ack", "monitor test", "monitor serve", "recommender update", "recommender serve",
]  # fmt: skip


@pytest.mark.parametrize("command", NOW)
def test_a_command_that_is_here_explains_itself(cli: Cli, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    ran = cli(*command.split(), "--help")
    assert ran.code == 0, ran.err
    assert "Not in this release" not in ran.out
    words = set(re.findall(r"--?[a-z][a-z-]*", ran.out))
    assert set(NOW[command]) <= words


@pytest.mark.parametrize("command", LATER)
def test_a_command_that_comes_later_says_which_part_brings_it(cli: Cli, command: str) -> None:
    assert "Not in this release" in cli(*command.split(), "--help").out
    ran = cli(*command.split(), "anything", "--option", "x")
    assert ran.code == 1
    assert ran.err.startswith("error: expected")
    assert "comes with" in ran.err


@pytest.mark.parametrize("group", ["", "models", "feedback", "data", "chatbot", "monitor", "recommender"])
def test_help_lists_the_whole_contract(cli: Cli, group: str) -> None:
    shown = cli(*group.split(), "--help").out
    for command in [*NOW, *LATER]:
        parts = command.split()
        if parts[:-1] == group.split():
            assert parts[-1] in shown
