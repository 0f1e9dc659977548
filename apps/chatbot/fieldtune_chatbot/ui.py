"""The page: chat, sources, confidence, thumbs, corrections, history, in English and Chinese.

A face: it calls `wire` and never a model. Each browser session is its own conversation; what is shared between
sessions (the loaded bot) is only read. A link may open it with ``?language=zh&ask=...``.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import streamlit as st

from fieldtune.errors import FieldtuneError
from fieldtune.runtime import now, set_threads
from fieldtune.ui.plain import plain
from fieldtune.ui.translate import LANGUAGES, translator
from fieldtune_chatbot import wire
from fieldtune_chatbot.display import beginning, unmarked, why
from fieldtune_chatbot.records import Answer, Citation
from fieldtune_chatbot.wording import WORDS

STORE = "FIELDTUNE_CHATBOT_STORE"
Translate = Callable[[str], str]
_MARKS = {"answer": ":green-badge", "ask_back": ":orange-badge", "hand_off": ":red-badge"}


@st.cache_resource(show_spinner=False, max_entries=2)
def service_of(store: str, version: str) -> wire.Service:
    """The loaded bot, once per version and process: of all that ever served, what serves now and what did before."""
    return wire.open_service(Path(store))


def main() -> None:
    """Draw the page."""
    st.set_page_config(page_title="fieldtune chatbot", page_icon="💬", layout="wide")
    set_threads()
    store = os.environ.get(STORE, "chatbot")
    try:
        service = service_of(store, wire.serving_version(Path(store)))
    except FieldtuneError as error:
        st.error(str(error))
        return
    st.session_state.setdefault("session", uuid4().hex[:12])
    st.session_state.setdefault("talk", [])
    language = st.sidebar.radio(
        f"{WORDS['language'][0]} / {WORDS['language'][1]}",
        list(LANGUAGES),
        index=int(st.query_params.get("language") == "zh"),
        format_func=LANGUAGES.get,
        horizontal=True,
    )
    t = translator(language or "en", WORDS)
    st.title(t("title"))
    st.caption(t("lead"))
    for number, (question, answer, sources) in enumerate(st.session_state.talk):
        _turn(service, t, number, question, answer, sources)
    asked = st.chat_input(t("input")) or st.session_state.pop("next", None) or _linked()
    if asked:
        _reply(service, t, asked)
    _sidebar(service, t)


def _linked() -> str | None:
    """The question of the link that opened this session, once."""
    questions = st.session_state.setdefault("linked", st.query_params.get_all("ask"))
    return questions.pop(0) if questions else None


def _reply(service: wire.Service, t: Translate, question: str) -> None:
    """Stream the answer as it forms, then draw the turn with its controls."""
    with st.chat_message("user"):
        st.text(question)
    events = wire.stream(service, question, session=st.session_state.session, now=now())
    with st.chat_message("assistant"):
        place, said = st.empty(), ""
        for event in events:
            if event.kind == "text":
                said += event.data["text"]
                place.text(unmarked(said))
            elif event.kind == "done":
                st.session_state.talk.append((question, event.data["answer"], event.data["sources"]))
    st.rerun()


def _turn(
    service: wire.Service, t: Translate, number: int, question: str, answer: Answer, sources: list[dict[str, Any]]
) -> None:
    with st.chat_message("user"):
        st.text(question)
    with st.chat_message("assistant"):
        st.text(
            unmarked(answer.answer)
        )  # as text: an article must not bring markup or pictures of its own into the page
        mark = _MARKS[answer.outcome]
        sure = f" {t('confidence')} **{answer.confidence:.0%}**" if answer.outcome == "answer" else ""
        st.markdown(f"{mark}[{t(answer.outcome)}]{sure}")
        st.caption(t(why(answer)))
        for place, citation in enumerate(answer.citations):
            title = plain(wire.title_of(service, citation.document))
            with st.expander(f"{t('sources')} {place + 1}: {title}", expanded=place == 0):
                _source(service, t, citation)
        for place, title in enumerate(answer.alternatives):
            if st.button(plain(title), key=f"alternative-{number}-{place}"):
                st.session_state.next = title
                st.rerun()
        _feedback(service, t, number, answer, sources)


def _source(service: wire.Service, t: Translate, citation: Citation) -> None:
    """The cited passage from the store, in the wording it was cited in."""
    opened = wire.open_citation(service, citation)
    if opened.text is None:
        st.caption(t("not_kept"))
        return
    if opened.changed:
        st.caption(t("changed"))
    st.text(unmarked(opened.text))
    place = f"{citation.document} · {citation.start}-{citation.end} · {citation.version}"
    st.caption(t("place"), help=plain(place))


def _feedback(service: wire.Service, t: Translate, number: int, answer: Answer, sources: list[dict[str, Any]]) -> None:
    """Thumbs and the correction form of one answer."""
    if not answer.decision:
        return
    up, down, rest = st.columns([1, 1, 6])
    for column, kind, label in ((up, "thumb_up", t("up")), (down, "thumb_down", t("down"))):
        if column.button(label, key=f"{kind}-{number}"):
            wire.give_feedback(service, answer.decision, kind, now=now(), user=st.session_state.session)
            rest.success(t("thanks"))
    with st.expander(t("correct")), st.form(f"correct-{number}", border=False):
        titles = wire.source_titles(service)
        options = ["", *dict.fromkeys([*(row["source"] for row in sources), *titles])]
        document = st.selectbox(t("right_source"), options, format_func=lambda s: titles.get(s, s) or t("none"))
        text = st.text_area(t("right_answer"), height=80)
        st.caption(t("approval"))
        if st.form_submit_button(t("save")):
            if not (document or text.strip()):
                st.warning(t("need_one"))
                return
            wire.give_feedback(
                service, answer.decision, "correction", now=now(), user=st.session_state.session,
                document=document or "", answer=text.strip(),
            )  # fmt: skip
            st.success(t("thanks"))


def _sidebar(service: wire.Service, t: Translate) -> None:
    st.sidebar.subheader(t("history"))
    turns = wire.history(service, st.session_state.session)
    for turn in turns:
        asked = turn["role"] == "customer"  # what is typed stands as it was typed
        icon = ":material/person:" if asked else ":material/smart_toy:"
        st.sidebar.caption(f"{icon} {plain(beginning(turn['body'] if asked else unmarked(turn['body'])))}")
    if not turns:
        st.sidebar.caption(t("empty_history"))
    if st.sidebar.button(t("new")):
        st.session_state.update(session=uuid4().hex[:12], talk=[])
        st.rerun()
    st.sidebar.divider()
    with st.sidebar.expander(t("staff")):
        st.caption(f"{t('session')} {st.session_state.session} · {t('version')} {service.bot.version}")
        st.caption(t("learns"))


main()
