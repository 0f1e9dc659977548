"""Each setting that a task's method is said to read is read, and no other: the reads of a real training are noted."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from fieldtune.errors import ConfigError, InputError
from fieldtune.models import adapters
from fieldtune.pipeline import finetune
from fieldtune.tasks import TASKS, heeded, resolved, task_module
from fieldtune.train.settings import Settings

PIPELINE = {"scrub", "refit", "track", "track_dir", "multi_label"}  # read before a task is asked, or after
QUICK = {"max_steps": 1, "epochs": 1, "token_budget": 4096}
SAID = {"card": "my card is lost", "order": "cancel the order"}
LABELS = [*SAID] * 4
TEXTS = [f"{SAID[label]} {number}" for number, label in enumerate(LABELS)]
PICTURES = [np.full((12, 12), 20 * number, dtype=np.uint8) for number in range(8)]


def table(task: str) -> pd.DataFrame:
    """Eight rows."""
    columns: dict[str, Any] = {"text": TEXTS, "label": LABELS}
    match task:
        case "regression":
            columns["label"] = np.arange(8.0)
        case "text-pair":
            columns |= {"text_a": TEXTS, "text_b": TEXTS[::-1]}
        case "token-classification":
            words = [text.split() for text in TEXTS]
            columns = {"tokens": words, "tags": [["O", "B-THING", *["O"] * (len(one) - 2)] for one in words]}
        case "embedding":
            columns = {"query": TEXTS, "positive": [f"about {text}" for text in TEXTS]}
        case "reranking":
            columns = {"query": TEXTS, "document": [f"about {text}" for text in TEXTS], "label": [1.0, 0.0] * 4}
        case "seq2seq" | "dialogue":
            columns = {"source": TEXTS, "target": TEXTS[::-1]}
        case "image-classification" | "image-text":
            columns["image"] = PICTURES
        case "object-detection":
            colours = [np.stack([picture] * 3, axis=2) for picture in PICTURES]
            columns = {"image": colours, "boxes": [[{"label": "card", "box": [1, 1, 9, 9]}]] * 8}
    return pd.DataFrame({name: pd.Series(list(column)) for name, column in columns.items()})


class Watched(Settings):
    """Settings that note which of their fields are read; what copies them all is no reader."""

    read: ClassVar[set[str]] = set()
    off = False

    def __getattribute__(self, name: str) -> Any:
        if name in Settings.__dataclass_fields__ and not Watched.off:
            Watched.read.add(name)
        return super().__getattribute__(name)

    def __post_init__(self) -> None:
        with unwatched():
            super().__post_init__()

    def updated(self, changes: Mapping[str, Any] | None) -> Settings:
        with unwatched():
            return super().updated(changes)

    def as_dict(self) -> dict[str, Any]:
        with unwatched():
            return super().as_dict()


@contextmanager
def unwatched() -> Iterator[None]:
    before, Watched.off = Watched.off, True
    yield
    Watched.off = before


def reads(task: str, method: str, folder: Path, *models: object, **changes: Any) -> tuple[set[str], set[str]]:
    """The settings that trainings on these models read, and those they are said to read."""
    about, wanted, found = task_module(task), set[str](), set[str]()
    for number, model in enumerate(models):
        chosen = about.DEFAULTS.suited(method).updated(QUICK | changes)
        watched = Watched(**chosen.as_dict(), track="", track_dir="")
        Watched.read = found
        more = {"unlabelled": TEXTS} if method in about.UNLABELLED else {}
        about.train(
            table(task), method, str(model), watched, seed=0, folder=folder / str(number), show=False, **more
        )  # fmt: skip
        wanted |= heeded(task, method, chosen)
    return found - PIPELINE, wanted - PIPELINE


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> Iterator[None]:
    """The trainer collects garbage after each run; what the libraries hold is looked through once."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A task -> a small model of pictures to go on from."""

    def start(task: str) -> Path:
        out = tmp_path_factory.mktemp(task) / "model"
        rows = table(task)
        changes = {"epochs": 1, "max_steps": 1, "image_size": 32}
        return finetune(task, rows, valid=rows, out=out, settings=changes, progress=False, apart=False).path

    return start


ELSEWHERE = ("auto", "continual")
PAIRS = [
    (task, method)
    for task in TASKS
    for method in task_module(task).METHODS
    if not task.startswith(("image-c", "object")) and method not in ELSEWHERE
    # what an adapter adds is one line for all tasks, and a dialogue is read into what seq2seq trains on
    and (method not in adapters.METHODS or task == "regression") and task != "dialogue"
]  # fmt: skip


@pytest.mark.parametrize(("task", "method"), PAIRS)
def test_what_a_method_reads_of_the_settings_is_what_it_is_said_to(
    task: str, method: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    found, wanted = reads(task, method, tmp_path, tiny_encoder)
    assert found == wanted
    shared = method in task_module(task).SHARED
    assert shared == ("accumulate" in found and "temperature" not in found)  # a temperature is of rows compared


@pytest.mark.parametrize(
    ("task", "method"),
    [("object-detection", "full"), *(("image-classification", one) for one in ("head", "top", "full"))],
)
def test_so_do_networks_for_pictures_from_scratch_and_on_from_a_folder(
    task: str, method: str, started: Callable[[str], Path], tmp_path: Path
) -> None:
    scratch = ("default",) if method == "full" else ()
    found, wanted = reads(task, method, tmp_path, *scratch, started(task), image_size=32)
    assert found == wanted


def test_edges_of_pictures_have_a_size_alone(tmp_path: Path) -> None:
    found, wanted = reads("image-classification", "linear", tmp_path, "default")
    assert found == wanted == {"image_size"}


@pytest.mark.parametrize("keeps", ["statistics", "replay", "ewc", "lwf", "osf"])
def test_going_on_reads_what_keeping_the_past_takes(keeps: str, tiny_encoder: Path, tmp_path: Path) -> None:
    rows = table("text-classification")
    changes = {"keeps": keeps, **({} if keeps == "statistics" else {"max_steps": 1})}
    block = finetune(
        "text-classification", rows, valid=rows, method="continual", model=str(tiny_encoder), out=tmp_path / "block",
        settings=changes, progress=False, apart=False,
    ).path  # fmt: skip
    models = [tiny_encoder, block] if keeps == "statistics" else [block]  # which goes on with the same frozen encoder
    found, wanted = reads("text-classification", "continual", tmp_path, *models, keeps=keeps)
    assert found == wanted


def test_a_private_head_reads_its_privacy(tiny_encoder: Path, tmp_path: Path) -> None:
    found, wanted = reads("text-classification", "head", tmp_path, tiny_encoder, epsilon=1.0)
    assert found == wanted == {"epsilon", "delta", "max_length"}


def test_auto_reads_what_one_of_its_candidates_does() -> None:
    chosen = task_module("text-classification").DEFAULTS
    tried = [heeded("text-classification", method, chosen) for method in ("linear", "head", "fewshot", "full")]
    assert heeded("text-classification", "auto", chosen) == set().union(*tried) - {"epsilon"}


@pytest.mark.parametrize(
    ("task", "method", "given", "told"),
    [
        ("text-classification", "linear", {"epochs": 3}, r"linear of text-classification reads: .*'epochs'.*--method full"),
        ("text-classification", "head", {"class_weights": "balanced"}, "read by --method full, lora"),
        ("text-classification", "zeroshot", {"dropout": 0.2}, "read by --method full"),
        ("text-classification", "fewshot", {"epochs": 3}, "read by --method full"),
        ("text-classification", "full", {"epsilon": 1}, "read by --method head"),
        ("text-classification", "auto", {"epsilon": 1}, "read by --method head"),
        ("text-classification", "head", {"delta": 1e-4}, "with --set epsilon"),
        ("text-classification", "head", {"epsilon": 1, "refit": True}, "'refit'"),
        ("text-classification", "full", {"top_layers": 1}, "read by --method top"),
        ("text-classification", "full", {"rank": 4}, "read by --method lora, dora, adalora"),
        ("text-classification", "continual", {"epochs": 3}, "reads with keeps=statistics"),
        ("text-classification", "continual", {"keeps": "ewc", "memory_rows": 3}, "keeps=replay"),
        ("text-classification", "full", {"track_dir": "x"}, "with --set track"),
        ("text-classification", "full", {"hard_negatives": 4}, "read by --task embedding, reranking"),
        ("regression", "full", {"multi_label": False}, "read by --task text-classification, multi-label-classification"),
        ("embedding", "full", {"focal_gamma": 2}, "read by --task text-classification"),
        ("image-classification", "full", {"max_length": 64}, "'max_length'"),
        ("seq2seq", "copy", {"max_target": 64}, "read by --method full"),
    ],
)  # fmt: skip
def test_a_setting_that_would_be_ignored_is_refused_with_where_it_is_read(
    task: str, method: str, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        resolved(task, method, given)


@pytest.mark.parametrize(
    ("task", "method", "given", "near"),
    [
        ("text-classification", "full", "batch_size", "token_budget"),
        ("embedding", "full", "batch_size", "batch_rows"),
        ("image-classification", "full", "batch_size", "batch_rows"),
        ("text-classification", "full", "lr", "learning_rate"),
        ("text-classification", "full", "epoch", "epochs"),
        ("text-classification", "linear", "scrubb", "scrub"),
    ],
)
def test_a_setting_that_there_is_not_is_answered_with_one_that_the_method_reads(
    task: str, method: str, given: str, near: str
) -> None:
    with pytest.raises(ConfigError, match=f"found '{given}'; fix: did you mean '{near}'") as refused:
        resolved(task, method, {"scrub": False, given: 8} if method == "linear" else {given: 8})
    listed = refused.value.expected.partition(": ")[2].split(", ")
    assert set(listed) == heeded(task, method, task_module(task).DEFAULTS)
    assert resolved(task, method, {near: 8 if near != "scrub" else False})
    with pytest.raises(ConfigError, match="settings by name"):
        resolved(task, method, [given])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ("epoch", "leave it out; 'epochs' is read by --method full"),
        ("batch_size", "leave it out; 'batch_rows' is read by --method fewshot"),
        ("zzz", "use one of them"),
    ],
)
def test_where_none_is_near_it_is_told_where_such_a_one_is_read(given: str, fix: str) -> None:
    with pytest.raises(ConfigError, match=f"found '{given}'; fix: {fix}"):
        resolved("text-classification", "linear", {given: 8})


def test_what_is_read_is_taken() -> None:
    everywhere = {"scrub": "false", "refit": "false", "track": "jsonl", "track_dir": "x"}
    assert not resolved("text-classification", "linear", everywhere)[1].scrub
    assert resolved("text-classification", "head", {"multi_label": "true"})[0] == "multi-label-classification"
    assert resolved("text-classification", "auto", {"epochs": 3, "temperature": 0.1})[1].epochs == 3
    with pytest.raises(InputError, match="a method out of linear, head"):
        resolved("regression", "fewshot", {"epochs": 3})


@pytest.mark.parametrize(
    ("task", "method"),
    [*(("text-classification", one) for one in ("linear", "head", "zeroshot", "fewshot", "auto", "continual")),
     ("embedding", "full"), ("embedding", "head"), ("seq2seq", "copy"), ("image-classification", "linear")],
)  # fmt: skip
def test_work_that_processes_cannot_share_is_refused(task: str, method: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"one process for --method {method} of {task}"):
        finetune(task, table(task), method=method, out=tmp_path / "no", processes=2)
    assert not (tmp_path / "no").exists()
