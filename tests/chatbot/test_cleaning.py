"""What is searched of a question, and which words count as right."""

import pytest

from fieldtune_chatbot.cleaning import Cleaner
from fieldtune_chatbot.tune import whole_words


def test_politeness_goes_and_slips_are_mended_towards_known_words() -> None:
    clean = Cleaner(["Refunds take five days."], ["toaster", "where"])
    assert clean("Hi, wher are my refnds? Thanks!") == "where are my refunds?"
    assert clean("my toastr") == "my toaster" and clean("the coaster") == "the coaster"
    assert clean("Thanks!") == "Thanks!"  # never nothing


@pytest.mark.parametrize(
    "vocabulary",
    [
        {"[CLS]": 0, "##ation": 1, "where": 2, "##ness": 3, "toaster": 4, "the": 5},
        {"<s>": 0, "ation": 1, "\u2581Where": 2, "ness": 3, "\u2581toaster": 4, "\u2581the": 5, "\u2581where": 6},
        {"<s>": 0, "ation": 1, "\u0120where": 2, "ness": 3, "\u0120toaster": 4, "\u0120the": 5},
    ],
)
def test_whole_words_of_every_kind_of_tokenizer(vocabulary: dict[str, int]) -> None:
    assert whole_words(vocabulary) == ("where", "toaster")
