"""One thing to compute, as it passes from a request to the model. Knows neither."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One thing to compute: ``verb`` is ``"predict"`` or ``"encode"``, ``texts`` the cells that it reads."""

    verb: str
    texts: tuple[str, ...]
