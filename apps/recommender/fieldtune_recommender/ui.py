"""The page: edit a history, see the list, its reasons and a dial for diversity; buy or turn down.

A face: it calls `wire` and what stands beside it, never a model. A click changes the list at once and becomes a feedback
row, from which ``fieldtune feedback retrain recommender`` learns.
"""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import streamlit as st

from fieldtune.errors import FieldtuneError
from fieldtune.runtime import now, set_threads
from fieldtune.ui.plain import plain
from fieldtune.ui.translate import LANGUAGES, translator
from fieldtune_recommender import opening, remembering, tastes, wire
from fieldtune_recommender.records import Suggestion
from fieldtune_recommender.wording import WORDS, sentence
from fieldtune_recommender.wording import chance as chance_of

MODEL = Path(os.environ.get("FIELDTUNE_RECOMMENDER_MODEL", "recommender"))
LISTED_USERS = 200
#: Pixels: titles in the history can be told apart, where the usual 300 show sixteen letters of them.
SIDE = 440


def side_column(streamlit: str) -> Any:
    """How the side column opens: with its width where this Streamlit takes one, else as usual."""
    major, minor = (int(part) for part in streamlit.split(".")[:2])
    return SIDE if (major, minor) >= (1, 54) else "auto"


@st.cache_resource(show_spinner=False, max_entries=2)
def shop_of(version: str) -> opening.Shop:
    """The open shop, once per version and process: of all that ever served, what serves now and what did before."""
    return opening.open_shop(MODEL)


def main() -> None:
    """Draw the page."""
    st.set_page_config(
        page_title="fieldtune recommender",
        page_icon="🧭",
        layout="wide",
        initial_sidebar_state=side_column(st.__version__),
    )
    set_threads()
    try:
        shop = shop_of(opening.serving_version(MODEL))
    except FieldtuneError as error:
        st.error(str(error))
        return
    language = st.sidebar.radio(
        f"{WORDS['language'][0]} / {WORDS['language'][1]}", list(LANGUAGES), format_func=LANGUAGES.get, horizontal=True
    )
    t = translator(language, WORDS)
    st.title(t("title"))
    st.caption(t("lead"))
    user, history, interest, diversity, count = _controls(shop, t)
    heard = opening.hears(shop, interest)
    shown = _list(shop, user, history, interest, diversity, count)
    asked = {"user": user, "history": history, "interest": interest, "diversity": diversity}
    visit = st.session_state.setdefault("visit", uuid4().hex)
    decision = remembering.remember(shop, asked, shown, now(), visit=visit)
    if interest and not heard:
        st.info(t("unheard"))
    _draw(shop, t, user, shown, language, decision, by_chance=not heard)
    st.sidebar.caption(f"{t('method')}: {t(shop.method.name)}  \n{t('version')}: {shop.version}")


def _controls(shop: opening.Shop, t) -> tuple[str, list[str], str, float, int]:  # type: ignore[no-untyped-def]
    """The side column; the history of another visitor replaces the one on the page, what they said here before included."""
    titles = shop.bundle.data.catalogue.titles
    users = ["", *tastes.busiest(shop, LISTED_USERS)]
    user = st.sidebar.selectbox(
        t("user"), users, index=min(1, len(users) - 1), format_func=lambda u: u or t("stranger")
    )
    if st.session_state.get("visitor") != user:
        liked = tastes.history_of(shop, user)
        bought, refused = remembering.said_before(MODEL, shop, user) if user else ([], [])
        liked += [item for item in bought if item not in liked]
        st.session_state.update(visitor=user, liked=liked, disliked=refused)
    st.sidebar.multiselect(
        t("history"), list(shop.items), key="liked", format_func=lambda item: titles[shop.items[item]][:60]
    )
    interest = st.sidebar.text_input(t("interest"), placeholder=t("interest_hint")).strip()
    diversity = st.sidebar.slider(t("diversity"), 0.0, 1.0, 0.0, 0.05, help=t("diversity_help"))
    count = st.sidebar.slider(t("count"), 3, 20, 8)
    return user, list(st.session_state.liked), interest, diversity, count


def _list(
    shop: opening.Shop, user: str, history: list[str], interest: str, diversity: float, count: int
) -> list[Suggestion]:
    taste = tastes.taste_on_page(shop, user, history, st.session_state.disliked, interest)
    return wire.recommend(shop, taste, count, diversity=diversity)


def _draw(  # type: ignore[no-untyped-def]
    shop: opening.Shop, t, user: str, shown: list[Suggestion], language: str, decision: str, *, by_chance: bool
) -> None:
    """The list; each item's chance only where it orders the list."""
    catalogue = shop.bundle.data.catalogue

    def title(item: str) -> str:
        return catalogue.titles[shop.items[item]] or item

    st.subheader(t("list"))
    if not shown:
        st.info(t("empty"))
    for rank, one in enumerate(shown, 1):
        with st.container(border=True):
            words, chance, buy, refuse = st.columns([5.2, 1, 1.2, 2.2], vertical_alignment="center")
            reasons = [plain(sentence(reason, t, title, language == "zh")) for reason in one.reasons]
            words.markdown(f"**{rank}. {plain(title(one.item))}**")
            words.caption("  \n".join(f"• {reason}" for reason in reasons))
            if by_chance:
                chance.caption(t("chance"))
                chance.markdown(f"**{chance_of(one.probability)}**")
            buy.button(
                t("buy"), key=f"buy-{one.item}", on_click=_said, args=(shop, user, one.item, "purchase", decision)
            )
            refuse.button(
                t("refuse"),
                key=f"no-{one.item}",
                on_click=_said,
                args=(shop, user, one.item, "not_interested", decision),
            )
    said = st.session_state.pop("said", "")
    if said:
        st.toast(t(f"thanks_{said}"))


def _said(shop: opening.Shop, user: str, item: str, kind: str, decision: str) -> None:
    """A click: the history changes at once, and the row is kept for retraining; strangers are told apart by visit."""
    speaker = user or f"visitor-{st.session_state.visit}"
    language = shop.bundle.data.catalogue.languages[shop.items[item]]
    remembering.say_back(MODEL, speaker, item, kind, language, now(), decision=decision)
    if kind == "purchase":
        st.session_state.liked = [*st.session_state.liked, item]
    else:
        st.session_state.disliked = [*st.session_state.disliked, item]
    st.session_state.said = kind


if __name__ == "__main__":
    main()
