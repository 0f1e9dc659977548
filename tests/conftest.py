"""What every test shares: no network, a home of its own, and a tiny encoder made in memory."""

import gc
import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from fieldtune.runtime import set_threads

set_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else None)  # workers share the cores
settings.register_profile("untimed", deadline=None)  # a busy machine is no defect
settings.load_profile("untimed")


LONG = ("test_docs.py", "test_demo.py", "test_fit.py", "test_chatbot_bot.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For several processes: the files that take longest begin first."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="module", autouse=True)
def _nothing_old_is_garbage() -> None:
    """Every training collects garbage before its first step: what was imported and made before these tests is none."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections beyond loopback fail at once."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"tests may not reach {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """FIELDTUNE_HOME in a temporary folder; float32, so that no probe decides anything."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FIELDTUNE_HOME", str(folder))
    monkeypatch.setenv("FIELDTUNE_DTYPE", "float32")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a two-layer BERT with random weights that knows English letters and a few Chinese characters."""
    folder = tmp_path_factory.mktemp("encoder")
    make_encoder(folder)
    return folder


def make_encoder(folder: Path) -> None:
    """Write such an encoder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    chinese = "我的银行卡丢了怎么办退款多久到账余额查询取消订单开户转失败"
    words = ["card", "lost", "refund", "order", "account", "transfer", "cancel", "my", "the", "how", "to", "is"]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *letters, *(f"##{x}" for x in letters)]
    pieces += sorted(set(chinese))
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(pieces)))
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@dataclass(frozen=True)
class Ran:
    """What one command did: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """``cli("train", "--task", ...)``: the command line in this process, exactly as the console script enters it."""
    from fieldtune.cli import main

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["fieldtune", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run
