"""The page: the trend of bad news per topic with its usual band, alerts with evidence, confirm or dismiss.

A face: it reads the store through `views` and never calls a model. What a user says becomes a feedback row, from which
``fieldtune feedback retrain monitor`` learns.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd
import streamlit as st
from sqlalchemy import Engine

from fieldtune.errors import FieldtuneError
from fieldtune.feedback import ANONYMOUS
from fieldtune.runtime import now
from fieldtune.ui.plain import plain
from fieldtune.ui.translate import LANGUAGES, translator
from fieldtune_monitor import views, wire
from fieldtune_monitor.config import Config, read_config
from fieldtune_monitor.records import TONES
from fieldtune_monitor.windows import DAY
from fieldtune_monitor.wording_ui import WORDS, problem

CONFIG = "FIELDTUNE_MONITOR_CONFIG"
STORE = "FIELDTUNE_MONITOR_STORE"
Translate = Callable[[str], str]
Said = tuple[str, str]  # what, and by whom
DETAILS = ("documents", "copies")
TIME = "hours(datum.value) ? timeFormat(datum.value, '%H:%M') : timeFormat(datum.value, '%m-%d')"  # numbers, no names


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
    user = side.text_input(t("user"), ANONYMOUS, key="user") or ANONYMOUS
    head.title(t("title"))
    head.caption(t("lead"))
    if about["to"] is None:
        st.info(t("empty"))
        return
    alerts = views.incidents(engine, info=bool(st.session_state.get("info")))
    _figures(about, alerts, config, t)
    origin = str(config.place(config.model).resolve()) if config.model else ""
    topic = _trend(engine, config, alerts, t)
    _alerts(alerts, config, user, origin, t)
    _latest(engine, topic, config, t)
    _sources(about, config, chosen, t)


def _figures(about: dict[str, Any], alerts: list[dict[str, Any]], config: Config, t: Translate) -> None:
    learning = sum(phase == "learning" for phase in about["phases"].values())
    columns = st.columns(5)
    columns[0].metric(t("documents"), f"{about['documents']:,}")
    columns[1].metric(t("stories"), f"{about['stories']:,}")
    columns[2].metric(t("copies"), f"{about['copies']:,}")
    columns[3].metric(t("open_alerts"), sum(alert["state"] == "firing" for alert in alerts))
    columns[4].metric(t("learning"), f"{learning} / {len(about['phases'])}")
    first, last = (views.local(about[edge], config.zone_info(), day=config.bucket >= DAY) for edge in ("from", "to"))
    st.caption(f"{first} – {last} ({config.timezone})")


def _trend(engine: Engine, config: Config, alerts: list[dict[str, Any]], t: Translate) -> str:
    """Draw the trend of the chosen topic and return its name."""
    st.subheader(t("trend"))
    names = [topic.name for topic in config.topics]
    first = names.index(alerts[0]["topic"]) if alerts and alerts[0]["topic"] in names else 0
    left, right = st.columns(2)
    topic = left.selectbox(t("topic"), names, index=first, key="topic")
    left.caption(plain(next(one.description for one in config.topics if one.name == topic)))
    days = right.select_slider(t("days"), [7, 14, 30, 60, 120], value=30, key="days")
    zone = config.zone_info()
    table = views.trend(engine, topic, days, 24 if days > 14 or config.bucket >= DAY else 6, zone, config.bucket)
    opened = [pd.Timestamp(alert["opened"]) for alert in alerts if alert["topic"] == topic]
    st.markdown(_legend(table, t))
    st.altair_chart(_chart(table, opened, zone, t), width="stretch")
    return str(topic)


def _latest(engine: Engine, topic: str, config: Config, t: Translate) -> None:
    st.subheader(f"{t('latest')}: {topic}")
    rows = [
        {
            t("published"): views.local(story["published"], config.zone_info()), t("tone"): t(story["tone"]),
            t("p_negative"): round(story["p_negative"], 2), t("headline"): story["title"], t("copies"): story["copies"],
            t("source"): story["source"],
        }
        for story in views.latest(engine, topic)
    ]  # fmt: skip
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", height=320)


def _legend(table: pd.DataFrame, t: Translate) -> str:
    parts = [
        f":red[**●**] {t('negatives')}",
        f":blue-background[{t('usual')}]",
        f":blue[**┄**] {t('expected')}",
        f":orange[**|**] {t('alerts')}",
    ]
    if not table.get("whole", pd.Series(dtype=bool)).all():
        parts.append(f":red[**○**] {t('not_over')}")
    return " &emsp; ".join(parts)


def _chart(table: pd.DataFrame, opened: Sequence[pd.Timestamp], zone: ZoneInfo, t: Translate) -> Any:
    """Band of the usual, line of the expected, points of what came, and a rule where an alert opened.

    Times go to the browser as wall times of the zone: it would show moments in a zone of its own.
    """
    table = table.assign(time=[_wall(moment, zone) for moment in table["time"]])
    when = alt.Tooltip("time:T", title=t("time"), format="%Y-%m-%d %H:%M")
    figures = {name: alt.Tooltip(f"{name}:Q", title=t(name)) for name in ("low", "high", "negatives", *DETAILS)}
    base = alt.Chart(table).encode(x=alt.X("time:T", title=None, axis=alt.Axis(labelExpr=TIME, labelOverlap=True)))
    band = base.mark_area(opacity=0.25, color="#5b8db8", interpolate="step").encode(
        y=alt.Y("low:Q", title=t("negatives")), y2="high:Q", tooltip=[when, figures["low"], figures["high"]]
    )
    expected = base.mark_line(color="#5b8db8", strokeDash=[4, 3], interpolate="step").encode(y="expected:Q")
    line = base.mark_line(color="#b03a2e").encode(y="negatives:Q")
    points = base.mark_point(color="#b03a2e", size=28, opacity=1).encode(
        y="negatives:Q",
        fill=alt.condition("datum.whole", alt.value("#b03a2e"), alt.value("white")),
        tooltip=[when, *(figures[name] for name in ("negatives", *DETAILS))],
    )
    layers = [band, expected, line, points]
    start = table["time"].min() if len(table) else None
    rules = pd.DataFrame({"time": [wall for moment in opened if start and (wall := _wall(moment, zone)) >= start]})
    if len(rules):
        layers.append(alt.Chart(rules).mark_rule(color="#d68910", strokeWidth=2).encode(x="time:T"))
    return alt.layer(*layers).properties(height=300)


def _wall(moment: pd.Timestamp, zone: ZoneInfo) -> pd.Timestamp:
    return moment.tz_convert(zone).tz_localize(None)


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
        opened = views.local(alert["opened"], config.zone_info(), day=config.bucket >= DAY)
        title = f"{mark} **{alert['topic']}** · {signal} · {opened} · {t(alert['state'])}"
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


def _verdict(alert: dict[str, Any], verdicts: dict[str, Said], user: str, origin: str, t: Translate) -> None:
    yes, no = st.columns(2)
    for column, name, verdict in ((yes, "confirm", "confirmed"), (no, "dismiss", "dismissed")):
        if column.button(t(name), key=f"{name}-{alert['id']}", width="stretch"):
            views.judge_incident(alert, verdict, user, origin, now())
            verdicts[alert["id"]] = (verdict, "" if user == ANONYMOUS else user)
    if alert["id"] in verdicts:
        verdict, who = verdicts[alert["id"]]
        st.caption(t(f"{verdict}_by").format(user=plain(who)) if who else t(verdict))


def _story(story: dict[str, Any], key: str, tones: dict[str, Said], user: str, origin: str, t: Translate) -> None:
    text, choice = st.columns([3, 1], vertical_alignment="center")
    probability = f"{t('p_negative')} {story['p_negative']:.2f}"
    below = " · ".join(part for part in (plain(story["source"]), probability) if part)
    text.markdown(f"{_headline(story)}  \n:gray[{below}]")
    options = [t("unchanged"), *(t(tone) for tone in TONES)]
    told = tones.get(story["identity"], ("", ""))[0]
    present = TONES.index(told) + 1 if told in TONES else 0
    picked = choice.selectbox(t("correct"), options, index=present, key=key)
    chosen = TONES[options.index(picked) - 1] if picked != options[0] else None
    if chosen and told != chosen:
        views.correct_tone(story, chosen, user, origin, now())
        choice.caption(t("corrected"))


def _headline(story: dict[str, Any]) -> str:
    """Title, source and address come from outside: nothing of theirs is read as markup."""
    linked = story["url"].startswith(("http://", "https://"))
    return f"[{plain(story['title'])}]({plain(story['url'])})" if linked else plain(story["title"])


def _sources(about: dict[str, Any], config: Config, language: str, t: Translate) -> None:
    """Each source with its troubles. A table of Markdown, as its cells wrap."""
    with st.expander(t("sources")):
        rows = [
            {
                t("source"): plain(source["source"]), t("rows"): str(source["row_count"]),
                t("broken"): str(source["broken"]), t("looked"): views.local(source["polled_at"], config.zone_info()),
                t("problem"): plain(problem(source["problem"], language)),
            }
            for source in about["sources"]
        ]  # fmt: skip
        st.table(pd.DataFrame(rows), hide_index=True)


main()
