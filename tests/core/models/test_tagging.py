"""Decoding against trying every sequence; windows; a long document against one window that holds it all."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fieldtune.evaluate.sequence import entities
from fieldtune.models.decoding import allowed, viterbi
from fieldtune.models.encoder import Encoder, load_encoder_folder
from fieldtune.models.pieces import SHAPES, shape, windows, word_pieces
from fieldtune.models.readable import reads
from fieldtune.models.tagger import PieceVectors, Tagger

TAGS = ("O", "B-A", "I-A", "B-B", "I-B")


def valid(tags: tuple[str, ...]) -> bool:
    """By the definition: an I- tag continues what stands before it."""
    return all(
        not tag.startswith("I") or before[2:] == tag[2:] for before, tag in zip(("O", *tags), tags, strict=False)
    )


def test_viterbi_finds_the_best_of_all_valid_sequences() -> None:
    rng = np.random.default_rng(0)
    lengths = [3, 0, 5, 1, 4, 5]
    scores = rng.normal(size=(sum(lengths), len(TAGS))).astype(np.float32)
    found = viterbi(scores, lengths, TAGS)
    end = 0
    for length in lengths:
        start, end = end, end + length
        every = [path for path in itertools.product(range(5), repeat=length) if valid(tuple(TAGS[i] for i in path))]
        best = max(every, key=lambda path: sum(scores[start + step, tag] for step, tag in enumerate(path)))
        assert tuple(found[start:end]) == best


def test_what_may_follow_what() -> None:
    begins, follows = allowed(TAGS)
    for before, after in itertools.product(range(5), repeat=2):
        assert follows[before, after] == valid((f"B-{TAGS[before][2:]}" if before else "O", TAGS[after]))
    assert begins.tolist() == [True, True, False, True, False]


@given(st.lists(st.integers(1, 9), max_size=40), st.integers(4, 30))
def test_windows_hold_every_word_once_with_context(sizes: list[int], limit: int) -> None:
    found = windows(sizes, limit)
    assert [place for one in found for place in range(one.first, one.last)] == list(range(len(sizes)))
    for one in found:
        assert one.start <= one.first <= one.last <= one.stop
        assert sum(sizes[one.start : one.stop]) <= limit or one.stop - one.start == 1
    for left, right in itertools.pairwise(found):
        assert right.start > left.start and right.stop > left.stop


def test_shapes_of_words() -> None:
    words = {
        "lower": "abc été",
        "first": "Abc A Été",
        "upper": "ABC U.S.",
        "digits": "3,000 4th",
        "mixed": "McDonald iPod",
    }
    words["none"] = "... ( 我 '"
    for name, some in words.items():
        assert {SHAPES[shape(word)] for word in some.split()} == ({name} if name != "none" else {"none", "lower"})


def test_pieces_are_those_of_the_tokenizer_told_where_words_end(tiny_encoder: Path) -> None:
    encoder = load_encoder_folder(tiny_encoder)
    sentences = [["my", "cards", "lost!", "我"], ["Refund", "x" * 50, "\u200b", "a\ud800"]]
    found = word_pieces(encoder, sentences)
    for words, pieces in zip(sentences, found, strict=True):
        whole = [word.replace("\ud800", "?") for word in words]  # half a character, as JSON can hold it
        theirs = encoder.tokenizer(whole, is_split_into_words=True, add_special_tokens=False)
        for place, ids in enumerate(pieces):
            wanted = [i for i, word in zip(theirs["input_ids"], theirs.word_ids(), strict=True) if word == place]
            assert ids == (wanted[:16] or [encoder.tokenizer.unk_token_id])


@pytest.fixture(scope="module")
def long_encoder(tiny_encoder: Path) -> Encoder:
    """A random encoder that reads 4,096 pieces; its vectors hang on the word far more than on where it stands."""
    from transformers import BertConfig, BertModel

    encoder = load_encoder_folder(tiny_encoder)
    torch.manual_seed(1)
    encoder.body = BertModel(
        BertConfig(
            **{**encoder.body.config.to_dict(), "max_position_embeddings": 4096, "vocab_size": len(encoder.tokenizer)}
        )
    ).eval()
    with torch.no_grad():
        encoder.body.embeddings.position_embeddings.weight.mul_(0.1)
    return encoder


def test_a_long_document_is_tagged_as_in_one_window(long_encoder: Encoder) -> None:
    rng = random.Random(0)
    kinds = {"card": "B-A", "lost": "I-A", "refund": "B-B", "order": "I-B", "to": "O", "the": "O"}
    phrases = [["card", "lost", "lost"], ["refund", "order"], ["to"], ["the"], ["card"]]
    document = [word for _ in range(1300) for word in rng.choice(phrases)]
    assert 2000 < len(document) < 4000
    casing = np.zeros((len(SHAPES), 32), dtype=np.float32)
    one = PieceVectors(long_encoder, 4096, casing)
    rows = one([document])
    wanted = np.eye(5, dtype=np.float32)[[TAGS.index(kinds[word]) for word in document]]
    weight = np.linalg.lstsq(np.c_[rows, np.ones(len(rows))], wanted, rcond=None)[0].astype(np.float32)  # a head
    head = (10 * weight[:-1].T, 10 * weight[-1], TAGS)
    whole, _ = Tagger(one, *head).tag([document])
    assert len(set(entities(whole[0]))) > 700
    for size in (32, 100):
        parts = Tagger(PieceVectors(long_encoder, size, casing), *head)
        assert reads(parts) is None  # it reads to the end, so nobody is told otherwise
        tags, _ = parts.tag([document, ["the"]])
        assert entities(tags[0]) == entities(whole[0])
        assert tags[1] == ["O"]
