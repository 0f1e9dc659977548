"""The weights of a folder are those of the model that its config describes: none is missing, none is left unused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel

from fieldtune.errors import ArtefactError
from fieldtune.models.encoder import load_encoder_folder
from fieldtune.models.folder import CARD
from fieldtune.models.generator import load_body

Change = Callable[[dict[str, Any]], object]


def changed(folder: Path, change: Change) -> None:
    """The weights, and every key with the prefix of models that carry a head, as a hub's checkpoints have it."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def fewer_layers(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {name: 1 for name in ("num_hidden_layers", "n_layer") if name in config}
    (folder / "config.json").write_text(json.dumps(config))


def writer(folder: Path, tiny_encoder: Path) -> Path:
    shutil.copytree(tiny_encoder, folder)
    config = GPT2Config(vocab_size=200, n_embd=16, n_layer=2, n_head=2, n_positions=32, eos_token_id=3, bos_token_id=2)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def encoder(tiny_encoder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))


def test_layers_that_the_config_leaves_out_are_refused(encoder: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    fewer_layers(encoder)
    with pytest.raises(ArtefactError, match=r"encoder\.layer\.1\..*leaves out"):
        load_encoder_folder(encoder)
    folder = writer(tmp_path / "writer", tiny_encoder)
    load_body(folder)
    fewer_layers(folder)
    with pytest.raises(ArtefactError, match=r"h\.1\..*leaves out"):
        load_body(folder)


def test_a_writer_without_one_of_its_weights_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = writer(tmp_path / "writer", tiny_encoder)
    changed(folder, lambda tensors: tensors.pop("transformer.h.0.mlp.c_fc.weight"))
    with pytest.raises(ArtefactError, match=r"expected the weights of .*c_fc"):
        load_body(folder)


def test_a_head_and_buffers_beside_a_foreign_encoder_are_passed_over(encoder: Path) -> None:
    (encoder / "model.safetensors").unlink()
    config = BertConfig.from_pretrained(encoder)
    BertForMaskedLM(config).save_pretrained(encoder)  # has no pooler, and a head of its own
    buffers = {"bert.embeddings.position_ids": torch.arange(8)[None]}
    changed(encoder, lambda tensors: tensors.update(buffers))
    load_encoder_folder(encoder)
    fewer_layers(encoder)
    with pytest.raises(ArtefactError, match=r"encoder\.layer\.1"):
        load_encoder_folder(encoder)


def test_in_a_folder_of_ours_nothing_is_left_over(encoder: Path) -> None:
    changed(encoder, lambda tensors: tensors.update({"extra.weight": torch.ones(2, 2)}))
    load_encoder_folder(encoder)
    (encoder / CARD).write_text("{}")
    with pytest.raises(ArtefactError, match=r"extra\.weight"):
        load_encoder_folder(encoder)
