"""What is kept of lists and of what users said to them, in the registry's database; makes no list."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fieldtune import decisions, feedback, registry
from fieldtune.data.scrub import scrub
from fieldtune.runtime import iso
from fieldtune.store import erasing
from fieldtune_recommender import bundle, improving
from fieldtune_recommender.opening import Shop
from fieldtune_recommender.records import Suggestion


def say_back(model: Path, user: str, item: str, kind: str, language: str, at: datetime, *, decision: str = "") -> None:
    """Keep a purchase or a refusal as a feedback row, for ``feedback retrain``.

    Two shops may sell items of one identifier to users of one name, so the row is about the item in this shop.

    Args:
        decision: the id of the list in which the item stood.
    """
    shop = str(model.resolve())
    payload = {"item": item, "time": iso(at), "model": shop, "decision": decision}
    row = feedback.Feedback(bundle.APP, f"{shop}|{item}", kind, user, language=language, payload=payload)
    with registry.open_home().begin() as connection:
        feedback.record(connection, row, at)


def said_before(model: Path, shop: Shop, user: str) -> tuple[list[str], list[str]]:
    """What a user of the log bought and turned down on the page and no version has learnt yet, oldest first.

    The last word on an item counts. Nobody without a name can be known again.
    """
    place = str(model.resolve())
    with registry.open_home().begin() as connection:
        rows = feedback.rows(connection, bundle.APP)
    own = [row for row in rows if row.user == user and row.payload.get("model") == place]
    waiting = improving.feedback_table(own, shop.bundle)
    last = waiting.drop_duplicates("item", keep="last")
    return last["item"][last["positive"]].tolist(), last["item"][~last["positive"]].tolist()


def remember(
    shop: Shop, asked: Mapping[str, Any], shown: Sequence[Suggestion], at: datetime, *, visit: str = ""
) -> str:
    """Record one list: what was asked, what was shown, by which version. Returns the decision's id.

    Args:
        visit: of a page that draws the same list many times: within one visit it is one decision.
    """
    payload = {
        "asked": {**asked, "interest": scrub(str(asked.get("interest", ""))).text},
        "items": [{"item": one.item, "score": one.score, "probability": one.probability} for one in shown],
        "method": shop.method.name,
    }
    with registry.open_home().begin() as connection:
        return decisions.record(
            connection,
            bundle.APP,
            "list",
            payload,
            shop.version,
            at,
            decision_id=_once(visit, payload) if visit else None,
        )


def remember_all(shop: Shop, rows: Sequence[Mapping[str, Any]], out: Path, at: datetime) -> None:
    """Record a batch as one decision: which users, which file."""
    payload = {
        "out": str(out),
        "users": len({row["user"] for row in rows}),
        "rows": len(rows),
        "method": shop.method.name,
    }
    with registry.open_home().begin() as connection:
        decisions.record(connection, bundle.APP, "batch", payload, shop.version, at)


def erase(user: str) -> int:
    """Delete the records of lists that were made for one user; returns how many."""
    with erasing(registry.open_home()) as connection:
        return decisions.erase(connection, bundle.APP, "list", lambda payload: payload["asked"].get("user") == user)


def _once(visit: str, payload: Mapping[str, Any]) -> str:
    return hashlib.sha256(f"{visit}|{json.dumps(payload, sort_keys=True)}".encode()).hexdigest()[:20]
