"""What the benchmark scripts do with their figures."""

import json
import resource
from pathlib import Path

import pytest

from benchmarks.run import keep
from benchmarks.sample_monitor import weeks


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
