"""The core from the built wheel, alone: no extra is imported, and what is missing is named with its pip line."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Stands for a machine where the extras were not installed: importing one of them fails as it would there.
BLOCK = """
import importlib.abc, sys
class Blocked(importlib.abc.MetaPathFinder):
    names = {"streamlit", "faiss", "fastapi", "bm25s", "lightgbm", "Stemmer", "uvicorn"}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with nothing of ours but the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            folder,
            ROOT,
        ],
        check=True,
        cwd=folder,
    )
    wheel = next(folder.glob("fieldtune-*.whl"))
    venv.create(folder / "env")
    site = next((folder / "env").glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
        archive.extractall(site)
    # The libraries themselves are taken from here; editable installs of fieldtune are not (no .pth is processed).
    (site / "sitecustomize.py").write_text(
        f"import sys; sys.path.append({sysconfig.get_paths()['purelib']!r})\n{BLOCK}"
    )
    return folder / "env" / "bin" / "python"


def run(python: Path, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [python, *map(str, arguments)], env=environment, capture_output=True, text=True, cwd=python.parent
    )
    assert done.returncode == code, done.stderr[-3000:]
    return done


def test_the_library_example_runs_from_the_wheel(python: Path, tmp_path: Path) -> None:
    where = run(python, "-c", "import fieldtune; print(fieldtune.__file__)").stdout
    assert str(python.parent.parent) in where
    assert "card" in run(python, ROOT / "examples" / "library" / "classify.py", tmp_path / "model").stdout


def test_the_command_line_runs_and_names_a_missing_extra(python: Path, tmp_path: Path) -> None:
    main = ("-c", "from fieldtune.cli import main; main()")
    assert "train" in run(python, *main, "--help").stdout
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Cards\n\nFreeze the card in the app.\n")
    command = ("chatbot", "build", "--documents", tmp_path / "docs", "--store", tmp_path / "bot", "--max-steps", "0")
    missing = run(python, *main, *command, code=1)
    assert "pip install 'fieldtune[" in missing.stderr
    assert "Traceback" not in missing.stderr
