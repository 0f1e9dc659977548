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
        "none: none",
    ]  # fmt: skip


def test_json_holds_null_where_there_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"a": float("nan"), "b": [np.float32("inf"), np.float64(0.5)], "c": {"d": np.array([1.0, np.nan])}}
    show(told, True)
    printed = capsys.readouterr().out
    assert json.loads(printed, parse_constant=pytest.fail) == {"a": None, "b": [None, 0.5], "c": {"d": [1.0, None]}}


def test_people_read_words_and_dates(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"label": None, "intact": True, "here": np.bool_(False), "words": (), "more": {}, "cut": 1774000000.0,
            "items": [{"time": 0.5, "cut_off": 1774000000.5}], "share": -0.0, "loss": 1.23456e-7, "rate": 9999.6, "no_slot": np.float64("nan")}  # fmt: skip
    show(told, False)
    assert capsys.readouterr().out.splitlines() == [
        "label: none", "intact: yes", "here: no", "words: none", "more: none", "cut: 2026-03-20T09:46:40Z",
        "items:", "  - time: 0.5", "    cut_off: 1774000000", "share: 0", "loss: 1.235e-07", "rate: 10000",
        "no_slot: none",
    ]  # fmt: skip
