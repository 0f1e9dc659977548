"""Tables with few rows or none to measure on: what is trained, what is not fitted, and that both are said everywhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import LinearSVC

import fieldtune
from fieldtune.errors import InputError
from fieldtune.models.features import NgramFeatures
from fieldtune.searching import find_settings
from tests.conftest import Ran

ASKED = {"card": "I lost my {} card", "refund": "where is my {} refund"}


def rows(count: int) -> pd.DataFrame:
    """That many rows of each of two classes."""
    said = [(text.format(f"number {n}"), label) for label, text in ASKED.items() for n in range(count)]
    return pd.DataFrame(said, columns=["text", "label"])


def stars(count: int) -> pd.DataFrame:
    return pd.DataFrame({"text": [f"it lasted {n} days" for n in range(count)], "label": np.arange(count) % 5})


def trained(table: pd.DataFrame, out: Path, task: str = "text-classification", **more: Any) -> fieldtune.Finetuned:
    return fieldtune.finetune(task, table, method=more.pop("method", "linear"), out=out, **more)


def test_a_table_too_small_to_spare_a_row_is_learnt_whole_and_said_to_be_unmeasured(
    cli: Callable[..., Ran], tmp_path: Path
) -> None:
    table = rows(2)
    table.to_csv(tmp_path / "t.csv", index=False)
    ran = cli("train", "--task", "text-classification", "--train", tmp_path / "t.csv", "--method", "linear",
              "--out", tmp_path / "m", "--json")  # fmt: skip
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["n"] == 0
    assert not {"accuracy", "macro_f1", "ece", "rivals"} & told.keys()
    assert "not measured: none of the 4 rows can be kept apart" in ran.err
    assert "some 300 rows, or --valid" in ran.err
    assert "not calibrated, with 0 validation rows: the temperature: takes 20" in ran.err
    assert "everything is in scope" in ran.err
    page = (tmp_path / "m" / "README.md").read_text()
    assert "Not measured (n = 0)" in page
    assert "| not calibrated | the temperature: takes 20 rows" in page
    model = fieldtune.load(tmp_path / "m")
    features = NgramFeatures.fit(table["text"].tolist())
    machine = LinearSVC(C=0.5, random_state=0).fit(features(table["text"].tolist()), table["label"])
    np.testing.assert_array_equal(model.weight, np.concatenate([-machine.coef_, machine.coef_]).astype(np.float32) / 2)


def test_rows_too_few_to_calibrate_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = trained(rows(30), tmp_path / "few", valid=rows(49).iloc[30:49])
    assert few.metrics["n"] == 19
    assert "not calibrated, with 19 validation rows: the temperature: takes 20" in capsys.readouterr().err
    assert "about 5% of good rows" in few.metrics["not_calibrated"][-1]
    assert "not calibrated" in (few.path / "README.md").read_text()
    assert fieldtune.load(few.path).temperature == 1.0
    enough = trained(rows(30), tmp_path / "enough", valid=rows(50).iloc[30:50])
    assert "not_calibrated" not in enough.metrics
    assert "not calibrated" not in capsys.readouterr().err
    assert "not calibrated" not in (enough.path / "README.md").read_text()
    assert fieldtune.load(enough.path).temperature != 1.0


def test_rows_out_of_scope_set_the_threshold_without_being_many(tmp_path: Path) -> None:
    valid = pd.concat([rows(2), pd.DataFrame({"text": ["what is the weather"], "label": ["oos"]})])
    done = trained(rows(30), tmp_path / "m", valid=valid, progress=False)
    assert done.metrics["not_calibrated"] == ["the temperature: takes 20 rows of known labels"]


@pytest.mark.parametrize("task", ["text-classification", "text-pair"])
def test_rows_out_of_scope_alone_are_refused_before_training(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, valid = rows(5), pd.DataFrame({"text": ["blue sky", "green tree"], "label": "oos"})
    if task == "text-pair":
        table, valid = (one.rename(columns={"text": "text_a"}).assign(text_b="it is") for one in (table, valid))
    monkeypatch.setattr("fieldtune.job.Job.train", None)
    with pytest.raises(InputError, match="rows of a class; found 2 rows, all out of scope"):
        trained(table, tmp_path / "m", task, valid=valid)
    with pytest.raises(InputError, match="rows of a class; found 2 rows, all out of scope"):
        find_settings(task, table, out=tmp_path / "search", valid=valid, trials=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("apart", "lacks"), [(8, ["the 90% interval: takes 9 rows"]), (9, None)])
def test_an_interval_takes_nine_rows(apart: int, lacks: list[str] | None, tmp_path: Path) -> None:
    done = trained(stars(20), tmp_path / "m", "regression", valid=stars(20 + apart).iloc[20:], progress=False)
    assert done.metrics.get("not_calibrated") == lacks
    assert np.isfinite(fieldtune.load(done.path).width) == (lacks is None)
    found = fieldtune.measure(done.path, stars(30))
    assert (found["in_interval"] is None) == (found["interval_width"] is None) == (lacks is not None)


def test_thresholds_of_labels_with_few_rows(tmp_path: Path) -> None:
    apart = pd.concat([rows(5).iloc[:5], rows(4).iloc[4:]])  # five of card, four of refund
    done = trained(rows(20), tmp_path / "m", "multi-label-classification", valid=apart, progress=False)
    assert done.metrics["not_calibrated"] == ["the thresholds of 1 labels: each takes 5 rows with it"]
    model = fieldtune.load(done.path)
    assert model.thresholds[model.labels.index("refund")] == 0.5


def test_what_compares_figures_is_refused_without_any(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="for --method auto, which compares figures; found none left of 4 training"):
        trained(rows(2), tmp_path / "auto", method="auto")
    with pytest.raises(InputError, match="on which trials are compared; found none left of 4 training rows"):
        find_settings("text-classification", rows(2), out=tmp_path / "search", method="full", trials=1)
    assert not (tmp_path / "search").exists()


def test_a_single_row_teaches_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two rows or more; found one"):
        trained(pd.DataFrame({"source": ["a"], "target": ["b"]}), tmp_path / "m", "seq2seq", method="copy")


def test_a_block_that_was_not_measured_leaves_forgetting_to_the_others(tiny_encoder: Path, tmp_path: Path) -> None:
    blocks = [rows(2).replace({"card": f"a{n}", "refund": f"b{n}"}) for n in range(3)]
    blocks = [block.assign(text=block["text"] + f" in place {n}") for n, block in enumerate(blocks)]
    blocks[0], blocks[2] = blocks[0].head(2), blocks[2]
    folder, found = str(tiny_encoder), []
    valid = [None, blocks[1], blocks[2]]
    blocks[0]["label"] = ["a0", "b0"]
    for place, block in enumerate(blocks):
        done = trained(block, tmp_path / f"{place}", method="continual", model=folder, valid=valid[place], apart=False, progress=False)  # fmt: skip
        folder, found = str(done.path), [*found, done.metrics.get("continual", {})]
    assert found[0] == {}
    assert found[1].keys() == {"blocks", "accuracy_by_block"}
    assert found[2]["forgetting"] == found[1]["accuracy_by_block"][0] - found[2]["accuracy_by_block"][0]
    assert len(found[2]["accuracy_by_block"]) == 2
