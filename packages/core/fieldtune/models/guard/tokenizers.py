"""The files of a tokenizer: how large, which class, no template, no pattern that takes for ever, no text that explodes.

A pattern is run by a backtracking engine on every text that is read, so one that repeats a repetition is refused
(https://owasp.org/www-community/attacks/Regular_expression_Denial_of_Service_-_ReDoS).
"""

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fieldtune.models.guard.jsons import refused

MOST_TOKENS = 600_000
MOST_PATTERN = 1000
_MOST_GROWTH = 16
_CLASSES = {
    f"{name}{end}"
    for name in ("Albert", "Bart", "Bert", "Camembert", "Deberta", "DebertaV2", "DistilBert", "Electra", "GPT2", "GPTNeoX",
                 "Llama", "MBart", "MBart50", "MPNet", "MT5", "PreTrained", "Qwen2", "Roberta", "T5", "XLMRoberta")
    for end in ("Tokenizer", "TokenizerFast")
} | {"TokenizersBackend"}  # fmt: skip
_QUANTIFIER = re.compile(r"[*+]|\{\d*,\d*\}")
_LETTER = re.compile(r"(?s)\[(?:\\.|[^\]\\])*(?:\]|\\?\Z)|\\[pP]\{[^}]*(?:\}|\Z)|\\.")
"""What stands for one letter: a class, which ends with the pattern if nothing closes it, or anything escaped."""


def check(texts: Mapping[str, Any], folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a tokenizer for its class, templates, vocabulary, patterns or rewriting rules.

    Args:
        texts: every JSON file of the folder, read.
        config: of the model, whose table of words the ids index.

    Raises:
        ArtefactError: what was found, by file.
    """
    _settings(texts.get("tokenizer_config.json", {}), folder / "tokenizer_config.json")
    for name in (name for name in texts if "chat_template" in name):
        raise refused(folder / name, "a template, which is a program")
    known = known_words(config)
    _words(folder / "vocab.txt", known)
    if "tokenizer.json" in texts:
        _tokenizer(texts["tokenizer.json"], folder / "tokenizer.json", known)


def known_words(config: Mapping[str, Any]) -> int:
    """Rows of the model's table of words; of the larger one where it is made of two models."""
    found = [config, *(inner for inner in config.values() if isinstance(inner, dict))]
    return max((one["vocab_size"] for one in found if type(one.get("vocab_size")) is int), default=MOST_TOKENS)


def _settings(value: Any, file: Path) -> None:
    if not isinstance(value, dict):
        raise refused(file, "no settings")
    for key in value:
        if key == "auto_map" or "chat_template" in key:
            raise refused(file, f"the key {key!r}, which can bring in code")
        if key.endswith("_file") and isinstance(value[key], str) and Path(value[key]).name != value[key]:
            raise refused(file, f"the place {value[key]!r} outside")
    kind = value.get("tokenizer_class", "TokenizersBackend")
    if not (isinstance(kind, str) and kind in _CLASSES):
        raise refused(file, f"the class {kind!r}")


def _words(file: Path, known: int) -> None:
    """A plain list of words, read where there is no ``tokenizer.json``."""
    if file.is_file():
        try:
            count = file.read_text(encoding="utf-8").count("\n")
        except ValueError as error:
            raise refused(file, "text that is not UTF-8") from error
        if count > min(MOST_TOKENS, known):
            raise refused(file, f"{count} words where the model knows {known}")


def _tokenizer(value: Any, file: Path, words: int) -> None:
    model = value.get("model") if isinstance(value, dict) else None
    if not isinstance(model, dict):
        raise refused(file, "no model")
    _ids(model.get("vocab"), value.get("added_tokens"), file, words)
    if isinstance(model.get("merges"), list) and len(model["merges"]) > 2 * MOST_TOKENS:
        raise refused(file, f"{len(model['merges'])} merges")
    longest = model.get("max_input_chars_per_word", 100)
    if type(longest) is not int or not 0 < longest <= 1000:
        raise refused(file, f"words of {longest!r} letters, which cost their square")
    steps = {key: inner for key, inner in value.items() if key not in ("model", "added_tokens", "post_processor")}
    _steps(steps, file)
    template = value.get("post_processor")
    if isinstance(template, dict) and len(str(template)) > 20_000:
        raise refused(file, "a template longer than the texts")


def _ids(vocab: Any, added: Any, file: Path, words: int) -> None:
    """The ids must have a row in the model's table: one that has none stops, or reads, beyond it."""
    count = len(vocab) if isinstance(vocab, (dict, list)) else 0
    ids = list(vocab.values()) if isinstance(vocab, dict) else [count - 1]
    if isinstance(added, list) and len(added) <= MOST_TOKENS and all(isinstance(one, dict) for one in added):
        ids += [one.get("id") for one in added]
    elif added is not None:
        raise refused(file, "added_tokens of another kind")
    if not 0 < count <= MOST_TOKENS:
        raise refused(file, f"{count} words")
    if not all(type(one) is int and 0 <= one < words for one in ids):
        raise refused(file, f"an id outside the model's {words} words")


def _steps(steps: Any, file: Path) -> None:
    """Normalisers and splitters: their patterns, and how much longer they make a text."""
    growth = 1.0
    for step in _tables(steps):
        pattern = step.get("pattern")
        source = next(iter(pattern.values()), "") if isinstance(pattern, dict) else ""
        if isinstance(pattern, dict) and "Regex" in pattern and not tame(str(source)):
            raise refused(file, f"a pattern that can take for ever ({str(source)[:60]!r})")
        if step.get("type") == "Precompiled" and not _charsmap(step.get("precompiled_charsmap")):
            raise refused(file, "a charsmap that is none")
        written = str(step.get("content") or step.get("prepend") or "")
        shortest = 1 if isinstance(pattern, dict) and "Regex" in pattern else max(len(str(source)), 1)
        growth *= max(1.0, len(written) / shortest)
    if growth > _MOST_GROWTH:
        raise refused(file, f"rules that make a text {growth:.0f} times longer")


def _charsmap(text: Any) -> bool:
    """Whether this is a table of SentencePiece: the size of a trie, the trie, the texts (a wrong size ends in a panic)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        return text is None
    size = int.from_bytes(raw[:4], "little")
    return len(raw) > 4 and 0 < size <= len(raw) - 4 and size % 4 == 0


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _tables(inner)


def tame(pattern: str) -> bool:
    """Whether a backtracking engine takes a time that grows mildly with the text.

    Refused are long patterns, back references, a repeated group that holds a repetition or a choice, and more than
    three repetitions in one branch, each of which multiplies the ways to match.
    """
    if len(pattern) > MOST_PATTERN or re.search(r"\\[1-9]|\\k|\(\?[PR&(]", pattern):
        return False
    plain = _LETTER.sub("x", pattern)
    if any(len(_QUANTIFIER.findall(branch)) > 3 for branch in plain.split("|")):
        return False
    return not any(_repeats(plain, end) and _loose(group) for group, end in _groups(plain))


def _groups(plain: str) -> Iterator[tuple[str, int]]:
    """The inside of each group, and where it ends."""
    opened: list[int] = []
    for place, letter in enumerate(plain):
        if letter == "(":
            opened.append(place)
        elif letter == ")" and opened:
            yield plain[opened.pop() + 1 : place], place + 1


def _repeats(plain: str, place: int) -> bool:
    return bool(_QUANTIFIER.match(plain, place))


def _loose(group: str) -> bool:
    return "|" in group or "?" in group.removeprefix("?:") or bool(_QUANTIFIER.search(group))
