"""A result as people read it."""

import json

import numpy as np
import pytest

from fieldtune.cli_kit import show


def test_one_item_of_a_list_is_one_bullet(capsys: pytest.CaptureFixture[str]) -> None:
    show(
        {"standings": [{"name": "a", "score": 0.25}, {"name": "b", "score": 0.5}], "kept": ["x", "y"], "none": []},
        False,
    )
    assert capsys.readouterr().out.splitlines() == [
        "standings:", "  - name: a", "    score: 0.25", "  - name: b", "    score: 0.5", "kept:", "  - x", "  - y",
        "none: []",
    ]  # fmt: skip


def test_json_holds_null_where_there_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"a": float("nan"), "b": [np.float32("inf"), np.float64(0.5)], "c": {"d": np.array([1.0, np.nan])}}
    show(told, True)
    printed = capsys.readouterr().out
    assert json.loads(printed, parse_constant=pytest.fail) == {"a": None, "b": [None, 0.5], "c": {"d": [1.0, None]}}
