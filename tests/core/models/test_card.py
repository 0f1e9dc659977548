"""The model card: intervals against scipy, what it must tell, and the same bytes from the same training."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

import fieldtune
from fieldtune.evaluate.significance import wilson
from fieldtune.models.card import base_of, markdown
from fieldtune.models.encoder import licence
from tests.conftest import Ran

WORDS = {"card": ["card", "pin", "atm"], "refund": ["refund", "money back", "return"]}


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [(f"about my {word} case {number}", label) for label, words in WORDS.items() for word in words
            for number in range(20)]  # fmt: skip
    return pd.DataFrame(rows, columns=["text", "label"])


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (7, 10), (10, 10), (93, 100), (1, 3)])
def test_the_interval_of_a_share_is_wilsons(hits: int, n: int) -> None:
    want = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits, n) == pytest.approx((want.low, want.high), abs=1e-12)


def test_shares_of_rows_have_intervals_and_other_figures_say_that_they_have_none() -> None:
    metrics = {"accuracy": 0.9, "macro_f1": 0.8, "n": 50, "per_class": {"a": {"f1": 1.0}}, "in_scope": {"kept": 0.96}}
    page = markdown({"task": "text-classification", "method": "full", "rows": 450, "metrics": metrics, "versions": {}})
    for name, hits in (("accuracy", 45), ("in_scope.kept", 48)):
        want = stats.binomtest(hits, 50).proportion_ci(method="wilson")
        assert f"| `{name}` | {hits / 50:.4g} | {want.low:.4g} to {want.high:.4g} |" in page
    assert "| `macro_f1` | 0.8 | no interval |" in page
    assert "per_class" not in page and "Measured on 50 rows" in page


def test_turns_of_one_dialogue_are_no_independent_rows() -> None:
    card = {"method": "full", "rows": 450, "metrics": {"exact_match": 0.5, "n": 50}, "versions": {}}
    assert "| `exact_match` | 0.5 | no interval |" in markdown({"task": "dialogue", **card})
    assert "| `exact_match` | 0.5 | 0.3664 to 0.6336 |" in markdown({"task": "seq2seq", **card})


def test_a_rival_that_did_better_is_told() -> None:
    rivals = {"linear": {"accuracy": 0.8}, "head": {"accuracy": 0.6}}
    card = {"task": "text-classification", "method": "full", "figure": "accuracy"}
    for own, told in ((0.7, 1), (0.8, 0), (0.9, 0)):
        page = markdown({**card, "metrics": {"accuracy": own, "n": 100, "rivals": rivals}})
        assert page.count("linear did better, accuracy 0.800 against 0.700: consider --method linear") == told
        assert page.count("Another method is the better choice") == told


def test_how_the_figures_were_taken_is_told() -> None:
    card = {"task": "image-classification", "method": "full", "metrics": {"accuracy": 0.9, "n": 50, "folds": 5}}
    for selected in (True, False):
        page = markdown({**card, "selected": selected})
        assert "the figures are from 5 folds, each judged by what the others fitted" in page and "`folds`" not in page
        assert ("did best on these rows" in page) == selected


def test_what_is_not_known_of_the_rows_is_not_claimed() -> None:
    card = {"task": "text-classification", "method": "head", "metrics": {"n": 50}}
    for known, apart in (
        ({}, False),
        ({"split_off": True}, True),
        ({"metrics": {"n": 50, "leaked": {"exact": 0}}}, True),
    ):
        page = markdown(card | known)
        assert ("kept apart from those it learnt from" in page) == apart == ("is not told" not in page)


def test_where_few_rows_left_the_weights_is_told_in_one_line() -> None:
    card = {"task": "text-classification", "method": "fewshot", "metrics": {"n": 0}}
    for way, told in ((1.0, "at the new weights"), (0.6, "60% of the way from the old weights to the new")):
        page = markdown({**card, "fewshot": {"told_apart": 0.72, "way": way}})
        assert f"| where its weights ended | {told}, since the encoder told the classes of 72% of the rows" in page
    assert "where its weights ended" not in markdown(card)


def test_personal_data_of_the_training_table_is_counted_alone(table: pd.DataFrame, tmp_path: Path) -> None:
    rows, valid = table.copy(), table[::5].copy()
    rows.loc[3:5, "text"] += " ada@example.org"
    valid["text"] += " bob@example.org"
    done = fieldtune.finetune(
        "text-classification", rows, valid=valid, method="linear", out=tmp_path / "a", progress=False
    )
    assert list(fieldtune.load(done.path).card["hidden"].values()) == [3]
    assert "| personal data hidden in the training table | 3 " in (done.path / "README.md").read_text()


def test_unmeasured_models_and_odd_labels_leave_the_page_whole() -> None:
    page = markdown(
        {"task": "text-classification", "method": "zeroshot", "metrics": {"n": 0}, "labels": ["a|b", "c`\n## d"]}
    )
    assert "Not measured" in page
    assert "`a\\|b`, `c' ## d`" in page
    assert not [line for line in page.splitlines() if line.startswith("## d")]


def test_the_base_is_named_without_the_folders_of_a_machine() -> None:
    run = {"model": ["0" * 64]}
    assert base_of("default", run) == {"base": "sentence-transformers/all-MiniLM-L6-v2", "licence": "apache-2.0"}
    assert base_of("home/ada/encoders/mine", run) == {"base": "mine"}
    assert base_of("intfloat/e5-small", run, "mit") == {"base": "intfloat/e5-small", "licence": "mit"}
    assert base_of("default", {"model": []}) == {}


def test_a_folder_has_one_name_however_its_path_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine" / "enc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    ways = ("mine/enc", "mine/enc/", "./mine/enc", str(tmp_path / "mine" / "enc"))
    names = {base_of(way, {"model": ["0" * 64]})["base"] for way in ways}
    monkeypatch.chdir(tmp_path / "mine" / "enc")
    assert names | {base_of(".", {"model": ["0" * 64]})["base"]} == {"enc"}


def test_a_trained_folder_tells_what_it_is_and_trains_to_the_same_page(
    table: pd.DataFrame, tmp_path: Path, cli: Callable[..., Ran]
) -> None:
    pages = []
    for name in ("one", "two"):
        done = fieldtune.finetune("text-classification", table, method="linear", out=tmp_path / name, progress=False)
        pages.append((done.path / "README.md").read_bytes())
    assert pages[0] == pages[1]
    card = json.loads((tmp_path / "one" / "fieldtune.json").read_text())
    page = pages[0].decode()
    for told in (card["run"]["data"], card["versions"]["torch"], f"| labelled rows it learnt from | {card['rows']} |"):
        assert told in page
    calibration = json.loads((tmp_path / "one" / "calibration.json").read_text())
    assert f"| temperature | {calibration['temperature']:.4g} |" in page
    assert "trained again on all" in page and "no pretrained weights" in page and str(tmp_path) not in page
    assert "README.md" in json.loads((tmp_path / "one" / "MANIFEST.json").read_text())["files"]
    assert cli("models", "verify", tmp_path / "one").code == 0
    (tmp_path / "one" / "README.md").write_text("another")
    spoilt = cli("models", "verify", tmp_path / "one")
    assert spoilt.code == 1 and "README.md" in spoilt.err


def test_an_encoder_with_a_page_of_its_own_gets_ours_and_is_left_as_it_was(
    table: pd.DataFrame, tiny_encoder: Path, tmp_path: Path, cli: Callable[..., Ran]
) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_encoder, base)
    theirs = "---\nlicense: mit\n---\ntheirs\n"
    (base / "README.md").write_text(theirs)
    table.iloc[1:].to_csv(tmp_path / "rows.csv", index=False)
    done = fieldtune.finetune(
        "text-classification", table, method="head", model=str(base), out=tmp_path / "model", progress=False
    )
    page = (done.path / "README.md").read_text()
    assert "| begins with | `base` |" in page and "| their licence | mit |" in page and "theirs" not in page
    assert licence(done.path) == "mit"  # a model that goes on from this one knows it too
    assert (base / "README.md").read_text() == theirs
    assert cli("models", "publish", done.path, "--into", "tickets", "--data", tmp_path / "rows.csv").code == 0


def test_other_methods_classes_settings_and_what_was_hidden_are_shown() -> None:
    per_class = {
        name: {"support": n, "precision": 0.5, "recall": 0.25, "f1": 1 / 3} for name, n in (("a", 3), ("b|c", 9))
    }
    card = {"task": "text-classification", "method": "full", "figure": "accuracy", "hidden": {"email": 3},
            "settings": {"epochs": 5, "max_length": 64},
            "metrics": {"accuracy": 0.9, "ece": 0.1, "n": 12, "per_class": per_class,
                        "rivals": {"head": {"accuracy": 0.8, "ece": 0.2, "n": 12}}}}  # fmt: skip
    page = markdown(card)
    assert "| `full` | 0.9 | 0.1 |\n| `head` | 0.8 | 0.2 |" in page
    assert "| `b\\|c` | 9 | 0.5 | 0.25 | 0.333 |\n| `a` | 3 |" in page
    assert "| settings | `epochs=5`, `max_length=64` |" in page
    assert "3 email; the model hides it in what it reads, too" in page
    plain = markdown({"task": "regression", "method": "full", "metrics": {"n": 0}})
    assert "Other methods" not in plain and "Classes on" not in plain and "hidden" not in plain
