"""checks: everything planted is found, with its rows; a sound table is silent."""

import numpy as np
import pandas as pd
import pytest

from fieldtune.data.checks import Finding, check_table, numbered
from fieldtune.data.labels import check_numbers, check_sets
from fieldtune.errors import InputError

SOUND = pd.DataFrame({"text": ["lost card", "new card", "卡丢了", "办新卡"], "label": ["lost", "new", "lost", "new"]})


def rows_by_kind(findings: list[Finding]) -> dict[str, tuple[int, ...]]:
    return {finding.kind: finding.rows for finding in findings}


def with_rows(*rows: tuple[object, object]) -> pd.DataFrame:
    """The sound table (rows 0 to 3) and more."""
    return pd.concat([SOUND, pd.DataFrame(rows, columns=["text", "label"], dtype=object)], ignore_index=True)


def test_a_sound_table_is_silent() -> None:
    assert check_table(SOUND, "text-classification") == []
    pairs = pd.DataFrame({"query": ["a", "b"], "positive": ["c", "d"]})
    assert check_table(pairs, "embedding") == []


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([("Lost  card!", "lost")], {"duplicate": (4,)}),
        ([("LOST CARD", "new")], {"conflicting-labels": (0, 4)}),
        ([(" \t", "new")], {"empty-text": (4,)}),
        ([("où est ma carte", "new"), ("oÃ¹ est ma carte", "new")], {"misread-text": (5,)}),
        ([(None, "new"), (float("nan"), "new")], {"missing-text": (4, 5)}),
        ([("what", None), ("now", ""), ("then", float("nan"))], {"missing-label": (4, 5, 6)}),
        ([("why", "only")], {"single-row-class": (4,)}),
        ([("why", "Lost "), ("how", "Lost ")], {"label-spelling": (0, 2, 4, 5)}),
        ([("x" * 5000, "new")], {"over-long": (4,)}),
        ([("!", "new"), ("?", "lost")], {}),
    ],
)
def test_plants(rows: list[tuple[object, object]], found: dict[str, tuple[int, ...]]) -> None:
    assert rows_by_kind(check_table(with_rows(*rows), "text-classification")) == found


def test_errors_come_first_and_are_the_ones_that_stop_training() -> None:
    findings = check_table(with_rows(("LOST CARD", "new"), (None, None)), "text-classification")
    assert [(f.severity, f.kind) for f in findings] == [
        ("error", "missing-text"),
        ("error", "missing-label"),
        ("warning", "conflicting-labels"),
    ]
    assert findings[2].message == "rows share a text but not the label: 2 rows"
    told = numbered(findings, (2).__add__)[2]  # as a file with a header shows them
    assert (told.rows, told.message) == ((2, 6), "rows share a text but not the label: 2 rows (2, 6)")


def test_one_class() -> None:
    one = SOUND.assign(label="lost")
    assert rows_by_kind(check_table(one, "text-classification")) == {"one-class": (0, 1, 2, 3)}


def test_one_class_beside_rows_of_none() -> None:
    one = SOUND.assign(label=["lost", "oos", "lost", "oos"])
    assert "one-class" in rows_by_kind(check_table(one, "text-classification"))
    assert "no-class" in rows_by_kind(check_table(SOUND.assign(label="oos"), "text-classification"))
    assert check_table(with_rows(("why", "oos")), "text-classification") == []


def test_embedding_pairs() -> None:
    pairs = pd.DataFrame({"query": ["a", "A!", "same", "b", None], "positive": ["x", "x", "Same.", " ", "c"]})
    assert rows_by_kind(check_table(pairs, "embedding")) == {
        "missing-text": (4,),
        "empty-text": (3,),
        "duplicate": (1,),
        "same-text": (2,),
    }


def test_rows_are_positions_whatever_the_index() -> None:
    frame = with_rows((" ", "new")).set_index(pd.Index([9, 9, 9, 9, 9]))
    assert rows_by_kind(check_table(frame, "text-classification")) == {"empty-text": (4,)}


def test_refuses() -> None:
    with pytest.raises(InputError, match="label"):
        check_table(SOUND[["text"]], "text-classification")
    with pytest.raises(InputError, match="task"):
        check_table(SOUND, "poetry")
    assert rows_by_kind(check_table(SOUND.iloc[:0], "text-classification")) == {"no-rows": ()}


@pytest.mark.parametrize("mark", [",", "; "])
def test_labels_with_another_mark_between_them_are_told(mark: str) -> None:
    cells = [f"price{mark}delivery", "price", f"delivery{mark}price", "quality", f"quality{mark}price"]
    found = {one.kind: one for one in check_sets(pd.Series(cells))}["unparted-labels"]
    assert found.rows == (0, 2, 4)
    for cells in (["price|delivery", "price,late", "price"], ["Rome, Italy", "Oslo, Norway", "Rome"], ["a", "b"]):
        assert "unparted-labels" not in {one.kind for one in check_sets(pd.Series(cells))}


def test_a_stroke_in_a_name_is_no_mark_where_ours_parts() -> None:
    told = {one.kind for one in check_sets(pd.Series(["AM|FM", "AM/FM", "AM/FM|late", "FM", "AM", "late"]))}
    assert "unparted-labels" not in told


@pytest.mark.parametrize("mark", [",", "; ", "，", "；", "、", "／"])
def test_another_mark_beside_ours_is_told_where_both_parts_are_labels(mark: str) -> None:
    odd = f"delivery{mark}quality"
    cells = ["price|delivery", odd, "quality|price", f"{odd}|price", "", f"quality{mark}late"]
    found = {one.kind: one for one in check_sets(pd.Series(cells))}["unparted-labels"]
    assert found.rows == (1, 3)
    assert found.message == f"labels that look like several, such as {odd!r}: 2 rows; write a|b"


def test_a_label_far_beyond_all_others_is_told() -> None:
    for values in ([1, 2, 5, 3, 1e30], [0.0] * 9 + [1, 2, 999999999]):
        (found,) = check_numbers(pd.Series(values))
        assert (found.kind, found.severity, found.rows) == ("label-far-off", "warning", (len(values) - 1,))
    rng = np.random.default_rng(0)
    heavy = (np.exp(rng.normal(3, 2.5, 20_000)), rng.pareto(1.2, 20_000), rng.standard_cauchy(20_000))
    for prices in (*heavy, [0, 0, 0, 300_000], [5, 6], [7]):
        assert "label-far-off" not in {one.kind for one in check_numbers(pd.Series(prices))}
