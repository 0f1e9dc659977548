"""Folders of models that somebody made with bad intent, each by a small function; and a process that tries them all.

``python -m tests.core.models.poison ENCODER MODEL LINEAR WORK`` poisons copies of a good encoder and of good trained
models (whose manifest the attacker writes anew), loads each, and prints what happened as JSON. In that process every
way to unpickle is a bomb, and an audit hook counts sockets, processes, and files written or read outside ``WORK``.
"""

import hashlib
import json
import os
import pickle
import shutil
import struct
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

Poison = Callable[[Path], object]
OUTSIDE = "outside"
"""A folder beside the poisoned one; nothing in it may be touched."""
MILLION = 1_000_000


class Bomb:
    """Unpickled, it writes a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (Path(OUTSIDE) / "unpickled", "x")


# -- tools of the attacker --


def edit(name: str, change: Callable[[Any], Any]) -> Poison:
    """Change a JSON file in place; ``change`` may return another value to write."""

    def poison(folder: Path) -> None:
        value = json.loads((folder / name).read_text())
        changed = change(value)
        (folder / name).write_text(json.dumps(value if changed is None else changed))

    return poison


def put(name: str, **keys: Any) -> Poison:
    """Set keys of a JSON file."""
    return edit(name, lambda value: value.update(keys))


def write(name: str, content: str | bytes) -> Poison:
    """Write a file."""

    def poison(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return poison


def both(*poisons: Poison) -> Poison:
    """One after the other."""
    return lambda folder: [poison(folder) for poison in poisons]


def remove(name: str) -> Poison:
    """Delete a file."""
    return lambda folder: (folder / name).unlink()


def link(name: str, target: str) -> Poison:
    """Put a link in the place of a file or folder."""

    def poison(folder: Path) -> None:
        place = folder / name
        if place.is_file():
            place.unlink()
        place.symlink_to(folder.parent / OUTSIDE / target)

    return poison


def tensors(change: Callable[[dict[str, Any]], object], name: str = "model.safetensors") -> Poison:
    """Change weights by name."""

    def poison(folder: Path) -> None:
        found = dict(load_file(folder / name))
        change(found)
        save_file(found, folder / name, {"format": "pt"})

    return poison


def header(change: Callable[[dict[str, Any]], Any], name: str = "model.safetensors") -> Poison:
    """Change the header of a safetensors file and leave the bytes."""

    def poison(folder: Path) -> None:
        raw = (folder / name).read_bytes()
        length = struct.unpack("<Q", raw[:8])[0]
        entries = json.loads(raw[8 : 8 + length])
        entries.pop("__metadata__", None)
        changed = change(entries)
        text = changed if isinstance(changed, bytes) else json.dumps(entries).encode()
        (folder / name).write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])

    return poison


def length(number: int) -> Poison:
    """Lie about the header's length."""
    return lambda folder: (folder / "model.safetensors").write_bytes(struct.pack("<Q", number) + b"{}" * 50)


def first(entries: dict[str, Any]) -> dict[str, Any]:
    """The tensor at the beginning of the file."""
    return dict.__getitem__(entries, min(entries, key=lambda name: entries[name]["data_offsets"]))


def overlap(entries: dict[str, Any]) -> None:
    """Two tensors of one size at one place."""
    one, two, *_ = (entry for entry in entries.values() if entry["shape"] == first(entries)["shape"])
    two.update(data_offsets=one["data_offsets"])


def sparse(folder: Path) -> None:
    """A tensor of 16 TB, which costs its author nothing."""
    text = json.dumps({"x": {"dtype": "F32", "shape": [2**42], "data_offsets": [0, 2**44]}}).encode()
    with (folder / "extra.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(min(2**43, 8 + len(text) + 2**44))


def archive(kind: str) -> Poison:
    """A bomb in an archive: ten thousand to one, with a name that leads out."""

    def poison(folder: Path) -> None:
        if kind == "zip":
            with zipfile.ZipFile(folder / "weights.data", "w", zipfile.ZIP_DEFLATED) as file:
                file.writestr("../../outside/slipped", b"0" * 10_000_000)
        else:
            with tarfile.open(folder / "weights.data", "w") as file:
                file.add(folder / "config.json", "../../outside/slipped")

    return poison


def npy(folder: Path) -> None:
    """An array of objects, under a name of no account."""
    with (folder / "table.data").open("wb") as file:
        np.save(file, np.asarray([Bomb()], dtype=object), allow_pickle=True)


def steps(*normalisers: dict[str, Any]) -> Poison:
    """Normalisers in the tokenizer."""
    return put("tokenizer.json", normalizer={"type": "Sequence", "normalizers": list(normalisers)})


def replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    """One rewriting rule."""
    return {"type": "Replace", "pattern": pattern, "content": content}


def split(pattern: str) -> Poison:
    """A splitter with a pattern."""
    step = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return put("tokenizer.json", pre_tokenizer=step)


def words(count: int) -> Callable[[Any], None]:
    """A vocabulary of so many entries."""
    return lambda value: value["model"]["vocab"].update({f"w{place}": 0 for place in range(count)})


def module(**changes: str) -> Poison:
    """A sentence-transformers module beside the transformer."""
    base = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
    return write("modules.json", json.dumps([base, {**base, "idx": 1, "path": "1_Pooling", **changes}]))


CODE = "from pathlib import Path\nPath(__file__).resolve().parent.parent.joinpath('outside', 'ran').write_text('x')\n"
SSTI = "{{ cycler.__init__.__globals__.os.popen('touch ran').read() }}"
LAYER = "encoder.layer.0.attention.self.query.weight"
TABLE = "embeddings.word_embeddings.weight"
BIG = {"dtype": "F32", "shape": [2**30, 2**30], "data_offsets": [0, 16]}

ENCODER: dict[str, Poison] = {
    # config.json
    "config with auto_map": both(put("config.json", auto_map={"AutoModel": "evil.Model"}), write("evil.py", CODE)),
    "auto_map alone": put("config.json", auto_map={"AutoModel": "someone/else--evil.Model"}),
    "auto_map in a nested config": put("config.json", text_config={"auto_map": {"AutoModel": "evil.Model"}}),
    "foreign nested config": put("config.json", keypoint_detector_config={"model_type": "superpoint"}),
    "kernel by an internal key": put("config.json", _attn_implementation_internal="someone/kernel"),
    "kernel by a private key": put("config.json", _attn_implementation="someone/kernel"),
    "kernel by a public key": put("config.json", attn_implementation="someone/kernel"),
    "kernel of experts": put("config.json", _experts_implementation_internal="someone/kernel"),
    "unknown private key": put("config.json", _from_code="evil"),
    "foreign model type": put("config.json", model_type="lightglue"),
    "no model type": edit("config.json", lambda value: value.pop("model_type") and None),
    "model type of a list": put("config.json", model_type=["bert"]),
    "quantised": put("config.json", quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True}),
    "dtype of code": put("config.json", dtype="__builtins__"),
    "dtype of the old name": put("config.json", torch_dtype="load"),
    "trust asked for": put("config.json", trust_remote_code=True),
    "pruned heads": put("config.json", pruned_heads={"0": [0]}),
    "vocabulary of 10^9": put("config.json", vocab_size=10**9),
    "wide beyond the weights": put("config.json", hidden_size=65536),
    "inner width beyond the weights": put("config.json", intermediate_size=10**6),
    "10^6 layers": put("config.json", num_hidden_layers=10**6),
    "500 layers": put("config.json", num_hidden_layers=500),
    "10^9 labels": put("config.json", num_labels=10**9),
    "10^9 positions": put("config.json", max_position_embeddings=10**9),
    "width of text": put("config.json", hidden_size="32"),
    "width below zero": put("config.json", hidden_size=-32),
    "NaN in the config": put("config.json", layer_norm_eps=float("nan")),
    "config without end": write("config.json", '{"a":' * MILLION),
    "config nested": write("config.json", '{"model_type": "bert", "a": ' + "[" * 90 + "]" * 90 + "}"),
    "config that says two things": write("config.json", '{"model_type": "bert", "model_type": "llava"}'),
    "config of 5 MB": put("config.json", id2label={str(place): "x" * 40 for place in range(100_000)}),
    "config of a list": write("config.json", "[]"),
    "config in no encoding": write("config.json", b'{"model_type": "bert", "a": "\xff\xfe"}'),
    "config with half a letter": write("config.json", '{"model_type": "bert", "a": "\\ud800"}'),
    "no config": remove("config.json"),
    "adapter of another model": write("adapter_config.json", '{"base_model_name_or_path": "someone/else"}'),
    # modules.json
    "module of its own": both(module(type="evil.Module"), write("evil.py", CODE)),
    "module of another library": module(type="os.system"),
    "module that only looks right": module(type="sentence_transformers.evil.models.Transformer.system"),
    "module outside": module(path="../outside"),
    "module at an absolute place": module(path="/etc"),
    "modules of no list": write("modules.json", '{"0": "Transformer"}'),
    "pooling unknown": write("1_Pooling/config.json", '{"pooling_mode": "__import__"}'),
    "pooling of a list": write("1_Pooling/config.json", "[]"),
    # weights
    "weights pickled": both(remove("model.safetensors"), write("pytorch_model.bin", pickle.dumps(Bomb()))),
    "pickle beside the weights": write("pytorch_model.bin", pickle.dumps(Bomb())),
    "pickle .pt": write("weights.pt", pickle.dumps(Bomb())),
    "pickle .pkl": write("inner/head.pkl", pickle.dumps(Bomb())),
    "pickle .joblib": write("head.joblib", pickle.dumps(Bomb())),
    "pickle of a capital ending": write("head.PKL", pickle.dumps(Bomb())),
    "pickle as safetensors": write("model.safetensors", pickle.dumps(Bomb())),
    "pickle as text": write("merges.txt", pickle.dumps(Bomb(), protocol=4)),
    "pickle of letters": write("notes.txt", b"cposix\nsystem\n(S'touch ran'\ntR."),
    "array of objects": npy,
    "zip bomb": archive("zip"),
    "tar that leads out": archive("tar"),
    "gzip": write("weights.data", b"\x1f\x8b\x08" + bytes(100)),
    "header of 2^60 bytes": length(2**60),
    "header longer than the file": length(10_000),
    "header of half a letter": header(lambda _: b'{"\xff'),
    "header without end": header(lambda _: b'{"a":' * 100_000),
    "header of a list": header(lambda _: b"[]"),
    "tensors that overlap": header(overlap),
    "tensors outside": header(lambda found: [one.update(data_offsets=[2**40, 2**41]) for one in found.values()]),
    "tensor before the beginning": header(lambda found: first(found).update(data_offsets=[-8, 8])),
    "tensor of 2^60 numbers": header(lambda found: first(found).update(BIG)),
    "tensor of another shape": header(lambda found: first(found).update(shape=[7, 7])),
    "tensor of no type": header(lambda found: first(found).update(dtype="OBJECT")),
    "tensor of 16 TB": sparse,
    "bytes after the tensors": lambda folder: (folder / "model.safetensors").open("ab").write(b"more"),
    "empty weights": write("model.safetensors", b""),
    "NaN": tensors(lambda found: found[LAYER].__setitem__((0, 0), np.nan)),
    "infinity": tensors(lambda found: found[LAYER].__setitem__((0, 0), np.inf)),
    "a layer left out": tensors(lambda found: found.pop(LAYER)),
    "a table turned round": tensors(lambda found: found.update({TABLE: np.ascontiguousarray(found[TABLE].T)})),
    "index that leads out": write("model.safetensors.index.json", '{"weight_map": {"a": "../outside/x.safetensors"}}'),
    "index of an absolute place": write("model.safetensors.index.json", '{"weight_map": {"a": "/etc/passwd"}}'),
    "index of a pickle": write("pytorch_model.bin.index.json", '{"weight_map": {"a": "pytorch_model.bin"}}'),
    "index of nothing": write("model.safetensors.index.json", "[]"),
    # links and things that are no files
    "config linked": link("config.json", "config.json"),
    "weights linked": link("model.safetensors", "model.safetensors"),
    "folder linked": link("2_Normalize", "."),
    "link to nowhere": link("merges.txt", "nowhere"),
    "pipe": lambda folder: os.mkfifo(folder / "special_tokens_map.json"),
    "pipe as weights": both(remove("model.safetensors"), lambda folder: os.mkfifo(folder / "model.safetensors")),
    "5,000 files": lambda folder: [(folder / f"{place}.txt").touch() for place in range(5000)],
    # programs
    "python": write("modeling_evil.py", CODE),
    "library": write("native.so", b"\x7fELF" + bytes(60)),
    "library of another name": write("native.txt", b"\x7fELF" + bytes(60)),
    "script without ending": write("install", "#!/bin/sh\ntouch ran\n"),
    # tokenizer
    "10^6 words": edit("tokenizer.json", words(MILLION)),
    "10^6 words in a list": both(
        remove("tokenizer.json"), write("vocab.txt", "".join(f"{n}\n" for n in range(MILLION)))
    ),
    "regex that takes for ever": split("(a+)+$"),
    "regex with a choice": split("(a|a)*$"),
    "regex in a normaliser": steps(replace({"Regex": r"(\s*x?)*y"}, " ")),
    "regex of many repetitions": split("a*a*a*a*a*b"),
    "regex that looks back": split(r"(a*)\1b"),
    "regex of 100,000 letters": split("a?" * 50_000),
    "text that explodes": steps(*[replace({"String": "a"}, "aaaa")] * 20),
    "text that explodes at once": steps(replace({"String": "a"}, "a" * MILLION)),
    "word beyond the table": edit("tokenizer.json", lambda value: value["model"]["vocab"].update({"evil": 10**6})),
    "added word beyond the table": edit("tokenizer.json", lambda value: value["added_tokens"][0].update(id=10**6)),
    "word before the table": edit("tokenizer.json", lambda value: value["model"]["vocab"].update({"evil": -1})),
    "words of 10^9 letters": edit(
        "tokenizer.json", lambda value: value["model"].update(max_input_chars_per_word=10**9)
    ),
    "charsmap of rubbish": put(
        "tokenizer.json", normalizer={"type": "Precompiled", "precompiled_charsmap": "AAECAwQ="}
    ),
    "template of 10^5 tokens": edit(
        "tokenizer.json", lambda value: value["post_processor"].update(single=value["post_processor"]["single"] * 10**5)
    ),
    "tokenizer without end": write("tokenizer.json", '{"a":' * MILLION),
    "tokenizer of 60 MB": write("tokenizer.json", " " * 60 * 2**20 + "{}"),
    "tokenizer without a model": edit("tokenizer.json", lambda value: value.pop("model") and None),
    "tokenizer of code": put("tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]}),
    "tokenizer of another class": put("tokenizer_config.json", tokenizer_class="BertJapaneseTokenizer"),
    "tokenizer's words outside": put("tokenizer_config.json", vocab_file="../outside/vocab.txt"),
    "chat template": put("tokenizer_config.json", chat_template=SSTI),
    "chat template in a file": write("chat_template.jinja", SSTI),
    "chat template in JSON": write("chat_template.json", json.dumps({"chat_template": SSTI})),
    "chat templates in a folder": write("additional_chat_templates/tool.jinja", SSTI),
}
"""For the folder of an encoder, and for a trained model, which holds one."""

CARD, HEAD = "fieldtune.json", "head.safetensors"
TRAINED: dict[str, Poison] = {
    "no card": remove(CARD),
    "card of a list": write(CARD, "[]"),
    "card without end": write(CARD, "[" * MILLION),
    "task unknown": put(CARD, task="os.system"),
    "task of a list": put(CARD, task=["text-classification"]),
    "reads 10^9 tokens": put(CARD, max_length=10**9),
    "reads less than none": put(CARD, max_length=-1),
    "a label less": edit(CARD, lambda value: value["labels"].pop() and None),
    "labels of numbers": put(CARD, labels=[1, 2]),
    "labels twice": put(CARD, labels=["a", "a"]),
    "threshold of NaN": put(CARD, scope_threshold=float("nan")),
    "temperature of NaN": put("calibration.json", temperature=float("nan")),
    "temperature of none": put("calibration.json", temperature=0),
    "NaN in the head": tensors(lambda found: found["weight"].__setitem__((0, 0), np.nan), HEAD),
    "head of another width": tensors(lambda found: found.update(weight=np.ones((2, 7), np.float32)), HEAD),
    "head without a bias": tensors(lambda found: found.pop("bias"), HEAD),
    "head that overlaps": header(lambda found: [one.update(data_offsets=[0, 8]) for one in found.values()], HEAD),
    "head pickled": both(remove(HEAD), write("head.joblib", pickle.dumps(Bomb()))),
}
"""For a trained classifier with an encoder."""

LINEAR: dict[str, Poison] = {
    "n-grams twice": edit("vocabulary.json", lambda value: value.__setitem__(0, value[1])),
    "n-grams of numbers": edit("vocabulary.json", lambda value: list(range(len(value)))),
    "an n-gram less": edit("vocabulary.json", lambda value: value.pop() and None),
    "n-grams of a text": write("vocabulary.json", '"abc"'),
    "weights of n-grams NaN": tensors(lambda found: found["idf"].__setitem__(0, np.nan), HEAD),
}
"""For a trained classifier without one."""

MANIFESTS: dict[str, Poison] = {
    "manifest of numbers": write("MANIFEST.json", '{"files": {"config.json": 3}}'),
    "manifest of a list": write("MANIFEST.json", "[]"),
    "manifest without end": write("MANIFEST.json", '{"files":' * MILLION),
    "manifest that leads out": edit(
        "MANIFEST.json", lambda value: value["files"].update({"../outside/x": {"sha256": "", "bytes": 0}})
    ),
}
"""For any trained model; what the manifest says stays as the poison left it."""


# -- the process that tries them --


def remade(folder: Path) -> None:
    """A manifest that agrees with what lies there, as an attacker would write it."""
    files = {}
    for file in folder.rglob("*"):
        if file.name != "MANIFEST.json" and not file.is_dir():
            small = file.is_file() and file.stat().st_size < 2**30
            raw = file.read_bytes() if small else b""
            size = file.stat().st_size if file.is_file() else 0
            files[file.relative_to(folder).as_posix()] = {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": size}
    (folder / "MANIFEST.json").write_text(json.dumps({"files": files}))


class Watch:
    """Counts what must not happen while models are loaded."""

    def __init__(self, work: Path) -> None:
        self.work, self.on = work, False
        self.unpickled: list[str] = []
        self.sockets: list[str] = []
        self.outside: list[str] = []
        sys.addaudithook(self._see)
        for name in ("load", "loads", "Unpickler", "_Unpickler", "_load", "_loads"):
            setattr(pickle, name, self._bomb(name))

    def _bomb(self, name: str) -> Callable[..., Any]:
        def bomb(*_: Any, **__: Any) -> Any:
            self.unpickled.append(name)
            raise AssertionError(f"pickle.{name} was called")

        return bomb

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "pickle.find_class":
            self.unpickled.append(str(arguments))
        elif event.startswith("socket.") or event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
            self.sockets.append(f"{event} {arguments}")
        elif event == "open" and isinstance(arguments[0], (str, bytes)):
            place = Path(os.fsdecode(arguments[0])).absolute()
            writes = isinstance(arguments[1], str) and bool(set(arguments[1]) & set("wax+"))
            if (writes and place != Path(os.devnull)) or OUTSIDE in place.parts:
                self.outside.append(str(place))


def attempt(load: Callable[[Path], Any], good: Path, poison: Poison, work: Path, watch: Watch, *, forge: bool) -> Any:
    """Poison a copy, load it, and tell how that ended."""
    from fieldtune.errors import FieldtuneError

    folder = work / "model"
    shutil.copytree(good, folder)
    poison(folder)
    if forge:
        remade(folder)
    watch.on = True
    started, error = time.perf_counter(), None
    try:
        load(folder)
    except FieldtuneError as refusal:
        error = refusal
    except BaseException as crash:
        error = crash
    finally:
        watch.on = False
    seconds = time.perf_counter() - started
    shutil.rmtree(folder)
    refused = isinstance(error, FieldtuneError)
    return {"refused": refused, "error": f"{type(error).__name__}: {error}"[:300], "seconds": seconds}


def main() -> None:
    """Load the good folders, then every poisoned one; print the outcomes and the counts as one JSON object."""
    from fieldtune.models.trained import load, load_encoder

    encoder, model, linear, work = map(Path, sys.argv[1:5])
    os.chdir(work)
    (work / OUTSIDE).mkdir()
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        shutil.copy(encoder / name, work / OUTSIDE / name)
    load_encoder(encoder).encode(["the card"])  # imports what loading needs: the clock is not for imports
    for good in (model, linear):
        load(good).probabilities(["the card"])
    watch = Watch(work)
    watch.on = True
    load_encoder(encoder).encode(["the card"])
    load(model).probabilities(["the card"])
    load(linear).probabilities(["the card"])
    watch.on = False
    cases = [("encoder", load_encoder, encoder, ENCODER, False), ("model", load, model, ENCODER | TRAINED, True),
             ("linear", load, linear, LINEAR, True), ("manifest", load, model, MANIFESTS, False)]  # fmt: skip
    found = {
        f"{kind}: {name}": attempt(loader, good, poison, work, watch, forge=forge)
        for kind, loader, good, poisons, forge in cases
        for name, poison in poisons.items()
    }
    left = sorted(file.relative_to(work).as_posix() for file in work.rglob("*") if file.is_file())
    print(json.dumps({"cases": found, "unpickled": watch.unpickled, "sockets": watch.sockets,
                      "outside": watch.outside, "left": left}))  # fmt: skip


if __name__ == "__main__":
    main()
