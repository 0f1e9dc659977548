"""The few best scores against a full stable sort."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fieldtune.retrieval.highest import highest


@given(
    arrays(np.float32, st.integers(0, 40), elements=st.sampled_from([-np.inf, -1, -0.0, 0.0, 0.5, 2, np.inf])),
    st.integers(-1, 45),
)
def test_they_are_the_first_of_a_stable_sort(scores: np.ndarray, k: int) -> None:
    wanted = sorted(range(len(scores)), key=lambda place: -scores[place])[: max(k, 0)]
    assert highest(scores, k).tolist() == wanted
