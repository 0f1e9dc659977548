"""The embedding cache against encoding anew: hits, misses, damage, several processes, and a bounded file."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fieldtune.infer.cache import Cache, space_of
from fieldtune.infer.engine import Engine
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.models.trained import load_encoder
from tests.processes import begin

TEXTS = ["my card is lost", "refund the order", "how to cancel", ""]


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that an encoder really had to read, in order."""
    seen: list[str] = []
    encode = Engine._encode

    def watched(self: Engine, texts: list[str], show: bool) -> Any:
        seen.extend(texts)
        return encode(self, texts, show)

    monkeypatch.setattr(Engine, "_encode", watched)
    return seen


def test_a_text_is_read_once_and_its_vector_stays_the_same(tiny_encoder: Path, home: Path, encoded: list[str]) -> None:
    plain = load_encoder(tiny_encoder).encode(TEXTS)
    encoded.clear()
    first = load_encoder(tiny_encoder, cached=True).encode(TEXTS)
    assert sorted(encoded) == sorted(TEXTS)
    again = load_encoder(tiny_encoder, cached=True).encode([*TEXTS, "a new one", TEXTS[0]])
    assert sorted(encoded) == sorted([*TEXTS, "a new one"])
    np.testing.assert_array_equal(first, plain)
    np.testing.assert_array_equal(again[:4], first)
    np.testing.assert_array_equal(again[5], first[0])
    assert load_encoder(tiny_encoder, cached=True).encode([]).shape == (0, 32)
    assert not any(text.encode() in file.read_bytes() for file in home.rglob("*") for text in TEXTS[:3])


def test_whatever_could_change_a_vector_misses(tiny_encoder: Path, tmp_path: Path) -> None:
    encoder = load_encoder_folder(tiny_encoder)
    spaces = [space_of(encoder, 64, "float32"), space_of(encoder, 65, "float32"), space_of(encoder, 64, "bfloat16")]
    with torch.no_grad():
        encoder.body.encoder.layer[1].output.dense.bias[3] += 1e-6
    spaces.append(space_of(encoder, 64, "float32"))
    other = load_encoder_folder(tiny_encoder)
    other.pooling = "cls"
    spaces.append(space_of(other, 64, "float32"))
    shutil.copytree(tiny_encoder, tmp_path / "other")
    file = tmp_path / "other" / "tokenizer.json"
    known = json.loads(file.read_text())
    words = known["model"]["vocab"]
    words["card"], words["lost"] = words["lost"], words["card"]
    file.write_text(json.dumps(known))
    spaces.append(space_of(load_encoder_folder(tmp_path / "other"), 64, "float32"))
    assert len(set(spaces)) == 6
    same = load_encoder_folder(tiny_encoder)
    same.tokens(TEXTS, 3)  # sets truncation on the tokenizer
    assert space_of(same, 64, "float32") == spaces[0]


def test_a_damaged_entry_is_computed_again(tiny_encoder: Path, encoded: list[str]) -> None:
    embedder = load_encoder(tiny_encoder, cached=True)
    wanted = embedder.encode(TEXTS)
    with sqlite3.connect(Cache().file) as database:
        for rowid, vector in database.execute("SELECT rowid, vector FROM vectors").fetchall()[:2]:
            spoilt = bytes([vector[0] ^ 1]) + vector[1:]
            database.execute("UPDATE vectors SET vector = ? WHERE rowid = ?", [spoilt, rowid])
    database.close()
    encoded.clear()
    np.testing.assert_allclose(embedder.encode(TEXTS), wanted, atol=1e-6)
    assert len(encoded) == 2


@pytest.mark.parametrize("damage", ["no database", "a hole", "cut"])
def test_a_damaged_file_is_begun_anew_and_told(
    tiny_encoder: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    embedder = load_encoder(tiny_encoder, cached=True)
    wanted = embedder.encode(TEXTS)
    file, raw = Cache().file, Cache().file.read_bytes()
    broken = {"no database": b"x" * 4096, "a hole": raw[:100] + b"\xff" * (len(raw) - 100), "cut": raw[:5000]}
    file.write_bytes(broken[damage])
    np.testing.assert_allclose(embedder.encode(TEXTS), wanted, atol=1e-6)
    assert "damaged and begun anew" in capsys.readouterr().err
    embedder.encode(TEXTS)
    assert len(Cache().get(space_of(embedder.features.encoder, 256, "torch.float32 cpu"), TEXTS)) == 4  # type: ignore[attr-defined]


def test_a_home_that_cannot_be_written_stops_nothing(
    tiny_encoder: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.write_text("a file where the folder should be")
    for _ in range(2):
        assert load_encoder(tiny_encoder, cached=True).encode(TEXTS).shape == (4, 32)
    assert capsys.readouterr().err.count("not kept") == 1


def test_the_file_stays_bounded_and_keeps_the_newest(tmp_path: Path) -> None:
    cache, space = Cache(tmp_path / "cache.sqlite", limit=100_000), b"s" * 16
    for start in range(0, 1000, 50):
        texts = [f"text {number}" for number in range(start, start + 50)]
        cache.put(space, texts, np.full((50, 100), start, dtype=np.float32))
    assert cache.file.stat().st_size < 150_000
    known = cache.get(space, [f"text {number}" for number in range(1000)])
    assert 100 < len(known) < 250
    assert set(known) == {f"text {number}" for number in range(1000 - len(known), 1000)}
    cache.forget(["text 999"])
    assert len(cache.get(space, [f"text {number}" for number in range(1000)])) == len(known) - 1
    assert cache.get(b"t" * 16, ["text 998"]) == {}


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path; from fieldtune.infer.cache import Cache\n"
        "me = int(sys.argv[2]); cache = Cache(Path(sys.argv[1]))\n"
        "for turn in range(20):\n"
        "    texts = [f'text {turn} {n}' for n in range(10)]\n"
        "    cache.put(b's' * 16, texts, np.full((10, 8), turn, dtype=np.float32))\n"
        "    known = cache.get(b's' * 16, texts)\n"
        "    assert len(known) == 10 and all((v == turn).all() for v in known.values()), known\n"
    )
    started = [begin("-c", code, tmp_path / "c.sqlite", me) for me in range(3)]
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0, 0, 0]
    known = Cache(tmp_path / "c.sqlite").get(b"s" * 16, [f"text {turn} {n}" for turn in range(20) for n in range(10)])
    assert len(known) == 200
