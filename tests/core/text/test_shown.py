"""Long lists in messages."""

import pytest

from fieldtune.text.shown import some_of


@pytest.mark.parametrize(
    ("count", "told"), [(0, ""), (1, "0"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more"), (1203, "0, 1, 2 and 1200 more")]
)
def test_the_first_are_named_and_the_others_counted(count: int, told: str) -> None:
    assert some_of(range(count), 3) == some_of(iter(range(count)), 3) == told


def test_things_that_hold_commas_are_parted_by_another_mark() -> None:
    assert some_of(["a, b", "c", "d"], 2, "; ") == "a, b; c; and 1 more"
