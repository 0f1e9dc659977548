"""The same seed gives the same bits, another one others; and a model's folder says where it comes from."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fieldtune.fingerprint import start, threads
from fieldtune.pipeline import finetune
from fieldtune.tasks import task_module
from fieldtune.tasks.text_classification import DEFAULTS
from tests.conftest import Ran

TEXTS = ["the card", "my order", "refund", "lost card", "cancel the order", "how to transfer"] * 6
ROWS = pd.DataFrame({"text": [f"{text} {n}" for n, text in enumerate(TEXTS)], "label": list("abbaba") * 6})


@pytest.fixture(scope="module")
def licensed(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("licensed") / "encoder"
    shutil.copytree(tiny_encoder, folder)
    (folder / "README.md").write_text("---\ntags: [x]\nlicense: apache-2.0\n---\nlicense: other\n")
    return folder


def trained(encoder: Path, out: Path, seed: int, method: str = "full") -> Path:
    options = {"model": str(encoder), "method": method, "out": out, "seed": seed, "progress": False}
    settings = {"max_steps": 4} if method == "full" else {}
    return finetune("text-classification", ROWS, settings=settings, **options).path


def files(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_seed_decides_every_byte(licensed: Path, tmp_path: Path) -> None:
    one, same, other = (trained(licensed, tmp_path / f"{n}", seed) for n, seed in enumerate((1, 1, 2)))
    assert files(one) == files(same)
    assert files(one)["model.safetensors"] != files(other)["model.safetensors"]


@pytest.mark.parametrize("changed", ["1_Pooling/config.json", "tokenizer_config.json", "config.json"])
def test_whatever_decides_an_encoders_vectors_tells_one_run_from_another(
    tiny_encoder: Path, tmp_path: Path, changed: str
) -> None:
    encoder = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, encoder)
    before = start(task_module("text-classification"), "head", str(encoder), DEFAULTS)
    (encoder / changed).parent.mkdir(exist_ok=True)
    known = json.loads((encoder / changed).read_text()) if (encoder / changed).is_file() else {}
    (encoder / changed).write_text(json.dumps(known | {"pooling_mode_cls_token": True}))
    assert start(task_module("text-classification"), "head", str(encoder), DEFAULTS) != before


def test_what_only_lies_beside_an_encoder_decides_no_run(tiny_encoder: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, encoder)
    before = start(task_module("text-classification"), "head", str(encoder), DEFAULTS)
    for name in ("LICENSE.txt", "out/config.json", ".git/a.json", "old.json/read.me"):
        (encoder / name).parent.mkdir(exist_ok=True)
        (encoder / name).write_text("{}")
    assert start(task_module("text-classification"), "head", str(encoder), DEFAULTS) == before


def test_manifest_and_card_say_where_a_model_comes_from(
    licensed: Path, tmp_path: Path, cli: Callable[..., Ran]
) -> None:
    path = trained(licensed, tmp_path / "model", 1, "head")
    manifest, card = (json.loads((path / name).read_text()) for name in ("MANIFEST.json", "fieldtune.json"))
    assert manifest["licence"] == "apache-2.0"
    assert set(manifest["versions"]) >= {"fieldtune", "torch", "transformers", "python"}
    assert manifest["fingerprint"] == card["run"]["data"]
    assert card["threads"] == threads() >= 1
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert (manifest["commit"] or "").removesuffix("-dirty") == git.stdout.strip()
    assert cli("models", "verify", path).code == 0
    (path / "calibration.json").write_text('{"temperature": 2.0}')
    ran = cli("models", "verify", path)
    assert ran.code == 1
    assert "calibration.json" in ran.err


def test_a_model_trained_on_ours_keeps_the_licence(licensed: Path, tmp_path: Path) -> None:
    first = trained(licensed, tmp_path / "first", 1, "head")
    second = trained(first, tmp_path / "second", 1, "head")
    assert json.loads((second / "MANIFEST.json").read_text())["licence"] == "apache-2.0"
    digests = start(task_module("text-classification"), "head", str(first), DEFAULTS)
    assert digests
