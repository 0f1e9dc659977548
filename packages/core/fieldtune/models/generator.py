"""A model that writes: a source text in, a reply out. Saved as transformers does, without pickle.

Three kinds: ``encoder-decoder`` made of two copies of a plain encoder (Rothe et al. 2020, arXiv 1907.12461), so that it
needs no download; ``seq2seq`` such as T5 and BART; ``causal`` such as GPT-2 and Llama, which go on writing the source.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fieldtune.batching import by_length
from fieldtune.errors import ArtefactError
from fieldtune.models import asked
from fieldtune.models.copier import Copier
from fieldtune.models.encoder import WRITERS, check, encodable, encoder_in, given, pad, whole
from fieldtune.models.trained import save_card
from fieldtune.progress import track
from fieldtune.text import detokenise

WRITING = "writing.json"
TOKEN_BUDGET = 8192
"""Tokens of the texts written together, sources and longest replies; one step reads all weights for one token of each."""


@dataclass
class Generator:
    """Source text -> reply.

    Attributes:
        body: a transformers model with ``generate``.
        tokenizer: its fast tokenizer; slots such as ``{{Order Number}}`` are single tokens of it.
        kind: ``"encoder-decoder"``, ``"seq2seq"`` or ``"causal"``.
        max_source: tokens kept of a source, the last ones.
        max_target: tokens written at most.
        writing: how texts are written that the tokenizer reads in lower case; None where it reads capitals.
        card: the rest of ``fieldtune.json``.
    """

    body: Any
    tokenizer: Any
    kind: str
    max_source: int
    max_target: int
    writing: detokenise.Writing | None = None
    card: dict[str, Any] = field(default_factory=dict)
    hides = False

    def generate(self, sources: Sequence[str]) -> list[str]:
        """A reply each, by greedy decoding, in order; sources of like length are written together."""
        sources = asked.texts(sources, self.hides)
        if not sources:
            return []
        tokens = source_tokens(self.tokenizer, sources, self.max_source, self.kind)
        batches = by_length([len(ids) + self.max_target for ids in tokens], TOKEN_BUDGET)
        found = [""] * len(sources)
        for batch in track(batches, "writing", len(batches)):
            for row, text in zip(batch, self._write([tokens[row] for row in batch]), strict=True):
                found[row] = text
        return found

    def log_loss(self, sources: Sequence[str], targets: Sequence[str]) -> NDArray[np.float64]:
        """Mean negative log-likelihood of each target's tokens, in nats, ``[rows]``."""
        pairs = tokenised(self, asked.texts(sources, self.hides), asked.texts(targets, self.hides))
        found = np.zeros(len(pairs))
        with torch.inference_mode():
            for row, pair in enumerate(pairs):
                logits, wanted = scores(self.body, self.kind, batch_of(self, [pair]))
                loss = torch.nn.functional.cross_entropy(logits.float(), wanted, ignore_index=-100)
                found[row] = float(loss)
        return found

    def save(self, folder: Path) -> None:
        """Write the model into ``folder`` (use :func:`fieldtune.models.folder.staged` around it)."""
        self.body.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        written = self.writing and self.writing.as_dict()
        (folder / WRITING).write_text(json.dumps(written, ensure_ascii=False, sort_keys=True), encoding="utf-8")
        save_card(folder, {**self.card, "max_target": self.max_target})

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> "Generator | Copier":
        """Read what :meth:`save` wrote, or the rival that copies; use :func:`fieldtune.models.load`, which verifies first."""
        if card["method"] == "copy":
            return Copier.load(folder, card)
        body, tokenizer, kind = load_body(folder)
        written = json.loads((folder / WRITING).read_text(encoding="utf-8"))
        how = None if written is None else detokenise.Writing(**written)
        return cls(body, tokenizer, kind, int(card["max_length"]), int(card["max_target"]), how, card)

    def _write(self, tokens: list[list[int]]) -> list[str]:
        pad_id = padding(self.tokenizer)
        if self.kind == "causal":  # what is written follows the source, so padding goes before it
            ids, mask = (part.flip(1) for part in pad([text[::-1] for text in tokens], pad_id))
        else:
            ids, mask = pad(tokens, pad_id)
        with torch.inference_mode():
            written = self.body.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=self.max_target, do_sample=False, num_beams=1,
                pad_token_id=pad_id, eos_token_id=ending(self.tokenizer),
            )  # fmt: skip
        if self.kind == "causal":
            written = written[:, ids.shape[1] :]
        texts = self.tokenizer.batch_decode(written, skip_special_tokens=True)
        return [detokenise.restore(text, self.writing) if self.writing else text.strip() for text in texts]


def start_body(model: str | Path) -> tuple[Any, Any, str]:
    """Body, tokenizer and kind to train from: a model that writes, or an encoder taken twice."""
    folder = given(model)
    if _type(folder) in WRITERS:
        return load_body(folder)
    from transformers import AutoModelForCausalLM, EncoderDecoderModel
    from transformers.utils import logging

    encoder = encoder_in(folder)
    config = type(encoder.body.config).from_dict(encoder.body.config.to_dict())
    config.is_decoder, config.add_cross_attention = True, True
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # that the decoder's new parts are new needs no table of 20 lines
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of the decoder's new parts: a killed run must begin with the same
        decoder = AutoModelForCausalLM.from_pretrained(
            encoder.folder, config=config, dtype=torch.float32, local_files_only=True, use_safetensors=True,
            trust_remote_code=False,
        )  # fmt: skip
    logging.set_verbosity(verbosity)
    body = EncoderDecoderModel(encoder=encoder.body, decoder=decoder)
    tokenizer = encoder.tokenizer
    body.config.decoder_start_token_id = tokenizer.cls_token_id
    body.config.pad_token_id, body.config.eos_token_id = tokenizer.pad_token_id, tokenizer.sep_token_id
    body.generation_config.decoder_start_token_id = tokenizer.cls_token_id
    return body, tokenizer, "encoder-decoder"


def load_body(folder: Path) -> tuple[Any, Any, str]:
    """A saved model that writes.

    Raises:
        ArtefactError: another type, code of its own, or weights that are no safetensors, or not those of its config.
    """
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, EncoderDecoderModel

    check(folder, WRITERS)
    kind = WRITERS[_type(folder)]
    loader = {"encoder-decoder": EncoderDecoderModel, "seq2seq": AutoModelForSeq2SeqLM, "causal": AutoModelForCausalLM}
    try:
        body, told = loader[kind].from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        whole(folder, body, told)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except ArtefactError:
        raise
    except Exception as error:  # transformers raises a dozen kinds; each means: this folder cannot be used
        raise ArtefactError(
            f"a model that transformers can load from {folder}",
            f"{type(error).__name__}: {error}",
            "restore the folder",
        ) from error
    return body.eval(), tokenizer, kind


def tokenised(model: Generator, sources: list[str], targets: list[str]) -> list[tuple[list[int], list[int]]]:
    """Token ids of source and target per row; the target ends with the sign that ends a reply."""
    left = source_tokens(model.tokenizer, sources, model.max_source, model.kind)
    encoded = model.tokenizer(
        list(map(encodable, targets)), add_special_tokens=False, truncation=True, max_length=model.max_target - 1
    )
    end = ending(model.tokenizer)
    return list(zip(left, [[*ids, end] for ids in encoded["input_ids"]], strict=True))


def batch_of(model: Generator, pairs: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """ids, mask and labels of a batch, and for models with a decoder what it reads; labels of the source are -100."""
    pad_id = padding(model.tokenizer)
    if model.kind == "causal":
        ids, mask = pad([source + target for source, target in pairs], pad_id)
        labels = torch.full_like(ids, -100)
        for row, (source, target) in enumerate(pairs):
            labels[row, len(source) - 1 : len(source) + len(target) - 1] = torch.tensor(target)
        return {"ids": ids, "mask": mask, "labels": labels}
    ids, mask = pad([source for source, _ in pairs], pad_id)
    start = model.body.config.decoder_start_token_id
    read, _ = pad([[start, *target[:-1]] for _, target in pairs], pad_id)
    labels, known = pad([target for _, target in pairs], pad_id)
    return {"ids": ids, "mask": mask, "read": read, "labels": labels.masked_fill(known == 0, -100)}


def scores(body: Any, kind: str, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of the positions that are learnt, ``[tokens, vocabulary]``, and the tokens wanted there, ``[tokens]``."""
    if kind == "causal":
        found = body(input_ids=batch["ids"], attention_mask=batch["mask"], use_cache=False)
    else:
        found = body(
            input_ids=batch["ids"], attention_mask=batch["mask"], decoder_input_ids=batch["read"], use_cache=False
        )
    learnt = batch["labels"] != -100
    return found.logits[learnt], batch["labels"][learnt]


def source_tokens(tokenizer: Any, sources: list[str], longest: int, kind: str) -> list[list[int]]:
    """Token ids of sources, cut at the front: the last words of a dialogue say what is wanted.

    A causal model sees a line break between the source and what it is to write.
    """
    sources = list(map(encodable, sources))
    if kind == "causal":
        encoded = tokenizer([f"{source}\n" for source in sources], add_special_tokens=False)
        return [list(ids[-longest:]) for ids in encoded["input_ids"]]
    encoded = tokenizer(sources, add_special_tokens=True)
    return [list(ids) if len(ids) <= longest else [ids[0], *ids[1 - longest :]] for ids in encoded["input_ids"]]


def ending(tokenizer: Any) -> int:
    """The token that ends a reply."""
    return int(tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id)


def padding(tokenizer: Any) -> int:
    """The token that fills a row; models that write often have none, then any will do, as it is masked."""
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else ending(tokenizer))


def _type(folder: Path) -> str:
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type"))
    except (OSError, ValueError, AttributeError) as error:
        raise ArtefactError("a readable config.json", f"none in {folder}", "restore the folder") from error
