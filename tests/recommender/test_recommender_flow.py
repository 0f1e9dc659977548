"""Through the command line: train, evaluate, recommend, rank; honest cuts, damage, feedback, rollback."""

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from fieldtune import decisions, feedback, registry
from fieldtune.errors import ArtefactError, InputError, RefusedError
from fieldtune.models.folder import locked, verify
from fieldtune.retraining import workplace
from fieldtune_recommender import (
    bundle,
    commands,
    improving,
    measuring,
    opening,
    reading,
    remembering,
    tastes,
    training,
    wire,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def shop(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy of the trained folder, put into service in this test's registry."""
    folder = tmp_path / "shop"
    shutil.copytree(trained[0], folder)
    scores = {"first": np.ones(5)}
    registry.publish(bundle.APP, folder, {"first": folder}, scores, rng=np.random.default_rng(0), now=NOW)
    return folder


def test_a_sentence_the_encoder_cannot_read_counts_for_nothing_and_is_told(
    trained: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    encode, quietly = opening._encoder(trained[0])
    read = encode(["tea for the kitchen"])
    assert np.linalg.norm(read) == pytest.approx(1, abs=1e-3)
    assert capsys.readouterr().err == ""
    assert not encode(["зимний поход в горы"]).any()
    assert "cannot read" in capsys.readouterr().err
    assert not encode(["зимний поход в горы"]).any() and not quietly(["поход"]).any()
    assert capsys.readouterr().err == ""  # once is enough


def test_a_list_says_what_orders_it(shop: Path, cli: Callable[..., Any]) -> None:
    """A chance stands beside an item only where it orders the list; a sentence that fits nothing is told."""
    asked = ["recommender", "recommend", "--model", shop, "--user", "u003", "-k", "5"]
    usual = cli(*asked)
    assert usual.out.count("%: ") == 5 and "ordered_by: chance" in usual.out and "note" not in usual.err
    told = cli(*asked, "--interest", "绿茶")
    assert "%" not in told.out and "ordered_by: sentence" in told.out and "You asked for: 绿茶" in told.out
    unheard = cli(*asked, "--interest", "зимний поход")
    assert "No item shares a word" in unheard.err and "%: " in unheard.out
    assert unheard.out.split("model_version")[0] == usual.out.split("model_version")[0]


def test_training_reports_every_rival_with_intervals(trained: tuple[Path, dict[str, Any]]) -> None:
    found = trained[1]
    names = {found["answers_with"], *found["rivals"]}
    assert {
        "recent_popularity",
        "without_text",
        "frozen_text",
        "tuned_text",
        "item_knn",
        "bm25",
        "near_frozen",
    } <= names
    assert all({"mean", "low", "high"} <= set(row["gain"]) for row in found["rivals"].values())
    assert found["verdict"]["promoted"] and found["verdict"]["winner"] == found["answers_with"]
    best = max(row["ndcg@10"] for name, row in found["rivals"].items() if name in bundle.METHODS)
    assert found["ndcg@10"] >= best


def test_evaluate_agrees_with_training_and_looks_only_behind_the_cut(
    shop: Path,
    trained: tuple[Path, dict[str, Any]],
    shop_files: tuple[Path, Path],
    tmp_path: Path,
    cli: Callable[..., Any],
) -> None:
    ran = cli("recommender", "evaluate", "--model", str(shop), "--events", str(shop_files[0]), "--json")
    assert ran.code == 0, ran.err
    assert ran.json["ndcg@10"] == pytest.approx(trained[1]["ndcg@10"])
    assert ran.json["n_users"] == trained[1]["n_users"]
    events = pd.read_csv(shop_files[0])
    events[events["time"] >= ran.json["cut"]].to_csv(tmp_path / "after.csv", index=False)
    after = cli("recommender", "evaluate", "--model", str(shop), "--events", str(tmp_path / "after.csv"), "--json")
    assert after.json["ndcg@10"] == ran.json["ndcg@10"]
    events[events["time"] < ran.json["cut"]].to_csv(tmp_path / "before.csv", index=False)
    before = cli("recommender", "evaluate", "--model", str(shop), "--events", str(tmp_path / "before.csv"))
    assert before.code == 1 and "after the cut" in before.err


def test_the_held_out_part_teaches_nothing(
    trained: tuple[Path, dict[str, Any]], shop_files: tuple[Path, Path], tiny_encoder: Path, tmp_path: Path
) -> None:
    """Train again with other items in the last fifth: trees, vectors and tower stay as they were."""
    first = bundle.read(trained[0])
    events = pd.read_csv(shop_files[0])
    late = events["time"] >= first.cut
    events.loc[late, "item"] = np.random.default_rng(3).permutation(events.loc[late, "item"])
    events.to_csv(tmp_path / "events.csv", index=False)
    data = reading.read(tmp_path / "events.csv", shop_files[1], reading.Schema())
    options = training.Options(model=str(tiny_encoder), steps=2, settings={"batch_rows": 16, "max_length": 24})
    training.train(data, reading.Schema(), tmp_path / "other", options, now=NOW, progress=False)
    second = bundle.read(tmp_path / "other")
    assert second.cut == first.cut
    for name, one in first.rankers.items():
        assert second.rankers[name].model == one.model
    for name, vectors in first.vectors.items():
        assert np.array_equal(second.vectors[name], vectors)


@pytest.mark.parametrize("method", list(bundle.METHODS))
def test_every_method_can_answer_users_histories_and_sentences(shop: Path, method: str, tmp_path: Path) -> None:
    from fieldtune_recommender import texts

    one = replace(bundle.read(shop), answers_with=method)
    encoder = (
        texts.encoder(shop / bundle.ENCODER) if bundle.METHODS[method] and (shop / bundle.ENCODER).is_dir() else None
    )
    bundle.write(one, tmp_path / "other", encoder)
    opened = opening.open_shop(tmp_path / "other")
    whose = {
        "user": tastes.tastes_of(opened, ["u001"])[0],
        "stranger": tastes.tastes_of(opened, ["nobody"])[0],
        "history": tastes.taste_from(opened, ["i001", "i002"]),
        "sentence": tastes.tastes_of(opened, [""], "绿茶 and a chess clock")[0],
    }
    for taste in whose.values():
        found = wire.recommend(opened, taste, 10)
        assert len({item.item for item in found}) == 10
        assert all(0 <= item.probability <= 1 and item.reasons for item in found)
        assert not {opened.items[item.item] for item in found} & set(taste.seen.tolist())
        assert [item.item for item in wire.recommend(opened, taste, 10)] == [item.item for item in found]


def test_too_little_says_what_the_log_holds(
    shop_files: tuple[Path, Path], cli: Callable[..., Any], tmp_path: Path
) -> None:
    events, items = shop_files
    log = pd.read_csv(events)
    cases = {
        "one user": (log.assign(user="u1"), "of 1 users and 160 items, with times"),
        "ids of another catalogue": (log.assign(item="x" + log["item"]), "items without metadata"),
        "dates nobody can read": (log.assign(time="soon"), f"{len(log)} events with unreadable time"),
    }
    for name, (table, words) in cases.items():
        if name != "dates nobody can read":
            table = table.assign(user="u1")
        table.to_csv(tmp_path / "log.csv", index=False)
        ran = cli(
            "recommender", "train", "--events", tmp_path / "log.csv", "--items", items, "--out", tmp_path / "shop",
            "--max-steps", "0",
        )  # fmt: skip
        assert ran.code == 1 and words in ran.err, (name, ran.err)
        assert not any(word in ran.err for word in ("tower", "ranker", "window")), ran.err
        assert "{" not in ran.err and not (tmp_path / "shop").exists()


def test_recommend_prints_the_contract(shop: Path, cli: Callable[..., Any]) -> None:
    ran = cli("recommender", "recommend", "--model", str(shop), "--user", "u003", "-k", "4", "--json")
    assert ran.code == 0, ran.err
    assert len(ran.json["items"]) == 4 and ran.json["model_version"]
    assert {"item", "score", "probability", "reasons"} <= set(ran.json["items"][0])
    with registry.open_home().begin() as connection:
        kept = decisions.get(connection, ran.json["decision"])
    assert kept is not None and [row["item"] for row in kept["payload"]["items"]] == [
        i["item"] for i in ran.json["items"]
    ]


def test_erasing_a_user_takes_the_records_of_their_lists(shop: Path, cli: Callable[..., Any], home: Path) -> None:
    for asked in (["--user", "u001"], ["--user", "u002"], ["--interest", "tea for ann@example.org"]):
        assert cli("recommender", "recommend", "--model", shop, *asked).code == 0
    assert cli("feedback", "erase", "--user", "u001", "--json").json["lists"] == 1
    with registry.open_home().begin() as connection:
        kept = connection.execute(text("SELECT payload FROM decisions WHERE kind = 'list'")).scalars()
        asked = [json.loads(payload)["asked"] for payload in kept]
    assert sorted(one["user"] for one in asked) == ["", "u002"]
    assert "ann@example.org" not in str(asked)


def test_the_page_shows_what_the_command_shows_until_the_history_is_edited(shop: Path) -> None:
    opened = opening.open_shop(shop)
    user = tastes.busiest(opened, 1)[0]
    shown = tastes.history_of(opened, user)
    same = tastes.taste_on_page(opened, user, shown, [], "")
    assert len(same.items) > len(shown)  # the page names the last ones only
    assert wire.recommend(opened, same, 5) == wire.recommend(opened, tastes.tastes_of(opened, [user])[0], 5)
    new = next(item for item in opened.items if opened.items[item] not in same.seen)
    bought = tastes.taste_on_page(opened, user, [*shown, new], [], "")
    assert bought.items.tolist() == [*same.items.tolist(), opened.items[new]] and opened.items[new] in bought.seen
    refused = tastes.taste_on_page(opened, user, shown, [shown[-1], new], "")
    assert opened.items[shown[-1]] not in refused.items
    assert {opened.items[shown[-1]], opened.items[new]} <= set(refused.disliked.tolist())
    edited = tastes.taste_on_page(opened, user, shown[:-1], [], "")
    assert len(edited.items) == len(shown) - 1


def test_items_still_to_come_are_not_shown(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    one = bundle.read(trained[0])
    added = np.full(len(one.data.catalogue), datetime(2099, 1, 1, tzinfo=UTC).timestamp())
    later = replace(one, data=replace(one.data, catalogue=replace(one.data.catalogue, added=added)))
    bundle.write(later, tmp_path / "shop", None)
    known = opening.open_shop(tmp_path / "shop").world.snapshot.known
    assert np.flatnonzero(known).tolist() == np.unique(one.data.log.items).tolist()  # of these there are events


def test_a_batch_agrees_with_single_lists(shop: Path, cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user\nu001\nu002\nstranger\n")
    out = tmp_path / "lists.csv"
    ran = cli(
        "recommender",
        "recommend",
        "--model",
        str(shop),
        "--users",
        str(tmp_path / "users.csv"),
        "--out",
        str(out),
        "-k",
        "5",
    )
    assert ran.code == 0, ran.err
    table = pd.read_csv(out)
    assert list(table.columns) == ["user", "rank", "item", "score"] and len(table) == 15
    single = cli("recommender", "recommend", "--model", str(shop), "--user", "u002", "-k", "5", "--json").json
    assert table[table["user"] == "u002"]["item"].tolist() == [item["item"] for item in single["items"]]


def test_users_of_a_batch_are_read_as_in_training_and_unknown_ones_are_told(
    shop: Path, cli: Callable[..., Any], tmp_path: Path
) -> None:
    users, out = tmp_path / "users.csv", tmp_path / "lists.csv"
    asked = ("recommender", "recommend", "--model", shop, "--users", users, "--out", out, "-k", "5", "--json")
    users.write_text('user\n" u001 "\n""\nu001\nstranger\n')
    ran = cli(*asked)
    assert ran.json["users"] == 2 and ran.json["unknown_users"] == {"count": 1, "names": ["stranger"]}
    assert "1 of 2 users are not in the log and get what is popular: stranger" in ran.err
    assert set(pd.read_csv(out)["user"]) == {"u001", "stranger"}
    out.unlink()
    users.write_text("user\n1\n2\n3\n4\n5\n6\n")  # a column of another export
    ran = cli(*asked)
    assert ran.code == 1 and "found none in" in ran.err and "1, 2, 3, 4, 5 and " in ran.err
    assert not out.exists()


def test_many_held_out_users_are_measured_on_a_sample(
    trained: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, (_, told) = bundle.read(trained[0]), trained
    assert told["sampled_from"] == told["n_users"] > 20
    monkeypatch.setattr(measuring, "MOST_USERS", 20, raising=False)
    first, again, other = (
        measuring.held_out(one, rng=np.random.default_rng(seed), progress=False).summary(
            one.answers_with, np.random.default_rng(0)
        )
        for seed in (1, 1, 2)
    )
    assert first["n_users"] == 20 and first["sampled_from"] == told["n_users"]
    assert first == again != other
    assert f"random sample of 20 of {told['n_users']} held-out users" in capsys.readouterr().err


def test_rank_orders_the_given_candidates(shop: Path, cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "candidates.csv").write_text("item\ni010\ni011\ni012\nunknown\n")
    ran = cli(
        "recommender",
        "rank",
        "--model",
        str(shop),
        "--history",
        "i001",
        "--candidates",
        str(tmp_path / "candidates.csv"),
        "--json",
    )
    assert sorted(item["item"] for item in ran.json["items"]) == ["i010", "i011", "i012"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["recommend", "--model", "nowhere", "--user", "u1"],
        ["recommend", "--model", "SHOP"],
        ["recommend", "--model", "SHOP", "--history", "nothing,known"],
        ["recommend", "--model", "SHOP", "--user", "u001", "--diversity", "2"],
        ["recommend", "--model", "SHOP", "--users", "nowhere.csv", "--out", "x.csv"],
        ["recommend", "--model", "SHOP", "--user", "u001", "--out", "x.csv"],
        ["train", "--events", "EVENTS", "--items", "ITEMS", "--out", "x", "--positive", "good"],
        ["train", "--events", "ITEMS", "--items", "ITEMS", "--out", "x"],
        ["train", "--events", "EVENTS", "--items", "ITEMS", "--out", "x", "--columns", "user"],
        ["train", "--events", "EVENTS", "--items", "ITEMS", "--out", "x", "--max-steps", "0", "--set", "foo=1"],
        ["train", "--events", "EVENTS", "--items", "ITEMS", "--out", "x", "--max-steps", "0", "--set", "epochs=many"],
        ["update", "--model", "SHOP"],
        ["serve"],
    ],
)
def test_mistakes_are_one_line(
    shop: Path,
    shop_files: tuple[Path, Path],
    cli: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"SHOP": str(shop), "EVENTS": str(shop_files[0]), "ITEMS": str(shop_files[1])}
    ran = cli("recommender", *(places.get(argument, argument) for argument in arguments))
    assert ran.code == 1 and not ran.out
    assert len(ran.err.strip().splitlines()) == 1 and "fix:" in ran.err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("out", ["lists.txt", "taken", "file/lists.csv"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    """Neither the model nor the users exist: the complaint is about the output, which is looked at first."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    lists = cli("recommender", "recommend", "--model", "nowhere", "--users", "nowhere.csv", "--out", out)
    assert lists.code == 1 and out.split("/")[0] in lists.err, lists.err
    if out != "lists.txt":
        model = cli("recommender", "train", "--events", "nowhere.csv", "--items", "nowhere.csv", "--out", out)
        assert model.code == 1 and out.split("/")[0] in model.err, model.err


@pytest.mark.parametrize("name", [bundle.CARD, "events.parquet", "without_text.txt", "vectors_frozen.npy"])
def test_a_damaged_folder_is_refused(trained: tuple[Path, dict[str, Any]], tmp_path: Path, name: str) -> None:
    shutil.copytree(trained[0], tmp_path / "shop")
    file = tmp_path / "shop" / name
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    with pytest.raises(ArtefactError, match=name):
        opening.open_shop(tmp_path / "shop")


def purchases(shop: Path, count: int, seed: int, made_up: float) -> list[feedback.Feedback]:
    """What the users of the shop buy next, by its own law: their favourite topics, each item once; a share replaced by
    dice. Since the log ended one purchase in five is of what has come into fashion, two items a topic that few took:
    what serves now cannot know, and who learns from the purchases can."""
    rng = np.random.default_rng(seed)
    one = bundle.read(shop)
    texts = np.array([text.split(". ")[1] for text in one.data.catalogue.texts])
    log, rows = one.data.log, []
    taken = np.bincount(log.items, minlength=len(texts))
    seen = [set(log.items[log.users == user].tolist()) for user in range(len(one.data.users))]
    for number in range(count):
        user = int(rng.integers(0, len(seen)))
        own = np.flatnonzero(texts == rng.choice(texts[log.items[log.users == user]]))
        wanted = own[np.argsort(taken[own], kind="stable")[:2]] if rng.random() < 0.2 else own
        fresh = [item for item in wanted if item not in seen[user]]
        item = int(rng.choice(fresh)) if fresh and rng.random() >= made_up else int(rng.integers(0, len(texts)))
        seen[user].add(item)
        payload = {
            "item": one.data.catalogue.ids[item],
            "time": (NOW + timedelta(minutes=number)).isoformat(),
            "model": str(shop.resolve()),
        }
        rows.append(feedback.Feedback(bundle.APP, payload["item"], "purchase", one.data.users[user], payload=payload))
    return rows


def test_feedback_made_up_is_refused_and_changes_nothing(shop: Path, home: Path) -> None:
    before = registry.serving(bundle.APP, shop)
    verdict = commands.retrain(purchases(shop, 300, 0, 1.0), home=home, now=NOW, progress=False)
    assert not verdict.promoted and "chance" in verdict.reason
    assert registry.serving(bundle.APP, shop) == before


def test_purchases_become_a_version_and_rollback_restores_the_same_bytes(
    shop: Path, home: Path, cli: Callable[..., Any]
) -> None:
    ask = ("recommender", "recommend", "--model", str(shop), "--user", "u003", "--json")

    def answer() -> str:
        return json.dumps({key: value for key, value in cli(*ask).json.items() if key != "decision"})

    before = answer()
    rows = purchases(shop, 300, 1, 0.0)
    unnamed = [replace(row, payload={**row.payload, "model": ""}) for row in rows[:20]]
    verdict = commands.retrain([*unnamed, *rows[20:], *elsewhere(shop)], home=home, now=NOW, progress=False)
    assert verdict.promoted and "surely better" in verdict.reason
    assert answer() != before
    learnt = bundle.read(registry.serving(bundle.APP, shop))
    assert len(learnt.data.log) == len(bundle.read(shop).data.log) + len(rows)
    again = commands.retrain(rows, home=home, now=NOW, progress=False)
    assert not again.promoted and "learnt already" in again.reason
    with pytest.raises(InputError, match="purchases"):
        commands.retrain(purchases(shop, 3, 2, 0.0), home=home, now=NOW, progress=False)
    registry.rollback(bundle.APP, now=NOW)
    assert answer() == before


def elsewhere(shop: Path) -> list[feedback.Feedback]:
    """What was bought from another recommender."""
    return [
        replace(row, payload={**row.payload, "model": str(shop.with_name("other"))})
        for row in purchases(shop, 300, 5, 0.0)
    ]


def test_purchases_from_another_recommender_teach_nothing(shop: Path, home: Path) -> None:
    with pytest.raises(InputError, match=f"0 among 0 rows about {shop}"):
        commands.retrain(elsewhere(shop), home=home, now=NOW, progress=False)


def test_a_rollback_during_a_retraining_stands(shop: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = registry.serving(bundle.APP, shop)
    second = replace(bundle.read(shop), card={**bundle.read(shop).card, "seed": 7})
    bundle.write(second, home / "second", improving._encoder(first))
    scores = {"second": np.ones(50), "incumbent": np.zeros(50)}
    registry.publish(bundle.APP, shop, {"second": home / "second"}, scores, rng=np.random.default_rng(0), now=NOW)
    grown = improving._candidates

    def meanwhile(*given: Any) -> Any:
        registry.rollback(bundle.APP, now=NOW)
        return grown(*given)

    monkeypatch.setattr(improving, "_candidates", meanwhile)  # somebody else's hand, in the middle
    with pytest.raises(RefusedError, match="run the command again"):
        commands.retrain(purchases(shop, 300, 1, 0.0), home=home, now=NOW, progress=False)
    assert registry.serving(bundle.APP, shop) == first


def test_a_second_retraining_of_the_same_shop_waits_its_turn(shop: Path, home: Path) -> None:
    with workplace(home, bundle.APP, shop.resolve()), pytest.raises(RefusedError, match="to be free"):
        commands.retrain(purchases(shop, 300, 0, 1.0), home=home, now=NOW, progress=False)


def test_two_trainings_into_one_folder_do_not_meet(shop_data: Any, tiny_encoder: Path, tmp_path: Path) -> None:
    waiting = tmp_path / ".shop.tower-0123456789ab"
    waiting.mkdir()
    options = training.Options(model=str(tiny_encoder), steps=0)
    with locked(tmp_path / "shop"), pytest.raises(RefusedError, match="free"):
        training.train(shop_data, reading.Schema(), tmp_path / "shop", options, now=NOW, progress=False)
    assert waiting.is_dir() and not (tmp_path / "shop").exists()


def later(shop: Path, place: Path, cut: float) -> Path:
    """A version that was grown on feedback up to `cut`."""
    one = bundle.read(shop)
    bundle.write(replace(one, cut=cut), place, improving._encoder(shop))
    return place


def test_an_incumbent_is_not_examined_on_what_its_trees_have_learnt(shop: Path, tmp_path: Path) -> None:
    """The same trees under two names: equal scores, on the events after the incumbent's cut alone."""
    fresh, rng = bundle.read(shop), np.random.default_rng(0)
    cut = float(fresh.data.log.times[int(len(fresh.data.log) * 0.9)])
    place = later(shop, tmp_path / "later", cut)
    measured = measuring.held_out(fresh, rng=rng, progress=False)
    same = measuring.beside_incumbent(
        fresh, measured, shop, later(shop, tmp_path / "same", fresh.cut), rng=rng, progress=False
    )
    assert len(same["incumbent"]) == len(measured.queries.users) and "recent_popularity" in same
    assert same[fresh.answers_with].tolist() == same["incumbent"].tolist()
    scores = measuring.beside_incumbent(fresh, measured, shop, place, rng=rng, progress=False)
    users = measuring.held_out(replace(fresh, cut=cut), rng=rng, progress=False).queries.users
    assert set(scores) == {fresh.answers_with, "incumbent"}
    assert scores[fresh.answers_with].tolist() == scores["incumbent"].tolist()
    assert len(scores["incumbent"]) == len(users) < len(measured.queries.users)


def test_an_incumbent_that_has_learnt_the_whole_log_is_left_out_with_a_note(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh, rng = bundle.read(shop), np.random.default_rng(0)
    place = later(shop, tmp_path / "later", float(fresh.data.log.times[-1]) + 1.0)
    measured = measuring.held_out(fresh, rng=rng, progress=False)
    scores = measuring.beside_incumbent(fresh, measured, shop, place, rng=rng, progress=False)
    assert "incumbent" not in scores and "recent_popularity" in scores
    note = capsys.readouterr().err
    assert len(note.splitlines()) == 1 and "left out of the comparison" in note and "0 events after the cut" in note


def test_the_same_item_in_two_shops_is_two_rows(shop: Path, trained: tuple[Path, dict[str, Any]]) -> None:
    for model in (shop, trained[0], shop):
        remembering.say_back(model, "u001", "i001", "purchase", "en", NOW)
    with registry.open_home().begin() as connection:
        rows = feedback.rows(connection, bundle.APP)
    assert {row.payload["model"] for row in rows} == {str(shop.resolve()), str(trained[0].resolve())}
    assert len(rows) == 2 and {row.payload["item"] for row in rows} == {"i001"}


def test_of_what_was_said_before_the_last_word_counts_until_it_is_learnt(
    shop: Path, trained: tuple[Path, dict[str, Any]]
) -> None:
    opened = opening.open_shop(shop)
    said = [("i001", "purchase"), ("i002", "not_interested"), ("i003", "purchase"), ("i001", "not_interested")]
    for minute, (item, kind) in enumerate(said):
        remembering.say_back(shop, "u001", item, kind, "en", NOW + timedelta(minutes=minute))
    remembering.say_back(shop, "u002", "i004", "purchase", "en", NOW)
    remembering.say_back(trained[0], "u001", "i005", "purchase", "en", NOW)
    assert remembering.said_before(shop, opened, "u001") == (["i003"], ["i002", "i001"])
    assert remembering.said_before(shop, opened, "nobody") == ([], [])
    with registry.open_home().begin() as connection:
        keys = improving.feedback_table(feedback.rows(connection, bundle.APP), opened.bundle)["key"].tolist()
    learnt = replace(opened.bundle, card={**opened.bundle.card, "absorbed": keys})
    assert remembering.said_before(shop, replace(opened, bundle=learnt), "u001") == ([], [])


def test_of_a_repeated_item_the_latest_counts(shop: Path) -> None:
    opened = opening.open_shop(shop)
    taste = tastes.taste_from(opened, ["i001", "i002", "i001"], disliked=["i003"])
    assert [opened.bundle.data.catalogue.ids[number] for number in taste.items] == ["i002", "i001"]
    assert taste.seen.tolist() == sorted(opened.items[item] for item in ("i001", "i002", "i003"))


def test_a_part_of_a_history_does_not_bring_back_the_rest(shop: Path) -> None:
    opened = opening.open_shop(shop)
    user = tastes.busiest(opened, 1)[0]
    everything = tastes.tastes_of(opened, [user])[0].seen
    shown = tastes.history_of(opened, user)
    assert len(shown) < len(everything)
    taste = tastes.taste_from(opened, shown, user=user)
    assert taste.seen.tolist() == everything.tolist() and len(taste.items) == len(shown)
    listed = {opened.items[one.item] for one in wire.recommend(opened, taste, 200, explain=False)}
    assert listed and not listed & set(everything.tolist())


def test_the_extra_installs_what_is_imported(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Lists are made where the packages of other extras are missing."""
    extras = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    needed = {line.partition(">=")[0] for line in extras["optional-dependencies"]["recommender"]}
    assert needed == {"lightgbm"}
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('faiss', 'bm25s', 'Stemmer', 'streamlit')))\n"
        "from fieldtune.cli import main\n"
        "main()\n"
    )
    asked = ["recommender", "recommend", "--model", str(trained[0]), "--history", "i001", "--interest", "tea", "--json"]
    ran = subprocess.run([sys.executable, "-c", code, *asked], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0 and len(json.loads(ran.stdout)["items"]) == 10, ran.stderr


def test_the_manifest_says_whose_folder_it_is(trained: tuple[Path, dict[str, Any]]) -> None:
    assert verify(trained[0])["application"] == bundle.APP


def test_a_version_can_be_published_by_hand(shop: Path, home: Path) -> None:
    verdict = commands.publish(shop, None, NOW)
    assert not verdict.promoted  # it is what serves already


def test_feedback_lies_behind_the_log(shop: Path) -> None:
    old = bundle.read(shop)
    rows = [
        feedback.Feedback(
            bundle.APP, "i001", "purchase", "u001", payload={"item": "i001", "time": "1999-01-01T00:00:00Z"}
        )
    ]
    rows += [
        feedback.Feedback(bundle.APP, "i002", "not_interested", "someone new", payload={"item": "i002", "time": ""})
    ]
    rows += [feedback.Feedback(bundle.APP, "gone", "purchase", "u001", payload={"item": "gone"})]
    longer = improving.appended(old.data, improving.feedback_table(rows, old))
    assert len(longer.log) == len(old.data.log) + 2
    assert (np.diff(longer.log.times) >= 0).all() and longer.log.times[-2] > old.data.log.times[-1]
    assert longer.users[-1] == "someone new"
