"""How large the company of the demo is, and how long its models may train."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Size:
    """Sizes and budgets.

    Attributes:
        support, news, shop: parameters of the generators; those not named keep their defaults.
        encoder: what the three start from. encoder_steps, monitor_steps, tower_steps: optimizer steps, the budget of the whole demo.
        methods: those that compete for the monitor's models. min_positives: of users in the recommender's headline.
        apart: whether trainings run in processes of their own, which gives their memory back.
        questions, corrections, purchases: what simulated users ask and say at most; as many questions are kept.
    """

    support: dict[str, Any]
    news: dict[str, Any]
    shop: dict[str, Any]
    encoder_steps: int
    monitor_steps: int
    tower_steps: int
    methods: str
    encoder: str = "default"
    min_positives: int = 5
    questions: int = 500
    corrections: int = 400
    purchases: int = 3_000
    apart: bool = True


FULL = Size({}, {}, {}, encoder_steps=16, monitor_steps=30, tower_steps=6, methods="linear,head,full")
SMALL = Size(
    {"topics": 30, "dialogues": 60},
    {"stories": 2_400, "days": 50, "surges": 2, "labelled": 400, "test": 120, "warm_up_days": 14},
    {"items": 120, "users": 70, "events": 2_000, "days": 30},
    encoder_steps=0,
    monitor_steps=0,
    tower_steps=0,
    methods="linear",
    min_positives=2,
    questions=50,
    corrections=60,
    purchases=120,
    apart=False,
)
