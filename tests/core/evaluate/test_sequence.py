"""Scores of a tagger against seqeval (strict IOB2) and scikit-learn, on random tags, valid or not."""

import random
import warnings

import pytest
from seqeval.metrics import classification_report
from seqeval.metrics.v1 import precision_recall_fscore_support as strict_scores
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from fieldtune.errors import InputError
from fieldtune.evaluate.sequence import entities, report, sentence_f1

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]
NAMES = ("precision", "recall", "f1", "support")


def drawn(seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Tags of some sentences, and others that agree with two thirds of them."""
    rng = random.Random(seed)
    true = [[rng.choice(TAGS) for _ in range(rng.randint(1, 12))] for _ in range(rng.randint(1, 8))]
    given = [[tag if rng.random() < 0.67 else rng.choice(TAGS) for tag in tags] for tags in true]
    return true, given


def test_entities_score_as_seqeval_scores_them() -> None:
    for seed in range(1000):
        true, given = drawn(seed)
        if any(tag.startswith("B-") for tags in (*true, *given) for tag in tags):  # else seqeval cannot
            mine = [report(true, given)["entity"][name] for name in NAMES[:3]]
            theirs = strict_scores(true, given, average="micro", scheme=IOB2, zero_division=0)[:3]
            assert mine == pytest.approx(theirs, abs=1e-9)


def test_tags_score_as_scikit_learn_scores_them() -> None:
    for seed in range(200):
        true, given = drawn(seed)
        found = report(true, given)
        flat, other = ([tag for tags in rows for tag in tags] for rows in (true, given))
        names = sorted(set(flat) | set(other))
        each = precision_recall_fscore_support(flat, other, labels=names, zero_division=0)
        for name, *scores in zip(names, *each, strict=True):
            assert [found["token"]["per_tag"][name][key] for key in NAMES] == pytest.approx(scores, abs=1e-9)
        inside = [name for name in names if name != "O"]
        for average in ("micro", "macro"):
            scores = precision_recall_fscore_support(flat, other, labels=inside, average=average, zero_division=0)[:3]
            assert [found["token"][average][key] for key in NAMES[:3]] == pytest.approx(scores, abs=1e-9)
        assert found["token_accuracy"] == pytest.approx(accuracy_score(flat, other))


def test_every_type_scores_as_in_seqevals_report() -> None:
    for seed in range(100):
        true, given = drawn(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numpy, inside seqeval
            theirs = classification_report(true, given, mode="strict", scheme=IOB2, output_dict=True, zero_division=0)
        mine = report(true, given)["entity"]
        for name, scores in mine["per_type"].items():
            wanted = [theirs[name][key] for key in ("precision", "recall", "f1-score", "support")]
            assert [scores[key] for key in NAMES] == pytest.approx(wanted, abs=1e-9)
        wanted = [theirs["macro avg"][key] for key in ("precision", "recall", "f1-score")]
        assert [mine["macro"][key] for key in NAMES[:3]] == pytest.approx(wanted, abs=1e-9)


def test_an_entity_ends_where_another_begins_and_what_continues_nothing_is_none() -> None:
    tags = ["I-A", "B-A", "I-A", "I-B", "B-B", "B-B", "O", "I-B"]
    assert entities(tags) == [(1, 3, "A"), (4, 5, "B"), (5, 6, "B")]


def test_a_sentence_scores_by_its_entities_and_one_without_any_is_right() -> None:
    assert sentence_f1(["B-A", "O", "B-B"], ["B-A", "O", "B-A"]) == 0.5
    assert (sentence_f1(["O"], ["O"]), sentence_f1(["O"], ["B-A"])) == (1.0, 0.0)


@pytest.mark.parametrize(("true", "given"), [([], []), ([["O"]], [["O", "O"]])])
def test_what_cannot_be_compared_is_refused(true: list[list[str]], given: list[list[str]]) -> None:
    with pytest.raises(InputError, match="numbers of tags"):
        report(true, given)
