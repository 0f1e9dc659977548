"""Words that go together are learnt from behaviour, across languages, and carry to items nobody has touched."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fieldtune_recommender import affinity, lexical
from fieldtune_recommender.records import Log

# 0, 1, 2, 6 birds in two languages; 3, 4, 5, 7 tea; "box" says nothing. Nobody has touched 6 and 7.
TOKENS = [
    ["binocular", "box"],
    ["plumage"],
    ["观鸟", "box"],
    ["kettle", "box"],
    ["oolong"],
    ["茶", "box"],
    ["观鸟"],
    ["茶"],
]
TOKENS += [["binocular"], ["kettle"], ["plumage"], ["oolong"]]
BIRDS, TEA = (0, 1, 2, 8, 10), (3, 4, 5, 9, 11)


def birds_and_tea(log_of: Callable[..., Log]) -> Log:
    return log_of(*[(user, item, 1.0) for user in range(20) for item in (BIRDS if user % 2 else TEA)])


def test_related_words_are_found_without_a_word_in_common(log_of: Callable[..., Log]) -> None:
    learnt = affinity.learn(birds_and_tea(log_of), lexical.index(TOKENS).weights)
    found = affinity.scores(learnt, np.array([0]), np.ones(1, np.float32))
    assert found[1] > 0 and found[6] > 0  # plumage, and the Chinese item nobody has touched
    assert found[6] > found[7] and found[1] > found[4]


def test_it_is_a_function_of_the_log_alone(log_of: Callable[..., Log]) -> None:
    weights = lexical.index(TOKENS).weights
    one, two = (affinity.learn(birds_and_tea(log_of), weights) for _ in range(2))
    assert (one.table != two.table).nnz == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 11), st.sampled_from([1.0, 0.2, -0.6])), min_size=1, max_size=25
    )
)
def test_any_log_gives_finite_scores_and_few_partners(rows: list[tuple[int, int, float]]) -> None:
    users, items, weights = (np.array(column) for column in zip(*rows, strict=True))
    times = np.arange(len(rows), dtype=np.float64)
    log = Log(users.astype(np.int32), items.astype(np.int32), weights.astype(np.float32), weights > 0, times)
    learnt = affinity.learn(log, lexical.index(TOKENS).weights)
    found = affinity.scores(learnt, np.arange(12), np.ones(12, np.float32))
    assert np.isfinite(found).all() and (found >= 0).all()
    assert (np.diff(learnt.table.indptr) <= affinity.PARTNERS).all()


def test_no_history_and_no_words_say_nothing(log_of: Callable[..., Log]) -> None:
    learnt = affinity.learn(birds_and_tea(log_of), lexical.index([[]] * 12).weights)
    assert affinity.scores(learnt, np.array([0]), np.ones(1, np.float32)).tolist() == [0.0] * 12
    assert affinity.scores(learnt, np.zeros(0, int), np.zeros(0, np.float32)).tolist() == [0.0] * 12
