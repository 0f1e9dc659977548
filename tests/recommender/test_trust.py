"""Made-up purchases are told from real ones by where they stand."""

import numpy as np
import pytest

from fieldtune_recommender import trust


@pytest.mark.parametrize(("share", "refused"), [(0.0, False), (0.3, True), (1.0, True)])
def test_the_share_made_up_is_found(share: float, refused: bool) -> None:
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        before = rng.beta(4, 1, 300)
        claimed = np.where(rng.random(250) < share, rng.random(250), rng.beta(4, 1, 250))
        interval = trust.made_up(before, claimed, rng, draws=500)
        found.append(interval.low > trust.MOST)
        assert interval.low <= interval.mean <= interval.high
    assert np.mean(found) >= 0.9 if refused else np.mean(found) <= 0.05
