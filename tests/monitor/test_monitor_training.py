"""Models of the monitor: held-out wording, thresholds, the gate, feedback that helps, feedback that is noise."""

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sqlalchemy import text
from typer.testing import CliRunner

from fieldtune import feedback, gate, registry
from fieldtune.errors import ArtefactError, InputError, RefusedError
from fieldtune.feedback import Feedback
from fieldtune.models import load
from fieldtune.models.sign_folder import sign_folder
from fieldtune.models.signing import VARIABLE
from fieldtune_monitor import classify, labelled, retraining, runner, scoring, slot_training, training, views, wire
from fieldtune_monitor.commands import app
from fieldtune_monitor.config import read_config
from fieldtune_monitor.dedupe import bare_title
from fieldtune_monitor.records import Document
from fieldtune_monitor.wording import unseen_wording

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLAN = slot_training.Plan(methods=("linear",), progress=False)
NAMES = ("Brine", "Kestrel", "Foghorn", "Capstan", "Windle", "Quillon", "Tallow", "Amber", "Eastreach", "Longshore")
KNOWN = {
    "negative": ("{} warns on profit", "{} shares plunge", "{} loss widens", "{} cuts jobs", "{} misses estimates"),
    "neutral": ("{} names new auditor", "{} holds annual meeting", "{} keeps dividend", "{} moves head office"),
    "positive": ("{} profit jumps", "{} wins contract", "{} raises outlook", "{} shares soar", "{} hits record high"),
}
NEW = {
    "negative": ("{} axed by regulators", "{} boss jailed", "{} reactor leaks", "{} vanishes with deposits"),
    "neutral": ("{} repaints its lobby", "{} turns forty", "{} changes its logo"),
    "positive": ("{} cures its debts", "{} conquers Europe", "{} dazzles investors"),
}


def titles(phrases, names=NAMES, towns=("Saltmere", "Marrowhead", "Silverfen")):
    rows = [
        (f"{phrase.format(name)} in {town}", tone, topic, "en")
        for tone, group in phrases.items()
        for phrase in group
        for n, name in enumerate(names)
        for town in towns
        for topic in [("banks", "ferries")[n % 2]]
    ]
    return pd.DataFrame(rows, columns=["title", "sentiment", "topic", "language"])


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A trained bundle, made once."""
    out = tmp_path_factory.mktemp("bundle") / "model"
    training.train_bundle(titles(KNOWN), out, PLAN)
    return out


@pytest.fixture
def model(bundle, tmp_path, home):
    """A published copy of it."""
    out = tmp_path / "model"
    shutil.copytree(bundle, out)
    assert training.publish_bundle(out, out, titles(KNOWN), now=NOW).promoted
    return out


def test_a_bundle_signed_afterwards_is_loaded_whole_and_by_its_models(bundle, tmp_path, monkeypatch):
    path = tmp_path / "model"
    shutil.copytree(bundle, path)
    (tmp_path / "key").write_text("0123456789abcdef" * 4)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
    with pytest.raises(ArtefactError, match="models sign"):
        classify.load_bundle(path)
    inside = [file.parent for file in path.rglob("fieldtune.json")]
    assert len(inside) > 1
    assert sign_folder(path) == 1 + len(inside)
    for one in inside:
        load(one)
    assert len(classify.load_bundle(path)(["Brine warns on profit in Saltmere"], ["en"])) == 1


def test_unseen_wording_is_unseen():
    rows = titles(KNOWN)
    train, held = unseen_wording(rows["title"].tolist(), rows["sentiment"].tolist(), 0.2, np.random.default_rng(0))
    assert sorted([*train, *held]) == list(range(len(rows)))
    assert 0.1 <= len(held) / len(rows) <= 0.3
    phrases = rows["title"].str.replace(rf"({'|'.join(NAMES)}) | in \w+$", "", regex=True)
    assert not set(phrases.iloc[held]) & set(phrases.iloc[train])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.text("abc ", max_size=8), st.sampled_from("xyz")), max_size=30), st.integers(0, 9))
def test_any_rows_split_without_loss_and_no_label_disappears(rows, seed):
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    train, held = unseen_wording(texts, labels, 0.3, np.random.default_rng(seed))
    assert sorted([*train, *held]) == list(range(len(rows)))
    assert {labels[row] for row in train} == set(labels)


def test_the_threshold_prefers_few_false_alarms():
    negative = np.array([True] * 30 + [False] * 70)
    clear = np.where(negative, 0.9, 0.45)
    assert 0.45 < slot_training.surge_threshold(clear, negative) <= 0.6
    assert slot_training.surge_threshold(clear, np.zeros(100, dtype=bool)) == 0.5


def test_a_bundle_holds_a_model_per_task_and_language(model):
    about = json.loads((model / "monitor.json").read_text())
    assert set(about["slots"]) == {"tone-en", "topic-en"}
    assert 0.4 <= about["slots"]["tone-en"]["threshold"] <= 0.6
    assert registry.serving("monitor", model) != model


def test_score_keeps_columns_and_order(model, tmp_path):
    rows = [
        {"n": "007", "title": "Brine shares plunge in Saltmere", "x": ""},
        {"n": "2", "title": "Tallow profit jumps", "x": "y"},
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "in.csv", index=False)
    command = ["score", "--model", str(model), "--data", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")]
    assert CliRunner().invoke(app, command).exit_code == 0
    out = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False)
    assert list(out.columns[:3]) == ["n", "title", "x"]
    assert out["n"].tolist() == ["007", "2"]
    assert out["tone"].tolist() == ["negative", "positive"]
    assert float(out["p_negative"][0]) > 0.5
    assert out[["p_negative", "p_neutral", "p_positive"]].astype(float).sum(axis=1).tolist() == pytest.approx(
        [1, 1], abs=1e-4
    )


def test_a_row_without_words_is_given_no_opinion(model, tmp_path):
    (tmp_path / "in.csv").write_text('n,title\n1,"Brine shares plunge in Saltmere"\n2,\n3,"  "\n')
    told = scoring.score_table(model, tmp_path / "in.csv", tmp_path / "out.csv")
    assert (told["rows"], told["without_words"], told["tones"]) == (3, 2, {"negative": 1})
    out = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False)
    assert out["tone"].tolist() == ["negative", "", ""]
    assert out["p_negative"].tolist()[1:] == ["", ""]
    titles = ["Brine shares plunge in Saltmere", None, " "]
    for kind in ("object", "string", "category"):
        pd.DataFrame({"title": pd.Series(titles, dtype=kind)}).to_parquet(tmp_path / "in.parquet")
        told = scoring.score_table(model, tmp_path / "in.parquet", tmp_path / "out.parquet")
        assert (told["rows"], told["without_words"]) == (3, 2)
        assert [
            None if pd.isna(cell) else cell for cell in pd.read_parquet(tmp_path / "out.parquet")["title"]
        ] == titles


def test_only_rows_that_measure_a_model_are_said_to_flatter(tmp_path, home, capsys):
    plan, flattered = replace(PLAN, progress=True), "held-out rows also stand in train"
    rows = titles(KNOWN)
    training.train_bundle(rows, tmp_path / "apart", plan)
    training.train_bundle(rows.groupby("sentiment").head(8), tmp_path / "few", plan)
    err = capsys.readouterr().err
    assert "tone-en: linear on" in err and "tone-en is not measured on other rows" in err
    assert flattered not in err
    loud = rows.assign(title=rows["title"].str.upper())
    training.train_bundle(pd.concat([rows, loud], ignore_index=True), tmp_path / "twice", plan)
    assert flattered in capsys.readouterr().err


def test_a_model_at_chance_level_is_told(tmp_path, home, capsys):
    rows = titles(KNOWN)
    told = training.train_bundle(rows, tmp_path / "good", PLAN)
    assert "warning" not in capsys.readouterr().err
    rows["sentiment"] = np.random.default_rng(0).permutation(rows["sentiment"])
    training.train_bundle(rows, tmp_path / "chance", PLAN)
    assert "tone-en is not surely better than always saying" in capsys.readouterr().err
    about = json.loads((tmp_path / "chance" / "monitor.json").read_text())
    assert "warning" in about["slots"]["tone-en"] and "warning" not in about["slots"]["topic-en"]
    assert told


def test_where_no_words_can_be_held_out_rows_at_random_are():
    table = pd.DataFrame({"text": [f"{word} {n % 10}" for word in ("good", "bad") for n in range(60)]})
    table["label"] = table["text"].str[0]
    inside, outside = slot_training._split(table, np.random.default_rng(0))
    assert (len(inside), len(outside)) == (96, 24)
    assert sorted([*inside["text"], *outside["text"]]) == sorted(table["text"])
    assert set(outside["label"]) == {"g", "b"}


def test_too_few_rows_to_keep_any_back_claim_no_accuracy(tmp_path, home, capsys):
    rows = pd.DataFrame({"title": [f"{word} {sign}" for word in ("good", "bad") for sign in "abcdefghijkl"]})
    rows["sentiment"] = np.where(rows["title"].str.startswith("good"), "positive", "negative")
    rows = labelled.clean_rows(rows.assign(language="en"), "here")
    rows = rows[[not labelled.is_held_out(title) for title in rows["title"]]].head(22).reset_index(drop=True)
    slot = training.train_bundle(rows, tmp_path / "m", PLAN)["tone-en"]
    assert load(tmp_path / "m" / "tone-en").card["metrics"] == {}
    assert slot["validation_accuracy"] == {} and "threshold" not in slot and "warning" not in slot
    assert "not measured on other rows" in slot["reason"]
    assert "tone-en is not measured on other rows" in capsys.readouterr().err
    assert classify.load_bundle(tmp_path / "m")(["good b"], ["en"])[0].tone == "positive"


def test_accuracies_on_few_rows_come_with_their_number_and_a_caution(tmp_path, home, capsys):
    signs = [f"{a}{b}" for a in "abcdefgh" for b in "klmnopqr"]
    rows = pd.DataFrame({"title": [f"{word} {sign}" for word in ("good", "bad") for sign in signs]})
    rows["sentiment"] = np.where(rows["title"].str.startswith("good"), "positive", "negative")
    rows = labelled.clean_rows(rows.assign(language="en"), "here")
    few = training.train_bundle(rows, tmp_path / "few", PLAN)["tone-en"]
    assert 5 <= few["validation_rows"] < 30
    caution = f"{few['validation_rows']} validation rows are few"
    assert few["caution"].startswith(caution)
    assert f"caution: tone-en: {caution}" in capsys.readouterr().err
    many = training.train_bundle(titles(KNOWN), tmp_path / "many", PLAN)["tone-en"]
    assert many["validation_rows"] >= 30 and "caution" not in many
    rows.to_csv(tmp_path / "rows.csv", index=False)
    command = ["train", "--data", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "m"), "--methods", "linear"]
    said = json.loads(CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False).stdout)
    assert 0 < said["held_out"] < 30
    assert said["caution"].startswith(f"{said['held_out']} held-out titles are few")


def test_columns_are_named_as_the_file_names_them(tmp_path):
    (tmp_path / "d.csv").write_text("text,label\na ferry sinks,negative\n")
    with pytest.raises(InputError, match="found text, label in"):
        labelled.read_rows(tmp_path / "d.csv")


def test_scoring_what_was_scored_keeps_every_column(model, tmp_path):
    for n, title in enumerate(("Brine shares plunge in Saltmere",) * 3):
        source = tmp_path / f"{n - 1}.csv"
        if n == 0:
            pd.DataFrame({"title": [title], "topic": ["mine"]}).to_csv(source, index=False)
        scoring.score_table(model, source, tmp_path / f"{n}.csv")
        before, after = (pd.read_csv(path, dtype=str) for path in (source, tmp_path / f"{n}.csv"))
        pd.testing.assert_frame_equal(after[list(before.columns)], before)
        assert len(after.columns) == len(before.columns) + 7
    assert {"predicted_topic", "predicted_topic_2", "predicted_topic_3", "tone", "predicted_tone"} <= set(after)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("soon,tea,4", "'soon' in row 5 of"),
        ("2026-01-05T01:00:00Z,tea,many", "'many' in row 5 of"),
        ("2026-01-05T01:00:00Z,tea,-1", "row 5: -1"),
    ],
)
def test_counts_name_the_row_that_the_file_shows(tmp_path, row, found):
    (tmp_path / "c.csv").write_text(f"time,topic,documents\n,,\n\n2026-01-05T00:00:00Z,tea,3\n{row}\n")
    with pytest.raises(InputError, match=found):
        scoring.detect_table(tmp_path / "c.csv", tmp_path / "a.jsonl", 1.0, "", 1.3, info=False)


def test_score_never_overwrites_a_column(model, tmp_path):
    pd.DataFrame({"title": ["Brine shares plunge in Saltmere"], "topic": ["mine"]}).to_csv(
        tmp_path / "in.csv", index=False
    )
    command = ["score", "--model", str(model), "--data", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")]
    assert CliRunner().invoke(app, command).exit_code == 0
    out = pd.read_csv(tmp_path / "out.csv", dtype=str)
    assert (out["topic"][0], out["predicted_topic"][0], out["tone"][0]) == ("mine", "banks", "negative")


def test_spellings_of_a_language_are_one_slot(model, tmp_path, home):
    rows = titles(KNOWN)
    rows["language"] = np.resize(["EN", "en-GB", "en", ""], len(rows))
    rows.to_csv(tmp_path / "rows.csv", index=False)
    assert set(labelled.read_rows(tmp_path / "rows.csv")["language"]) == {"en"}
    content = "title,language\n\nBrine shares plunge,en_US\nBrine shares plunge,Chinese\n"
    (tmp_path / "in.csv").write_text(content)
    with pytest.raises(InputError, match="'Chinese' in row 4 of"):
        scoring.score_table(model, tmp_path / "in.csv", tmp_path / "out.csv")
    (tmp_path / "in.csv").write_text(content.replace("title,", "sentiment,title,").replace("Brine", "neutral,Brine"))
    with pytest.raises(InputError, match="'Chinese' in row 4 of"):
        labelled.read_rows(tmp_path / "in.csv")
    (tmp_path / "in.csv").write_text(content.rsplit("Brine", 1)[0])
    assert scoring.score_table(model, tmp_path / "in.csv", tmp_path / "out.csv")["tones"] == {"negative": 1}


def test_a_damaged_bundle_is_named(model, tmp_path):
    (model / "tone-en" / "fieldtune.json").write_text("{}")
    with pytest.raises(ArtefactError, match="tone-en"):
        retraining.load_bundle(model)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"headline": ["a"]}, "title"),
        ({"title": ["a"], "sentiment": ["bearish"]}, "tones"),
        ({"title": ["a", "b"], "sentiment": ["negative", "neutral"]}, "at least 20 rows"),
        ({"title": [f"t{n}" for n in range(40)], "sentiment": ["negative"] * 40}, "two labels"),
        ({"title": ["a", "b"], "sentiment": ["neutral"] * 2, "language": ["en", "Chinese"]}, "'Chinese' in row 3 of"),
    ],
)
def test_bad_training_tables_are_one_clear_error(tmp_path, home, columns, words):
    pd.DataFrame(columns).to_csv(tmp_path / "d.csv", index=False)
    with pytest.raises(InputError, match=words):
        training.train_bundle(labelled.read_rows(tmp_path / "d.csv"), tmp_path / "m", PLAN)
    assert not (tmp_path / "m").exists()


def test_without_a_held_out_row_nothing_is_written(tmp_path, home):
    rows = titles(KNOWN)
    rows = rows[[not labelled.is_held_out(title) for title in rows["title"]]].head(120)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    before = sorted(tmp_path.iterdir())
    command = ["train", "--data", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "model"), "--methods", "linear"]
    with pytest.raises(InputError, match="held out"):
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("methods", "found"), [("", "none"), (" , ", "none"), ("linear,quantum", "'quantum'")])
def test_methods_that_are_none_are_refused_before_anything_is_written(tmp_path, home, methods, found):
    titles(KNOWN).to_csv(tmp_path / "rows.csv", index=False)
    command = ["train", "--data", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "m"), "--methods", methods]
    with pytest.raises(InputError, match=f"linear, head, full; found {found}"):
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert not (tmp_path / "m").exists()


def said(rows, model):
    return [
        Feedback(
            "monitor",
            f"s{n}",
            "tone",
            "u",
            "en",
            payload={"title": r.title, "sentiment": r.sentiment, "origin": str(model)},
        )
        for n, r in enumerate(rows.itertuples())
    ]


def opinions_of(model, rows):
    return retraining.load_bundle(registry.serving("monitor", model))(rows["title"].tolist(), ["en"] * len(rows))


def test_corrections_make_a_better_model_and_a_rollback_restores_the_old_answers(model, home):
    new = titles(NEW)
    before = opinions_of(model, new)
    verdict = retraining.retrain(said(new, model), home=home, now=NOW, progress=False)
    assert verdict.promoted, verdict.reason
    after = opinions_of(model, new)
    right = [sum(o.tone == tone for o, tone in zip(found, new["sentiment"], strict=True)) for found in (before, after)]
    assert right[1] > right[0]
    registry.rollback("monitor", now=NOW)
    assert opinions_of(model, new) == before
    with pytest.raises(RefusedError, match="run the command again"):  # it was begun before the rollback
        began = registry.version_folder(verdict.version)
        training.publish_bundle(model, model, titles(KNOWN), now=NOW, present=began)
    assert opinions_of(model, new) == before


def test_what_was_said_about_another_model_is_not_learnt(model, home):
    new = titles(NEW)
    elsewhere = titles(NEW, towns=("Otherton",)).assign(sentiment="neutral")
    nowhere = titles(NEW, NAMES[:2], towns=("Plainfield",))
    rows = [*said(elsewhere, model.with_name("other")), *said(nowhere, ""), *said(new, model)]
    verdict = retraining.retrain(rows, home=home, now=NOW, progress=False)
    assert verdict.promoted, verdict.reason
    learnt = set(pd.read_csv(registry.serving("monitor", model) / training.ROWS)["title"])
    assert {title for title in nowhere["title"] if not labelled.is_held_out(title)} <= learnt
    assert not set(elsewhere["title"]) & learnt


def test_random_labels_are_refused(model, home):
    new = titles(NEW)
    rng = np.random.default_rng(0)
    noise = rng.random(len(new)) < 0.3
    new.loc[noise, "sentiment"] = rng.choice(["negative", "neutral", "positive"], int(noise.sum()))
    serving = registry.serving("monitor", model)
    verdict = retraining.retrain(said(new, model), home=home, now=NOW, progress=False)
    assert not verdict.promoted
    assert registry.serving("monitor", model) == serving


def test_held_out_rows_that_users_corrected_are_told_apart_and_train_nothing(model, home, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        retraining, "publish_bundle", lambda folder, origin, rows, spoken, **_: seen.update(rows=rows, spoken=spoken)
    )
    known = titles(KNOWN)
    old = known[[labelled.is_held_out(title) for title in known["title"]]].head(3)
    new = titles(NEW)
    with pytest.raises(AttributeError):  # there is no verdict
        retraining.retrain(said(pd.concat([old, new]), model), home=home, now=NOW, progress=True)
    held = {title for title in new["title"] if labelled.is_held_out(title)}
    assert set(seen["spoken"].rows["title"]) == held | set(old["title"])
    assert not set(seen["rows"]["title"]) & set(seen["spoken"].rows["title"])
    assert set(known["title"]) - set(old["title"]) < set(seen["rows"]["title"])
    learnt, dealt = (pd.read_csv(seen["spoken"].control.with_name(n) / training.ROWS) for n in ("model", "control"))
    own = learnt["title"].isin(new["title"])
    assert learnt["title"].tolist() == dealt["title"].tolist()
    assert (learnt["sentiment"] == dealt["sentiment"])[~own].all()
    assert (learnt["sentiment"] == dealt["sentiment"])[own].mean() < 0.5
    assert sorted(learnt["sentiment"]) == sorted(dealt["sentiment"])


def test_where_users_corrected_every_held_out_row_nothing_can_judge(model, home):
    rows = titles(KNOWN)
    rows = rows[[labelled.is_held_out(title) for title in rows["title"]]]
    serving = registry.serving("monitor", model)
    with pytest.raises(InputError, match="held out"):
        retraining.retrain(said(rows, model), home=home, now=NOW, progress=False)
    assert registry.serving("monitor", model) == serving


@pytest.mark.parametrize(("better", "most", "least"), [(0.0, 0.06, 0.0), (0.12, 1.0, 0.8)])
def test_a_bundle_no_better_is_rarely_promoted_on_what_the_serving_one_misread(
    home, tmp_path, monkeypatch, better, most, least
):
    """Readers that err independently in 15 % of rows; users correct only what the one that serves misread."""
    rng = np.random.default_rng(0)
    rights = {"new": 0.85 + better, "serving": 0.85, "control": 0.85}
    monkeypatch.setattr(training, "load_bundle", lambda folder: folder.name)

    def scores(name, rows):
        chance = 0.0 if name == "serving" and "misread" in rows else rights[name]
        right = (rng.random(len(rows)) < chance).astype(float)
        return np.stack([right, np.full(len(rows), np.nan)], axis=1)

    monkeypatch.setattr(training, "label_scores", scores)
    monkeypatch.setattr(registry, "publish", lambda *a, rng, parts, **_: gate.decide(a[3], rng, gate.INCUMBENT, parts))
    nobody = pd.DataFrame({"title": [f"t{n}" for n in range(3000)], "sentiment": "neutral", "topic": ""})
    spoken = training.Spoken(nobody.head(30).assign(misread=True), tmp_path / "control")
    promoted = [
        training.publish_bundle(
            tmp_path / "new", tmp_path, nobody, now=NOW, present=tmp_path / "serving", spoken=spoken
        ).promoted
        for _ in range(150)
    ]
    assert least <= np.mean(promoted) <= most


def verdict_on(rows, misread, spoken, folder, monkeypatch):
    """The gate's verdict where each bundle misreads both labels of its titles; it says "no" there."""
    truth = {row.title: row for row in rows.itertuples()}

    def bundle_of(path):
        def read(titles, _languages):
            wrong = misread[path.name]
            return [
                classify.Opinion("no", True, "no", {}, False) if title in wrong
                else classify.Opinion(truth[title].topic, True, truth[title].sentiment, {}, False)
                for title in titles
            ]  # fmt: skip

        return read

    monkeypatch.setattr(training, "load_bundle", bundle_of)
    monkeypatch.setattr(registry, "publish", lambda *a, rng, parts, **_: gate.decide(a[3], rng, gate.INCUMBENT, parts))
    return training.publish_bundle(
        folder / "new", folder, rows, now=NOW, present=folder / "serving",
        spoken=training.Spoken(spoken, folder / "control") if spoken is not None else None,
    )  # fmt: skip


def test_the_gate_counts_titles_not_labels(tmp_path, home, monkeypatch):
    """Errors in tone and topic go together here, so a second label says nothing new and narrows no interval."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"title": [f"t{n}" for n in range(4000)], "sentiment": "neutral", "topic": "tea", "language": "en"}
    )
    held = labelled.held_out(rows)["title"]
    misread = {name: set(held[rng.random(len(held)) < wrong]) for name, wrong in (("new", 0.15), ("serving", 0.2))}
    both = verdict_on(rows, misread, None, tmp_path, monkeypatch)
    one = verdict_on(rows.assign(topic=""), misread, None, tmp_path, monkeypatch)
    assert both.standings == one.standings
    gain = held.isin(misread["serving"]).astype(float) - held.isin(misread["new"]).astype(float)
    new = next(standing for standing in both.standings if standing.name == "new")
    assert (new.gain_high - new.gain_low) / 2 == pytest.approx(stats.norm.ppf(0.975) * stats.sem(gain), rel=0.1)


def test_what_serves_is_allowed_each_label_that_it_or_the_control_reads(tmp_path, home, monkeypatch):
    """The one reads the tone, the other the topic: together they read the whole title."""
    labels = {"serving": [[1.0, 0.0]], "control": [[0.0, 1.0]], "new": [[1.0, 1.0]]}
    monkeypatch.setattr(training, "load_bundle", lambda folder: folder.name)
    monkeypatch.setattr(training, "label_scores", lambda name, rows: np.array(labels[name] * len(rows)))
    monkeypatch.setattr(registry, "publish", lambda *a, **more: (a[3], more["parts"], more["details"]))
    rows = titles(KNOWN)
    scores, parts, details = training.publish_bundle(
        tmp_path / "new", tmp_path, rows, now=NOW, present=tmp_path / "serving",
        spoken=training.Spoken(rows.head(30), tmp_path / "control"),
    )  # fmt: skip
    corrected = parts["rows users corrected"]
    assert corrected.sum() == 30
    assert set(scores[gate.INCUMBENT][corrected]) == {1.0}
    assert set(scores[gate.INCUMBENT][~corrected]) == {0.5}
    assert len(scores["new"]) == len(labelled.held_out(rows)) + 30
    assert details["control"] == 0.5


def test_dismissed_alerts_alone_train_nothing(model, home):
    rows = [Feedback("monitor", "incident", "dismissed", "u", payload={"evidence": ["a"]})]
    with pytest.raises(InputError, match="corrected tones"):
        retraining.retrain(rows, home=home, now=NOW, progress=False)


def test_a_correction_of_the_tone_keeps_the_topic():
    known = titles({"negative": ("{} sinks",)}, NAMES[:1], ("Saltmere",))
    corrected = retraining.corrections(
        [Feedback("monitor", "s", "tone", "u", "en", payload={"title": known["title"][0], "sentiment": "neutral"})]
    )
    merged = retraining.merged(known, corrected)
    assert merged.loc[0, ["sentiment", "topic"]].tolist() == ["neutral", "banks"]
    assert len(merged) == 1


@given(
    st.lists(
        st.sampled_from(["UPDATE 1-", "Breaking: ", "【快讯】", "Hull cracks", " - ", "Openbell", " "]), max_size=8
    ),
    st.sampled_from(["", "Openbell"]),
)
def test_a_bare_title_stays_bare(parts, source):
    once = bare_title("".join(parts), source)
    assert bare_title(once, "") == bare_title(once, source) == once or not bare_title(once, source).strip()


WRAPPED = ("UPDATE 1-{}", "{} - Openbell", "BREAKING: {}_Openbell", "<b>{}</b>")


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_one_title_in_two_wrappings_is_one_row_on_one_side_of_the_gate(wrapping, tmp_path):
    known = titles(KNOWN)
    again = known.assign(
        title=[wrapping.format(title) for title in known["title"]], source="Openbell", sentiment="neutral"
    )
    pd.concat([known.assign(source=""), again]).to_csv(tmp_path / "rows.csv", index=False)
    rows = labelled.read_rows(tmp_path / "rows.csv")
    assert sorted(rows["title"]) == sorted(known["title"])
    assert set(rows["sentiment"]) == {"neutral"}
    assert set(rows["topic"]) == {"banks", "ferries"}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_what_is_corrected_on_the_page_is_held_out_where_its_title_is(wrapping, home):
    known = labelled.clean_rows(titles(KNOWN), "here")
    for title in known["title"][:40]:
        story = {"identity": title, "title": wrapping.format(title), "source": "Openbell", "tone": "x", "language": ""}
        views.correct_tone(story, "neutral", "u", "o", NOW)
    with registry.open_home().begin() as connection:
        corrected = retraining.corrections(feedback.rows(connection, "monitor"))
    assert set(corrected["title"]) == set(known["title"][:40])
    held = [labelled.is_held_out(title) for title in corrected["title"]]
    assert any(held)
    assert len(retraining.merged(known, corrected)) == len(known)


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("UPDATE 2-Brine boss jo@brine.example jailed - Openbell", "Brine boss [email] jailed"),
        ("Windle loses 4111 1111 1111 1111 of a customer", "Windle loses [card] of a customer"),
        ("UPDATE 1-13812345678 is the number to call", "[phone] is the number to call"),
        ("Brine 2026 profit up 3 %, 12,500 jobs", "Brine 2026 profit up 3 %, 12,500 jobs"),
    ],
)
def test_labelled_titles_are_kept_without_personal_data(title, kept, tmp_path, home):
    extra = pd.DataFrame({"title": [title], "sentiment": "negative", "topic": "banks", "source": "Openbell"})
    pd.concat([titles(KNOWN), extra]).to_csv(tmp_path / "rows.csv", index=False)
    rows = labelled.read_rows(tmp_path / "rows.csv")
    training.train_bundle(rows, tmp_path / "m", PLAN)
    learnt = pd.read_csv(tmp_path / "m" / training.ROWS, dtype=str, keep_default_na=False)
    assert learnt["title"].tolist()[-1] == kept
    assert labelled.clean_rows(learnt, "again")["title"].tolist() == learnt["title"].tolist()
    payload = {"title": title, "sentiment": "neutral", "source": "Openbell"}
    with registry.open_home().begin() as connection:
        feedback.record(connection, Feedback("monitor", "s", "tone", "u", payload=payload), NOW)
        corrected = retraining.corrections(feedback.rows(connection, "monitor"))
    assert corrected["title"].tolist() == [kept]  # the same row, on the same side of the gate


def test_score_reads_a_title_as_the_monitor_does(model, tmp_path):
    unsure = "Brine shares"
    table = pd.DataFrame({"title": [unsure, *(wrapping.format(unsure) for wrapping in WRAPPED)]})
    table.assign(source="Openbell").to_csv(tmp_path / "in.csv", index=False)
    scoring.score_table(model, tmp_path / "in.csv", tmp_path / "out.csv")
    assert pd.read_csv(tmp_path / "out.csv")["p_negative"].nunique() == 1


def test_a_topic_moves_to_the_encoder_of_a_tone_trained_again(tiny_encoder, tmp_path, home):
    def train(name, method, rows, keep=None):
        plan = slot_training.Plan(encoder=str(tiny_encoder), methods=(method,), max_steps=3, progress=False)
        training.train_bundle(rows, tmp_path / name, plan, keep)
        return tmp_path / name

    for method, same in (("full", False), ("head", True)):
        old = train(f"old-{method}", method, titles(KNOWN))
        rows = pd.concat([titles(KNOWN), titles(NEW)], ignore_index=True)
        new = train(f"new-{method}", method, rows, {"topic-en": old / "topic-en"})
        models = classify.shared({name: load(new / name) for name in ("tone-en", "topic-en")}, new)
        assert models["tone-en"].features is models["topic-en"].features
        heads = [(folder / "topic-en" / "head.safetensors").read_bytes() for folder in (old, new)]
        assert (heads[0] == heads[1]) is same


def test_tone_and_topic_read_with_one_encoder_as_each_would_alone(tiny_encoder, tmp_path, home):
    rows, out = titles(KNOWN), tmp_path / "model"
    plan = slot_training.Plan(encoder=str(tiny_encoder), methods=("full",), max_steps=3, progress=False)
    assert training.train_bundle(rows, out, plan)["topic-en"]["method"] == "head"
    alone = {name: load(out / name) for name in ("tone-en", "topic-en")}
    models = classify.shared({name: load(out / name) for name in alone}, out)
    assert models["tone-en"].features is models["topic-en"].features
    some = rows["title"].tolist()
    for texts in (some[:9], some[9:12], some[:9]):
        for name, model in models.items():
            np.testing.assert_array_equal(model.logits(texts), alone[name].logits(texts))


def test_what_a_newsroom_puts_around_a_title_is_not_read_and_a_copy_is_read_once() -> None:
    asked: list[str] = []

    def read(titles: Sequence[str], languages: Sequence[str]) -> list[classify.Opinion]:
        asked.extend(titles)
        return [classify.Opinion("ships", True, "negative", {"negative": 0.9}, True) for _ in titles]

    judge = classify.make_judge(read, lambda text: (), ["ships"])
    first = Document("1", "1", "Hull cracks - Openbell", "", "", "Openbell", "en", 0, 0, 0)
    copies = [first, replace(first, id="2", identity="2", title="UPDATE 1-Hull cracks", source="Windle")]
    assert [one.topics for one in judge(copies)] == [("ships",), ("ships",)]
    judge([replace(first, id="3", identity="3", title="Hull cracks")])
    assert asked == ["Hull cracks"]


class Between(threading.Event):
    """Does something between two looks of a running monitor, and stops it after the last."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        super().__init__()
        self.steps = list(steps)

    def wait(self, timeout: float | None = None) -> bool:
        if not self.steps:
            return True
        self.steps.pop(0)()
        return super().wait(timeout)


def test_promotion_and_rollback_reach_a_running_monitor(model, tmp_path, home):
    """Stories of one wording arrive before, after the promotion, and after the rollback; each is judged by what serves,
    stays as it was judged, and is there once. A version that cannot be loaded leaves the one before at work."""
    path, wording = tmp_path / "s.jsonl", "{} axed by regulators in Saltmere"
    (tmp_path / "monitor.toml").write_text(
        'model = "model"\n[[topics]]\nname = "banks"\n[[topics]]\nname = "ferries"\n'
        '[[sources]]\nkind = "file"\npath = "s.jsonl"\nevery = "1s"\n[[sinks]]\nkind = "jsonl"\npath = "a.jsonl"\n'
    )

    def tell(names):
        with path.open("a") as file:
            for name in names:
                file.write(json.dumps({"title": wording.format(name), "source": name}) + "\n")

    def promote():
        verdict = retraining.retrain(said(titles(NEW), model), home=home, now=NOW, progress=False)
        assert verdict.promoted
        tell(NAMES[3:6])

    def back():
        registry.rollback("monitor", now=NOW)
        tell(NAMES[6:9])

    def damage():
        promoted = [version for version in registry.versions() if not version["serving"]]
        registry.reinstate("monitor", model, promoted[0]["id"], now=NOW)
        (registry.version_folder(promoted[0]["id"]) / "tone-en" / "fieldtune.json").write_text("{}")
        tell(NAMES[9:])

    tell(NAMES[:3])
    settings = read_config(tmp_path / "monitor.toml")
    old = [o.p_negative for o in judged(settings, wording, NAMES)]
    wire.run(settings, once=False, stop=Between(promote, back, damage, lambda: None), progress=runner.silent)
    with wire.open_monitor_store(wire.store_place(settings)).begin() as connection:
        rows = connection.execute(text("SELECT title, p_negative FROM documents")).all()
    assert sorted(row[0] for row in rows) == sorted(wording.format(name) for name in NAMES)
    found = dict(map(tuple, rows))
    same = [found[wording.format(name)] == p for name, p in zip(NAMES, old, strict=True)]
    assert same == [True] * 3 + [False] * 3 + [True] * 4


@pytest.mark.parametrize(
    ("topics", "found"),
    [
        (
            {"bankz": [], "ferriez": []},
            "found bankz, ferriez; fix: did you mean 'banks' for 'bankz', 'ferries'",
        ),
        ({"banks": [], "Ferries": []}, "found Ferries; fix: did you mean 'ferries' for 'Ferries'"),
        ({"banks": [], "rail": []}, "found rail; fix: use one of these, or give the topic keywords"),
    ],
)
def test_a_topic_that_nothing_would_find_is_refused(model, tmp_path, cli, topics, found):
    tables = "".join(f"[[topics]]\nname = {json.dumps(n)}\nkeywords = {json.dumps(w)}\n" for n, w in topics.items())
    source = '[[sources]]\nkind = "file"\npath = "s.csv"\n[[sinks]]\nkind = "stdout"\n'
    (tmp_path / "m.toml").write_text(f'model = "model"\n{tables}{source}')
    (tmp_path / "s.csv").write_text("title\nBanks fall\n")
    alerts = tmp_path / "a.jsonl"
    for command in (("replay", "--input", tmp_path / "s.csv", "--alerts", alerts), ("run", "--once")):
        ran = cli("monitor", command[0], "--config", tmp_path / "m.toml", *command[1:])
        assert ran.code == 1
        assert f"topics that the model knows (banks, ferries); {found}" in ran.err
    assert not alerts.exists()


def test_a_topic_of_keywords_alone_beside_a_model_is_told_and_found(model, tmp_path, capsys):
    topics = {"banks": [], "rail": ["strike"], "ferry": ["zzz"]}
    tables = "".join(f"[[topics]]\nname = {json.dumps(n)}\nkeywords = {json.dumps(w)}\n" for n, w in topics.items())
    (tmp_path / "m.toml").write_text(f'model = "model"\n{tables}')
    judge, _ = wire.judge_of(read_config(tmp_path / "m.toml"))
    said = capsys.readouterr().err
    assert "does not know the topic rail: only its keywords find it\n" in said
    assert "the topic ferry: only its keywords find it; did you mean ferries, which nobody watches?" in said
    titles = (NAMES[0], f"{NAMES[0]} strike", "Qwpl strike zzxv")
    given = [Document(title, title, title, "", "", title, "en", 0, 0, 0) for title in titles]
    plain, both, strange = (judgement.topics for judgement in judge(given))
    assert "rail" in both and both == (*plain, "rail")
    assert strange == ("rail",)


def test_a_damaged_bundle_is_refused_before_its_topics_are_read(model, tmp_path, cli):
    damaged = tmp_path / "damaged"
    shutil.copytree(model, damaged)
    (damaged / "monitor.json").write_text('{"slots": {"topic-en": "x"}}')
    (tmp_path / "m.toml").write_text('model = "damaged"\n[[topics]]\nname = "banks"\n')
    (tmp_path / "s.csv").write_text("title\nBanks fall\n")
    alerts = ("--alerts", tmp_path / "a.jsonl")
    ran = cli("monitor", "replay", "--config", tmp_path / "m.toml", "--input", tmp_path / "s.csv", *alerts)
    assert ran.code == 1
    assert "monitor.json" in ran.err
    assert "AttributeError" not in ran.err


def judged(config, wording, names):
    judge, _ = wire.judge_of(config)
    return judge([Document(n, n, wording.format(n), "", "", n, "en", 0, 0, 0) for n in names])
