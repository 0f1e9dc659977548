"""The demo end to end on the small company with a tiny encoder; steps that stand are kept; simulated users."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fieldtune.errors import RefusedError
from fieldtune_chatbot import ingest, wire
from fieldtune_sample import demo, demo_chatbot, demo_monitor, demo_recommender, simulate, steps
from fieldtune_sample.place import Place
from fieldtune_sample.size import SMALL


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("somewhere") / "demo"
    return out, demo.run(out, 3, replace(SMALL, encoder=str(tiny_encoder)))


def test_the_report_holds_pictures_and_every_figure_beside_its_rival(shown: tuple[Path, dict[str, Any]]) -> None:
    out, result = shown
    page = Path(result["report"]).read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 5
    told = json.loads((out / "report.json").read_text(encoding="utf-8"))
    summary = next(block for block in told["blocks"] if block["kind"] == "table")["rows"]
    assert {row["application"] for row in summary} == {"chatbot", "monitor", "recommender"}
    assert all(isinstance(row["rival's figure"], int | float) and row["rival"] for row in summary)
    assert set(told["figures"]) >= {"chatbot", "monitor", "recommender", "loop", "seconds"}


def test_questions_without_an_answer_are_refused_and_surges_and_decoys_are_listed(
    shown: tuple[Path, dict[str, Any]],
) -> None:
    figures = shown[1]["figures"]
    languages = {row["question"].isascii() for row in figures["chatbot"]["asked"]}
    assert languages == {True, False}
    assert any(row["outcome"] != "answer" and row["right"] for row in figures["chatbot"]["asked"])
    assert len(figures["monitor"]["surges"]) == 2
    assert {row["kind"] for row in figures["monitor"]["decoys"]} == {"volume", "copies", "drift", "outage"}
    assert {chart["kind"] for chart in figures["monitor"]["charts"]} == {"surge", "decoy"}


def test_every_loop_ran_and_a_rollback_restored_the_same_bytes(shown: tuple[Path, dict[str, Any]]) -> None:
    for name, turn in shown[1]["figures"]["loop"].items():
        assert turn["careless"]["rows"] and turn["honest"]["rows"], name
        assert turn["rollback_identical"] is (True if turn["promoted"] else None), name


def test_words_alone_are_judged_as_the_chatbot_is(shown: tuple[Path, dict[str, Any]]) -> None:
    place = Place(shown[0])
    service, questions = wire.open_service(place.chatbot), place.later / "questions_new.csv"
    known = ingest.read_questions(questions)
    assert demo_chatbot.mrr(service.bot, known) == pytest.approx(wire.evaluate(service, known)["mrr@10"], abs=1e-3)
    assert 0 < demo_chatbot.by_words(service, questions) <= 1


def test_the_mean_of_the_rows_is_the_headline(shown: tuple[Path, dict[str, Any]]) -> None:
    place = Place(shown[0])
    with steps.home_at(shown[0].resolve() / steps.HOME):
        for part in demo.APPS.values():
            one = part.loop(place, SMALL, 3, demo.NOW)
            figures, _ = one.look()
            assert np.mean(one.rows()) == pytest.approx(figures[one.headline], abs=1e-6)


def test_a_second_run_keeps_what_stands(shown: tuple[Path, dict[str, Any]], tiny_encoder: Path) -> None:
    out, first = shown
    before = {file.name: file.stat().st_mtime_ns for file in (out / steps.NOTES).iterdir()}
    assert demo.run(out, 3, replace(SMALL, encoder=str(tiny_encoder))) == first
    assert {file.name: file.stat().st_mtime_ns for file in (out / steps.NOTES).iterdir()} == before
    assert len(before) == 7


def test_a_step_runs_again_when_its_output_changed_and_so_do_the_later_ones(tmp_path: Path) -> None:
    ran: list[str] = []

    def work(name: str) -> Callable[[], dict[str, Any]]:
        def do() -> dict[str, Any]:
            ran.append(name)
            (tmp_path / name).write_text(name)
            return {"name": name}

        return do

    def run(key: str = "k") -> None:
        made = steps.Steps(tmp_path, key)
        for name in ("a", "b", "c"):
            assert made.run(name, name, work(name), [tmp_path / name]) == {"name": name}

    run()
    run()
    assert ran == ["a", "b", "c"]
    (tmp_path / "b").write_text("damaged")
    run()
    assert ran == ["a", "b", "c", "b", "c"]
    run("another")
    assert ran[5:] == ["a", "b", "c"]


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(RefusedError, match="--out"):
        steps.prepare(tmp_path, "key")
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.doc"]


def test_what_other_settings_put_into_service_is_forgotten(tmp_path: Path) -> None:
    kept = tmp_path / steps.HOME / "fieldtune.db"
    kept.parent.mkdir()
    steps.prepare(tmp_path / "new", "one")
    for key, there in (("one", True), ("two", False)):
        (tmp_path / steps.NOTES).mkdir(exist_ok=True)
        (tmp_path / steps.NOTES / "company.json").write_text(json.dumps({"key": "one"}))
        kept.parent.mkdir(exist_ok=True)
        kept.write_text("")
        steps.prepare(tmp_path, key)
        assert kept.exists() is there


def test_what_is_asked_and_what_is_kept_never_meet(shown: tuple[Path, dict[str, Any]]) -> None:
    place = Place(shown[0])
    asked = simulate.read_csv(place.later / "customers_will_ask.csv")
    said = {row["question"] for row in asked}
    for kind in ("new", "again"):
        kept = {row["question"] for row in simulate.read_csv(place.later / f"questions_{kind}.csv")}
        assert said and kept and not said & kept
    log, chosen, last = (
        {(row["user"], row["item"]) for row in simulate.read_csv(path)}
        for path in (
            place.company / "shop" / "log.csv",
            place.later / "visitors_will_choose.csv",
            place.later / "choices_kept.csv",
        )
    )
    assert chosen and last and not (log & chosen or log & last or chosen & last)


def test_fresh_choices_are_first_ones_of_known_users_and_items() -> None:
    def row(user: str, item: str, kind: str = "click") -> dict[str, str]:
        return {"user": user, "item": item, "type": kind, "time": "2026-02-01T00:00:00Z"}

    before = [row("u", "a", "view"), row("v", "b")]
    events = [row("u", "a"), row("u", "b", "view"), row("u", "b"), row("u", "b", "buy"), row("w", "a"), row("v", "c")]
    assert [(one["user"], one["item"]) for one in demo_recommender.fresh(events, before)] == [("u", "b")]


def test_common_questions_are_asked_often_and_in_everybodys_own_words() -> None:
    rows = [{"question": f"q{n}", "language": "en"} for n in range(50)]
    numbers = iter(range(1000))
    asked = simulate.recurring(rows, 500, lambda text, _: f"{text} {next(numbers)}", np.random.default_rng(0))
    assert len({row["question"] for row in asked}) == len(asked) == 500
    counts = Counter(row["question"].split()[0] for row in asked)
    commonest, share = counts.most_common(1)[0][1], 1 / sum(rank**-0.7 for rank in range(1, 51))
    assert abs(commonest / 500 - share) < 0.05 and len(counts) > 30


def test_halves_split_every_language_and_kind() -> None:
    rows = [
        {"question": f"{language}{kind}{n}", "language": language, "kind": kind}
        for language in ("en", "zh")
        for kind in ("known", "far")
        for n in range(4)
    ]
    asked, held = simulate.halves(rows, np.random.default_rng(0))
    assert sorted(row["question"] for row in asked + held) == sorted(row["question"] for row in rows)
    for part in (asked, held):
        assert {(row["language"], row["kind"]) for row in part} == {
            (x, y) for x in ("en", "zh") for y in ("known", "far")
        }


def test_an_alert_belongs_to_a_window_until_six_hours_after_it() -> None:
    import pandas as pd

    span = (pd.Timestamp("2026-02-01T00:00Z"), pd.Timestamp("2026-02-01T10:00Z"))
    inside = [("a", pd.Timestamp("2026-02-01T16:00Z")), ("a", pd.Timestamp("2026-02-01T00:00Z"))]
    assert all(demo_monitor.within(alert, "a", span) and demo_monitor.within(alert, "", span) for alert in inside)
    assert not demo_monitor.within(("b", inside[0][1]), "a", span)
    assert not demo_monitor.within(("a", pd.Timestamp("2026-02-01T16:01Z")), "a", span)
