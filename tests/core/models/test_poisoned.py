"""Model folders made with bad intent: every one refused, in a process whose unpickler is a bomb (tests/.../poison.py)."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldtune.errors import ArtefactError
from fieldtune.models.encoder import check
from fieldtune.models.guard.tokenizers import tame
from fieldtune.models.trained import load_encoder
from tests.core.models import poison
from tests.processes import run

ROOT = Path(__file__).resolve().parents[3]
GUARD = 10.0
"""Seconds; the row `core-safety` holds each refusal to two on a machine of its own."""
KINDS = {"encoder": poison.ENCODER, "model": poison.ENCODER | poison.TRAINED, "linear": poison.LINEAR,
         "manifest": poison.MANIFESTS}  # fmt: skip
NAMES = [f"{kind}: {name}" for kind, poisons in KINDS.items() for name in poisons]


@pytest.fixture(scope="module")
def tried(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process of its own made of all the poisoned folders."""
    from fieldtune.pipeline import finetune

    base = tmp_path_factory.mktemp("poison")
    (base / "work").mkdir()
    rows = pd.DataFrame({"text": ["the card", "my order", "refund", "lost"] * 4, "label": ["a", "b", "b", "a"] * 4})
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"HOME": str(base / "home"), "DTYPE": "float32"}.items():
            patch.setenv(f"FIELDTUNE_{name}", value)
        for method in ("head", "linear"):
            options = {"model": str(tiny_encoder), "method": method, "out": base / method, "progress": False}
            finetune("text-classification", rows, **options)
        places = [tiny_encoder, base / "head", base / "linear", base / "work"]
        ran = run("-m", "tests.core.models.poison", *places, folder=ROOT)
    assert ran.code == 0, ran.err[-3000:]
    return ran.json


def test_there_are_as_many_poisons_as_promised() -> None:
    assert len(poison.ENCODER) >= 60


@pytest.mark.parametrize("name", NAMES)
def test_a_poisoned_folder_is_refused(tried: Any, name: str) -> None:
    case = tried["cases"][name]
    assert case["refused"], case["error"]
    assert case["seconds"] < GUARD


def test_nothing_is_unpickled_no_socket_opened_and_nothing_outside_touched(tried: Any) -> None:
    assert tried["unpickled"] == []
    assert tried["sockets"] == []
    assert tried["outside"] == []
    assert tried["left"] == [f"outside/{name}" for name in ("config.json", "model.safetensors", "vocab.txt")]


@pytest.fixture
def cached(tiny_encoder: Path, tmp_path: Path) -> Path:
    """A snapshot as the hub's cache holds it: links to blobs, and weights that another library fetched."""
    home = tmp_path / "models--someone--encoder"
    snapshot = home / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    (home / "blobs").mkdir()
    for place, file in enumerate(sorted(tiny_encoder.iterdir())):
        (home / "blobs" / f"{place}").write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(f"../../blobs/{place}")
    (home / "blobs" / "pickled").write_bytes(b"never read")
    (snapshot / "pytorch_model.bin").symlink_to("../../blobs/pickled")
    return snapshot


def test_the_links_of_the_hubs_cache_are_read(cached: Path, tiny_encoder: Path) -> None:
    again = load_encoder(cached).encode(["the card"])
    assert (again == load_encoder(tiny_encoder).encode(["the card"])).all()


def test_a_link_out_of_the_hubs_cache_is_refused(cached: Path, tiny_encoder: Path) -> None:
    (cached / "config.json").unlink()
    (cached / "config.json").symlink_to(tiny_encoder / "config.json")
    with pytest.raises(ArtefactError, match=r"config\.json.*a link"):
        check(cached)


@pytest.mark.parametrize(
    "pattern",
    [
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",  # GPT-2
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
        r" {2,}",  # XLM-R, ALBERT
        r"\s{2,}|[\n\r\t]",  # DeBERTa
        r"<\|startoftext\|>|'s|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",  # CLIP
    ],
)
def test_the_patterns_of_known_tokenizers_pass(pattern: str) -> None:
    assert tame(pattern)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a*)*b", "(a|aa)+$", "(?:a?){2,}b", "([a-z]+)*!", "((ab*)c)*d", "(.*)\\1"]
)
def test_patterns_that_take_for_ever_do_not(pattern: str) -> None:
    assert not tame(pattern)
