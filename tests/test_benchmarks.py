"""What the benchmark scripts do with their figures."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import run, standing, watched
from benchmarks.feedback_loops import intervals, noted
from benchmarks.run import keep
from benchmarks.sample_monitor import weeks
from fieldtune_sample.loops import Loop


def test_a_result_cut_off_in_mid_write_leaves_the_one_before(tmp_path: Path) -> None:
    keep(tmp_path / "results" / "row.json", {"figures": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            keep(tmp_path / "results" / "row.json", {"figures": "x" * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert json.loads((tmp_path / "results" / "row.json").read_text()) == {"figures": 1}
    assert [file.name for file in (tmp_path / "results").iterdir()] == ["row.json"]


def test_a_stream_is_as_long_as_it_could_alert() -> None:
    assert weeks({"topic_weeks": 60.0, "topics": 4}) == 15


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").is_file(), reason="this system does not tell")
def test_memory_of_parent_and_child_counts_together_and_shared_pages_once() -> None:
    child = "kept = bytearray(b'x') * 120 * 2**20; print('held', flush=True); input()"
    parent = (
        "import subprocess, sys, time; kept = bytearray(b'x') * 200 * 2**20\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=-1, stdout=-1)\n"
        "child.stdout.readline(); time.sleep(1.5)  # both hold theirs for longer than the time between two looks\n"
        "child.communicate(b'end'); print('end')"
    )
    ran = watched.run([sys.executable, "-c", parent], cwd=Path.cwd())
    assert (ran.exit, ran.printed) == (0, "end\n")
    assert 0.31 <= ran.peak_gib < 0.5
    assert watched.family(os.getppid()) >= {os.getppid(), os.getpid()}
    alone = subprocess.Popen([sys.executable, "-c", child], stdin=-1, stdout=-1)
    assert alone.stdout is not None
    alone.stdout.readline()
    most = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{alone.pid}/status").read_text())
    assert most is not None
    assert 0.1 < watched.resident(alone.pid) <= int(most[1]) / 2**20
    alone.communicate(b"end")


def test_a_result_is_out_of_date_when_what_it_stands_on_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "ROOT", tmp_path)
    for name in (
        "constraints.txt",
        "Makefile",
        "benchmarks/common.py",
        "benchmarks/row.py",
        "code/a.toml",
        "code/a.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"a = '{name}'")
    row = {"command": "python -m benchmarks.row", "reads": ["code", "Makefile"]}
    files = standing.named(row)
    assert files == {"constraints.txt", "Makefile", "benchmarks/common.py", "benchmarks/row.py", "code/a.toml"}
    before = standing.digest("row", files)
    (tmp_path / "benchmarks" / "row.py").write_text('"""A docstring."""\n\na = "benchmarks/row.py"  # a comment')
    assert standing.digest("row", files) == before
    for name in ("Makefile", "benchmarks/row.py"):
        (tmp_path / name).write_text("a = 2")
        assert standing.digest("row", files) != before
        before = standing.digest("row", files)
    (tmp_path / "Makefile").unlink()
    assert standing.digest("row", files) != before
    assert standing.digest("other row", files) != standing.digest("row", files)


def test_every_process_of_a_benchmark_notes_what_it_imported(tmp_path: Path) -> None:
    inner = "import fieldtune.batching"
    outer = f"import subprocess, sys, fieldtune.errors; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    subprocess.run([sys.executable, "-c", outer], env=standing.recording(tmp_path), check=True)
    found = standing.recorded(tmp_path)
    package = "packages/core/fieldtune"
    assert found >= {f"{package}/{name}.py" for name in ("__init__", "errors", "batching")}
    assert f"{package}/pipeline.py" not in found
    assert all((standing.ROOT / name).is_file() for name in found)


def test_an_environment_of_another_checkout_measures_nothing(tmp_path: Path) -> None:
    shutil.copytree("benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("results"))
    measure = [sys.executable, "-m", "benchmarks.run", "--rows", "reproducible"]
    ran = subprocess.run(measure, cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, f"expected: fieldtune of {tmp_path}" in ran.stderr) == (1, True), ran.stderr
    assert not (tmp_path / "benchmarks" / "results").exists()


def test_rows_that_the_table_lacks_are_named() -> None:
    measure = [sys.executable, "-m", "benchmarks.run", "--rows", "reproducible,memory"]
    ran = subprocess.run(measure, cwd=run.ROOT, capture_output=True, text=True)
    assert (ran.returncode, "found: memory\n" in ran.stderr) == (1, True), ran.stderr


def test_every_row_names_what_is_there() -> None:
    for row in run.rows():
        assert all((standing.ROOT / name).is_file() for name in standing.named(row))


def test_a_loop_notes_its_rows_before_and_after_and_no_more() -> None:
    told = iter([[0.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0], [9.0] * 4])
    kept: list[Sequence[float]] = []
    loop = Loop("app", Path(), "share", lambda _: Counter(), lambda: ({"share": 0.5}, b""), lambda: next(told))
    for _ in range(3):
        noted(loop, kept).look()
    found = intervals(*kept, seed=1)
    assert found["rows"] == 4
    assert found["gain"]["mean"] == 0.25
    assert found["gain"]["low"] <= 0.25 <= found["gain"]["high"]
    assert found["interval_before"][0] <= 0.5 <= found["interval_before"][1]
