"""Mending against a plain dynamic-programming distance."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.retrieval.spelling import Speller, edits


def distance(one: str, other: str) -> int:
    """Optimal string alignment (Damerau 1964), by the table."""
    table = np.zeros((len(one) + 1, len(other) + 1), int)
    table[:, 0], table[0, :] = range(len(one) + 1), range(len(other) + 1)
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            cost = one[i - 1] != other[j - 1]
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + cost)
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return int(table[-1, -1])


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_edits_are_at_distance_one(one: str, other: str) -> None:
    assert (other in set(edits(one))) == (distance(one, other) == 1)


SPELLER = Speller(
    ["Please freeze the card, the refund for the jacket arrives", "Refund refund"],
    ["lease", "daughter", "laughter", "coaster", "chant"],
)


def test_mends_what_is_no_word() -> None:
    assert SPELLER.mend("my Refnud for a jcaket, freze!") == "my refund for a jacket, freeze!"
    assert SPELLER.mend("my duaghter") == "my daughter"  # no word of the collection
    assert SPELLER.mend("frez the crd") == "frez the crd"  # too short to tell


def test_leaves_known_short_and_distant_words_alone() -> None:
    text = "lease a card ERR-4012 refunded 退款 teh mortgage"
    assert SPELLER.mend(text) == text


def test_a_word_that_neither_list_holds_is_not_made_another_word() -> None:
    assert SPELLER.mend("i cant find my toaster") == "i cant find my toaster"


def test_endless_runs_of_letters_are_left_alone() -> None:
    assert SPELLER.mend("re" * 50_000) == "re" * 50_000


@given(st.text(max_size=40))
def test_mending_twice_changes_nothing_more(text: str) -> None:
    once = SPELLER.mend(text)
    assert SPELLER.mend(once) == once
