"""Is one model surely better than another? A paired bootstrap on the same rows, as the gate does it."""

import numpy as np

from fieldtune import gate
from fieldtune.evaluate.significance import paired_bootstrap

rng = np.random.default_rng(0)
old, new = rng.random(500) < 0.80, rng.random(500) < 0.88
print(paired_bootstrap(new.astype(float), old.astype(float), rng))
print(gate.decide({"incumbent": old, "new": new}, rng, "incumbent").reason)
