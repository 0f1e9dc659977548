"""A result as people read it."""

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
