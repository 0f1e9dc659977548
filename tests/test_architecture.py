"""The walls: what may import what, how light the import is, where a pickle could be loaded, how long names are."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {
    "fieldtune": ROOT / "packages/core/fieldtune",
    "fieldtune_chatbot": ROOT / "apps/chatbot/fieldtune_chatbot",
    "fieldtune_monitor": ROOT / "apps/sentiment_monitor/fieldtune_monitor",
    "fieldtune_recommender": ROOT / "apps/recommender/fieldtune_recommender",
}
# The core's floors from the ground up: an import goes down or stays on its floor.
FLOORS = (
    ("errors", "interrupts", "runtime", "progress", "batching", "text", "evaluate", "wal"),
    ("data", "retrieval", "store"),
    ("models", "infer"),
    ("train",),
    ("tasks",),
    ("explain", "gate", "registry", "outbox", "feedback", "decisions", "retraining"),
    (
        "fingerprint",
        "labelling",
        "preparing",
        "job",
        "measuring",
        "choosing",
        "pipeline",
        "publishing",
        "reporting",
        "searching",
        "using",
        "exporting",
        "serve",
        "ui",
    ),
    ("applications", "cli_kit", "commands", "command_line", "cli", "__main__"),
)
PURE = {
    "fieldtune": ("batching", "gate", "text", "evaluate"),
    "fieldtune_chatbot": ("records", "mining", "chunking", "deciding"),
    "fieldtune_monitor": ("records", "identity", "windows", "spikes", "alerting", "topics", "backtest"),
    "fieldtune_recommender": ("records", "timecut", "features", "interests", "rivals", "reasons", "evaluation"),
}
IMPURE = {"torch", "transformers", "streamlit", "fastapi", "faiss", "sqlalchemy", "sentence_transformers", "typer"}
DRAWS = {"evaluate.report", "evaluate.pictures"}  # pictures and files are their purpose


def modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    """Dotted name inside the package, and the parsed file."""
    folder = SOURCES[package]
    for file in sorted(folder.rglob("*.py")):
        name = ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(file.read_text())


def imports(tree: ast.Module, *, top_only: bool = False) -> Iterator[str]:
    """Every module imported, dotted; with ``top_only`` those imported when the module is."""
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", SOURCES)
def test_the_core_knows_no_application_and_applications_do_not_know_each_other(package: str) -> None:
    for name, tree in modules(package):
        others = {found.split(".")[0] for found in imports(tree)} & (set(SOURCES) | {"fieldtune_sample"})
        allowed = {package, "fieldtune"}
        assert others <= allowed, f"{package}.{name} imports {others - allowed}"


def floor(name: str) -> int | None:
    top = name.split(".")[0]
    return next((number for number, names in enumerate(FLOORS) if top in names), None)


def test_imports_in_the_core_go_down_or_stay_on_their_floor() -> None:
    for name, tree in modules("fieldtune"):
        if not name or name == "__init__":
            continue
        mine = floor(name)
        assert mine is not None, f"{name} stands on no floor: add it to FLOORS"
        for found in imports(tree):
            if found.startswith("fieldtune."):
                theirs = floor(found.removeprefix("fieldtune."))
                assert theirs is None or theirs <= mine, f"{name} imports {found}, which is above it"


@pytest.mark.parametrize("package", SOURCES)
def test_no_import_circle(package: str) -> None:
    names = {name for name, _ in modules(package)}
    graph = {
        name: {
            part
            for found in imports(tree, top_only=True)
            if found.startswith(f"{package}.") and (part := found.removeprefix(f"{package}.")) in names and part != name
        }
        for name, tree in modules(package)
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"circle: {' -> '.join((*path, name))}"
        if name not in done:
            for below in graph[name]:
                visit(below, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("package", SOURCES)
def test_pure_modules_import_no_model_storage_or_screen(package: str) -> None:
    seen = set()
    for name, tree in modules(package):
        says_so = re.search(r"\bpure\b", ast.get_docstring(tree) or "", re.IGNORECASE)
        if (name.split(".")[0] in PURE[package] or says_so) and name not in DRAWS:
            seen.add(name.split(".")[0])
            found = {used.split(".")[0] for used in imports(tree)}
            assert not found & IMPURE, f"{package}.{name} imports {found & IMPURE}"
            text = ast.unparse(tree)
            assert "datetime.now" not in text, f"{package}.{name} reads the clock"
            assert "np.random.seed" not in text, f"{package}.{name} seeds globally"
    assert seen >= set(PURE[package]), f"pure modules that are gone: {set(PURE[package]) - seen}"


def test_nothing_can_load_a_pickle() -> None:
    banned = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
    for package in SOURCES:
        for name, tree in modules(package):
            used = {found.split(".")[0] for found in imports(tree)}
            assert not used & banned, f"{package}.{name} imports {used & banned}"
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func)
                    assert called not in ("torch.load", "np.lib.format.read_array"), f"{package}.{name} calls {called}"
                    loose = [
                        keyword for keyword in node.keywords if keyword.arg in ("allow_pickle", "trust_remote_code")
                    ]
                    assert all(ast.unparse(keyword.value) == "False" for keyword in loose), (
                        f"{package}.{name}: {called}"
                    )


def unnamed_encodings(tree: ast.Module) -> Iterator[int]:
    """Lines that open a file as text in whatever encoding the machine has."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(keyword.arg == "encoding" for keyword in node.keywords):
            continue
        called = ast.unparse(node.func)
        name, words = (
            called.rpartition(".")[2],
            [word.value for word in ast.walk(node) if isinstance(word, ast.Constant)],
        )
        opens = name == "open" and called not in ("os.open", "Image.open")
        binary = any(isinstance(word, str) and re.fullmatch("[rwax+]*b[rwax+]*", word) for word in words)
        if name in ("read_text", "write_text") or (opens and not binary):
            yield node.lineno


def test_every_text_file_names_its_encoding() -> None:
    assert list(unnamed_encodings(ast.parse("p.open()\nopen(p, 'rb')\np.read_text()\np.write_text('b')"))) == [1, 3, 4]
    for package in SOURCES:
        for name, tree in modules(package):
            lines = list(unnamed_encodings(tree))
            assert not lines, f"{package}.{name}: lines {lines} without encoding="


def test_importing_fieldtune_is_light() -> None:
    code = (
        "import sys, fieldtune\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'sklearn', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import fieldtune.command_line\n"
        "fieldtune.command_line.build()\n"
        "heavy = {'torch', 'transformers', 'streamlit', 'faiss', 'lightgbm'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_no_path_of_a_machine_and_no_registry_in_a_file() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git checkout")
    words = ("py" + "pi.org", "/ro" + "ot/", "/wo" + "rk/", "registry.npm" + "js", "/tm" + "p/", "../sha" + "red/")
    for name in listed.stdout.splitlines():
        file = ROOT / name
        if file.suffix in (".py", ".md", ".toml", ".txt", ".yml", ".json", "") and file.is_file():
            text = file.read_text(errors="ignore")
            assert not [word for word in words if word in text], name
