"""Settings: every value outside its range is refused with its name, whatever it is written as."""

import numpy as np
import pytest

from fieldtune.errors import ConfigError
from fieldtune.train.settings import Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", "nan"), ("learning_rate", "inf"), ("learning_rate", "-1e-4"), ("head_learning_rate", "-1"),
        ("dropout", "2"), ("dropout", "-0.1"), ("dropout", "1"), ("warmup", "1.5"), ("label_smoothing", "1.1"),
        ("temperature", "0"), ("weight_decay", "-1"), ("max_steps", "-1"), ("checkpoint_steps", "-5"),
        ("batch_rows", "0"), ("max_length", "0"), ("epochs", "inf"), ("epochs", None), ("class_weights", "cubic"),
        ("epochs", 1.9), ("rank", np.float32(2.5)), ("refit", "maybe"), ("noisy", "lose"), ("refit", "2"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_with_its_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        Settings().updated({name: value})


def test_values_in_range_are_converted() -> None:
    chosen = Settings().updated({"learning_rate": "5e-5", "dropout": "0", "epochs": "3", "refit": "true"})
    assert (chosen.learning_rate, chosen.dropout, chosen.epochs, chosen.refit) == (5e-5, 0.0, 3, True)
    assert chosen.updated({"refit": "False"}).refit is chosen.updated({"refit": False}).refit is False


def test_settings_are_given_by_name() -> None:
    assert Settings().updated({"epochs": 3.0, "rank": np.int64(4)}) == Settings(epochs=3, rank=4)
    with pytest.raises(ConfigError, match="settings by name"):
        Settings().updated("epochs=3")  # type: ignore[arg-type]
