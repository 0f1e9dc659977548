"""The page: the trend of bad news per topic with its usual band, alerts with evidence, confirm or dismiss.

A face: it reads the store through `views` and never calls a model. What a user says becomes a feedback row, from which
``fieldtune feedback retrain monitor`` learns.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st
from sqlalchemy import Engine

from fieldtune.errors import FieldtuneError
from fieldtune.runtime import now
from fieldtune.ui.plain import plain
from fieldtune.ui.translate import LANGUAGES, translator
from fieldtune_monitor import views, wire
from fieldtune_monitor.config import Config, read_config
from fieldtune_monitor.records import TONES
from fieldtune_monitor.wording_ui import WORDS

CONFIG = "FIELDTUNE_MONITOR_CONFIG"
STORE = "FIELDTUNE_MONITOR_STORE"
Translate = Callable[[str], str]


@st.cache_resource(show_spinner=False)
def engine_of(place: str) -> Engine:
    """The store, opened once per process."""
    return wire.open_monitor_store(place if "://" in place else Path(place))


def main() -> None:
    """Draw the page."""
    st.set_page_config(page_title="fieldtune monitor", page_icon="📈", layout="wide")
    try:
        config = read_config(Path(os.environ.get(CONFIG, "monitor.toml")))
        engine = engine_of(os.environ.get(STORE) or str(wire.store_place(config)))
        about = views.status(engine)
    except FieldtuneError as error:
        st.error(str(error))
        return
    head, side = st.columns([3, 1])
    chosen = side.radio(
        "Language / 语言", list(LANGUAGES), format_func=LANGUAGES.get, horizontal=True, label_visibility="collapsed"
    )
    t = translator(chosen, WORDS)
    user = side.text_input(t("user"), "anonymous") or "anonymous"
    head.title(t("title"))
    head.caption(t("lead"))
    if about["to"] is None:
        st.info(t("empty"))
        return
    alerts = views.incidents(engine, info=bool(st.session_state.get("info")))
    _figures(about, alerts, t)
    origin = str(config.place(config.model).resolve()) if config.model else ""
    topic = _trend(engine, config, alerts, t)
    _alerts(alerts, config, user, origin, t)
    _latest(engine, topic, t)
    _sources(about, t)


def _figures(about: dict[str, Any], alerts: list[dict[str, Any]], t: Translate) -> None:
    learning = sum(phase == "learning" for phase in about["phases"].values())
    columns = st.columns(5)
    columns[0].metric(t("documents"), f"{about['documents']:,}")
    columns[1].metric(t("stories"), f"{about['stories']:,}")
    columns[2].metric(t("copies"), f"{about['copies']:,}")
    columns[3].metric(t("open_alerts"), sum(alert["state"] == "firing" for alert in alerts))
    columns[4].metric(t("learning"), f"{learning} / {len(about['phases'])}")
    st.caption(f"{about['from'][:10]} – {about['to'][:16].replace('T', ' ')} UTC")


def _trend(engine: Engine, config: Config, alerts: list[dict[str, Any]], t: Translate) -> str:
    """Draw the trend of the chosen topic and return its name."""
    st.subheader(t("trend"))
    names = [topic.name for topic in config.topics]
    first = names.index(alerts[0]["topic"]) if alerts and alerts[0]["topic"] in names else 0
    left, right = st.columns(2)
    topic = left.selectbox(t("topic"), names, index=first)
    left.caption(plain(next(one.description for one in config.topics if one.name == topic)))
    days = right.select_slider(t("days"), [7, 14, 30, 60, 120], value=30)
    table = views.trend(engine, topic, days, 24 if days > 14 or config.bucket >= 86_400 else 6, config.zone_info())
    own = [alert for alert in alerts if alert["topic"] == topic]
    st.altair_chart(_chart(table, own, t), width="stretch")
    return str(topic)


def _latest(engine: Engine, topic: str, t: Translate) -> None:
    st.subheader(f"{t('latest')}: {topic}")
    rows = [
        {
            t("time"): story["first_seen"][:16].replace("T", " "), t("tone"): t(story["tone"]),
            "P(−)": round(story["p_negative"], 2), t("headline"): story["title"], t("copies"): story["copies"],
            t("source"): story["source"],
        }
        for story in views.latest(engine, topic)
    ]  # fmt: skip
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", height=320)


def _chart(table: pd.DataFrame, alerts: list[dict[str, Any]], t: Translate) -> Any:
    """Band of the usual, line of the expected, points of what came, and a rule where an alert opened."""
    base = alt.Chart(table).encode(x=alt.X("time:T", title=None))
    band = base.mark_area(opacity=0.25, color="#5b8db8", interpolate="step").encode(
        y=alt.Y("low:Q", title=t("negatives")), y2="high:Q", tooltip=["time:T", "low:Q", "high:Q"]
    )
    expected = base.mark_line(color="#5b8db8", strokeDash=[4, 3], interpolate="step").encode(y="expected:Q")
    line = base.mark_line(color="#b03a2e", point=alt.OverlayMarkDef(size=16, color="#b03a2e")).encode(
        y="negatives:Q", tooltip=["time:T", "negatives:Q", "documents:Q", "copies:Q"]
    )
    layers = [band, expected, line]
    start = table["time"].min() if len(table) else None
    opened = pd.DataFrame({"time": pd.to_datetime([alert["opened"] for alert in alerts])}) if alerts else pd.DataFrame()
    if len(opened) and start is not None:
        opened = opened[opened["time"] >= start]
    if len(opened):
        layers.append(alt.Chart(opened).mark_rule(color="#d68910", strokeWidth=2).encode(x="time:T"))
    caption = f"— {t('negatives')}   ▒ {t('usual')}   ┄ {t('expected')}   | {t('alerts')}"
    return alt.layer(*layers).properties(height=300, title=alt.TitleParams(caption, fontSize=12, fontWeight="normal"))


def _alerts(alerts: list[dict[str, Any]], config: Config, user: str, origin: str, t: Translate) -> None:
    st.subheader(t("alerts"))
    st.toggle(t("show_info"), key="info")
    if not alerts:
        st.info(t("no_alerts"))
    verdicts, tones = views.said("incident"), views.said("tone")
    hours = max(config.detector().evidence_window, 3 * config.bucket) // 3600
    for place, alert in enumerate(alerts):
        line, mark = alert["line"], "🔴" if alert["state"] == "firing" else "⚪"
        signal = t("tone_signal") if alert["signal"] == "tone" else t(alert["signal"])
        title = (
            f"{mark} **{alert['topic']}** · {signal} · {alert['opened'][:16].replace('T', ' ')} · {t(alert['state'])}"
        )
        with st.expander(title, expanded=place < 2):
            left, right = st.columns([2, 3], gap="large")
            with left:
                st.markdown(t("against").format(**line, hours=hours))
                weeks = line["weeks_between_false_alarms"]
                rarity = f"{weeks:,.0f}" if weeks >= 10 else f"{weeks:.2g}"
                st.caption(t("chance").format(weeks=rarity, sources=line["sources"], copies=line["copies"]))
                _verdict(alert, verdicts, user, origin, t)
            with right:
                for story in alert["stories"]:
                    _story(story, f"{alert['id']}-{story['identity']}", tones, user, origin, t)


def _verdict(alert: dict[str, Any], verdicts: dict[str, str], user: str, origin: str, t: Translate) -> None:
    yes, no = st.columns(2)
    for column, name, verdict in ((yes, "confirm", "confirmed"), (no, "dismiss", "dismissed")):
        if column.button(t(name), key=f"{name}-{alert['id']}", width="stretch"):
            views.judge_incident(alert, verdict, user, origin, now())
            verdicts[alert["id"]] = verdict
    if alert["id"] in verdicts:
        st.caption(t(verdicts[alert["id"]]))


def _story(story: dict[str, Any], key: str, tones: dict[str, str], user: str, origin: str, t: Translate) -> None:
    text, choice = st.columns([3, 1], vertical_alignment="center")
    text.markdown(f"{_headline(story)}  \n:gray[{plain(story['source'])} · P(−) {story['p_negative']:.2f}]")
    options = [t("unchanged"), *(t(tone) for tone in TONES)]
    present = TONES.index(tones[story["identity"]]) + 1 if tones.get(story["identity"]) in TONES else 0
    picked = choice.selectbox(t("correct"), options, index=present, key=key, label_visibility="collapsed")
    chosen = TONES[options.index(picked) - 1] if picked != options[0] else None
    if chosen and tones.get(story["identity"]) != chosen:
        views.correct_tone(story, chosen, user, origin, now())
        choice.caption(t("corrected"))


def _headline(story: dict[str, Any]) -> str:
    """Title, source and address come from outside: nothing of theirs is read as markup."""
    linked = story["url"].startswith(("http://", "https://"))
    return f"[{plain(story['title'])}]({plain(story['url'])})" if linked else plain(story["title"])


def _sources(about: dict[str, Any], t: Translate) -> None:
    with st.expander(t("sources")):
        rows = [
            {t("source"): s["source"], t("rows"): s["row_count"], t("broken"): s["broken"], t("problem"): s["problem"]}
            for s in about["sources"]
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")


main()
