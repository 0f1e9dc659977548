"""Odd input, put to every task: each ends in an error that says what was expected, found and how to mend it, in a repair
that is counted on stderr, or in a model whose answers are finite. Never in another exception, never in silence.
"""

import json
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import fieldtune
from fieldtune.errors import FieldtuneError
from fieldtune.tasks import TASKS, task_module
from tests.conftest import Ran

WORDS = ("card", "refund", "order", "account")
SAID = [(f"my {word} number {n}", word, n) for n in range(6) for word in WORDS]
COPYING = ("seq2seq", "dialogue")
TEXTS = {
    "text-classification": "text",
    "multi-label-classification": "text",
    "regression": "text",
    "text-pair": "text_b",
    "embedding": "positive",
    "reranking": "document",
    "seq2seq": "target",
}
"""Task -> its last column of texts."""
LABELLED = ("text-classification", "text-pair", "image-classification")
Change = Callable[[pd.DataFrame], pd.DataFrame]


def table_of(task: str) -> pd.DataFrame:
    """Rows a model learns at once."""
    match task:
        case "regression":
            return pd.DataFrame([(text, len(word) + n / 10) for text, word, n in SAID], columns=["text", "label"])
        case "multi-label-classification":
            rows = [(text, f"{word}|{WORDS[n % 4]}") for text, word, n in SAID]
            return pd.DataFrame(rows, columns=["text", "label"])
        case "text-pair":
            pairs = [(text, f"the {WORDS[n % 4]} {n}", str(word == WORDS[n % 4])) for text, word, n in SAID]
            return pd.DataFrame(pairs, columns=["text_a", "text_b", "label"])
        case "token-classification":
            rows = [(text.split(), ["O", "B-THING", "O", "B-NUMBER"]) for text, _, _ in SAID]
            return pd.DataFrame(rows, columns=["tokens", "tags"])
        case "embedding":
            return pd.DataFrame([(text, f"about {word} {n}") for text, word, n in SAID], columns=["query", "positive"])
        case "reranking":
            rows = [(text, f"about {other} {n}", int(word == other)) for text, word, n in SAID for other in WORDS]
            return pd.DataFrame(rows, columns=["query", "document", "label"])
        case "seq2seq":
            return pd.DataFrame([(text, f"to {word} {n}") for text, word, n in SAID], columns=["source", "target"])
        case "dialogue":
            return pd.DataFrame({"turns": [turns(text, f"to {word} {n}") for text, word, n in SAID]})
        case "text-classification":
            return pd.DataFrame([row[:2] for row in SAID], columns=["text", "label"])
    rng = np.random.default_rng(0)
    shades = [np.full((16, 16, 3), 40 + 50 * WORDS.index(word), np.uint8) for _, word, _ in SAID]
    table = pd.DataFrame({"image": [shade + rng.integers(0, 9, shade.shape, np.uint8) for shade in shades]})
    if task == "object-detection":
        return table.assign(boxes=[[{"label": word, "box": [2, 2, 10, 12]}] for _, word, _ in SAID])
    table["label"] = [word for _, word, _ in SAID]
    return table.assign(text=[text for text, _, _ in SAID]) if task == "image-text" else table


def turns(asked: Any, answered: Any) -> list[dict[str, Any]]:
    return [{"role": "customer", "text": asked}, {"role": "agent", "text": answered}]


def trained(task: str, table: Any, encoder: Path, out: Path, **more: Any) -> Path:
    """A model of the cheapest method."""
    method = "copy" if task in COPYING else "full" if task in ("image-text", "object-detection") else "linear"
    settings = {"max_steps": 1, "image_size": 32} if method == "full" else {}
    model = "default" if task in ("image-classification", "object-detection") else str(encoder)
    given = {"method": method, "settings": settings, **more}
    return fieldtune.finetune(task, table, model=model, out=out, **given).path


def put(column: str, *cells: Any) -> Change:
    """These cells at the head of a column."""
    return lambda table: table.assign(
        **{column: pd.Series([*cells, *table[column].iloc[len(cells) :]], index=table.index, dtype=object)}
    )


def only(column: str, cell: Any) -> Change:
    """One cell all down a column."""
    return lambda table: table.assign(**{column: pd.Series([cell] * len(table), index=table.index, dtype=object)})


@dataclass(frozen=True)
class Case:
    """One oddity: what is done to the table, and what is then refused, or said on stderr, as a pattern."""

    task: str
    name: str
    change: Change
    refused: str = ""
    said: str = ""

    def __str__(self) -> str:
        return f"{self.task}: {self.name}"


ODD_SIGNS = {
    "emoji": "\U0001f469\u200d\U0001f469\u200d\U0001f467 card \U0001f600",
    "right to left": "\u202e\u0628\u0637\u0627\u0642\u0629 \u200f\u05db\u05e8\u05d8\u05d9\u05e1",
    "zero width": "c\u200ba\u200br\u200bd\ufeff \u00ad",
    "control": "card\x00\x07\x1b[31m\x7f lost",
    "line ends": "card\r\nlost\u2028now\x85",
    "combining": "e" + "\u0301" * 400,
}
NOTHING = (None, float("nan"), " \t\u3000", "\u200b\ufeff \u200e")


def of_texts(task: str, column: str) -> list[Case]:
    """What any column of texts may hold."""
    odd = [f"{signs} {n}" for n, signs in enumerate(ODD_SIGNS.values())]
    return [
        Case(task, "no row", lambda table: table.head(0), refused="at least one row"),
        Case(task, "one row", lambda table: table.head(1), refused="two rows or more|two classes|nothing to learn"),
        Case(task, "no column", lambda table: table.drop(columns=column), refused=f"columns .*{column}"),
        Case(
            task,
            "column twice",
            lambda table: pd.concat([table, table[[column]]], axis=1),
            refused=f"every column once; found {column}",
        ),
        *(
            Case(task, f"nothing but {cell!r}", only(column, cell), refused=f"text in .*{column}")
            for cell in (*NOTHING, pd.NA)
        ),
        Case(
            task,
            "halves of characters, empty and enormous cells",
            put(column, "a \ud83d", "b \udc00", *NOTHING, "word " * 20_000, "x" * 100_000),
            said="2 cells with halves(.|\n)*4 of [0-9]+ rows without text left out"
            f"(.|\n)*'{column}' beyond 4000 letters: 2 rows",
        ),
        *(
            Case(
                task,
                f"a {type(cell).__name__}",
                put(column, cell),
                refused=f"a text in every cell of .*{column}.*row 0",
            )
            for cell in (["card"], {"a": 1}, b"card")
        ),
        Case(
            task,
            "odd signs, numbers, an index that repeats",
            lambda table: put(column, *odd, 7, 1.5, True)(table).set_index(pd.Index([7] * len(table))),
        ),
    ]


def of_classes(task: str) -> list[Case]:
    """What the name of a class may be."""
    return [
        Case(task, "one class", only("label", "x"), refused="every label is 'x'"),
        Case(task, "a class of one row", put("label", "alone"), said=r"one row only \('alone'\): 1 rows"),
        Case(
            task,
            "a class a row",
            lambda table: table.assign(label=[f"c{n}" for n in range(len(table))]),
            said="one row only(.|\n)*not measured: none of the 24 rows",
        ),
        Case(
            task,
            "twins in case and space",
            lambda table: table.assign(label=["card", "CARD ", "Ca rd", " ca  rd"] * (len(table) // 4)),
            said=r"spelling only \('CARD', 'card'\)(.|\n)*\('Ca rd', 'ca  rd'\)",
        ),
        Case(
            task,
            "labels of nothing",
            put("label", *NOTHING),
            refused=r"a label on every row; found 4 .*rows 0, 1, 2, 3",
        ),
        Case(task, "lists as labels", put("label", ["card"]), refused="a text in every cell of column 'label'"),
        Case(
            task,
            "odd names",
            lambda table: table.assign(label=["a/b", "a|b", "\U0001f600", "n\nl"] * (len(table) // 4)),
        ),
        Case(task, "numbers as names", lambda table: table.assign(label=[0, 1.5] * (len(table) // 2))),
        Case(
            task,
            "out of scope but one",
            lambda table: table.assign(label=["oos"] * 23 + ["x"]),
            refused="every label is 'x'",
        ),
    ]


def of_numbers(task: str) -> list[Case]:
    """What a number may not be."""
    wrong = (float("inf"), "-inf", "nan", "1,5", "$5", "high", True, 1e300, "1e400")
    return [
        Case(task, f"the number {cell!r}", put("label", cell), refused="a finite number .* and 1 such .*rows 0")
        for cell in wrong
    ]


def tags(*names: str) -> Change:
    return put("tags", list(names))


def tokens(*words: Any) -> Change:
    return put("tokens", list(words))


TAGGED = [
    Case(task, name, change, refused, said)
    for task in ("token-classification",)
    for name, change, refused, said in (
        ("no row", lambda table: table.head(0), "at least one row", ""),
        ("one row", lambda table: table.head(1), "two rows or more", "seen once only"),
        ("no tags", lambda table: table.drop(columns="tags"), "columns tokens, tags", ""),
        ("no entity", only("tags", ["O"] * 4), "every tag is O", ""),
        ("a tag too few", tags("O", "O", "O"), "a tag for every token.*4 tokens and 3 tags in row 0", ""),
        ("an unknown prefix", tags("O", "X-THING", "O", "O"), "such as O, B-PER.*'X-THING' in row 0", ""),
        ("a prefix alone", tags("O", "B-", "O", "O"), "such as O, B-PER.*'B-' in row 0", ""),
        ("two schemes", tags("O", "I-THING", "O", "O"), "one scheme.*I-THING in row 0.*B-THING in row 1", ""),
        ("no words", lambda table: tags(*[])(tokens(*[])(table)), "", "1 of 24 rows without a word left out"),
        ("a word of nothing", tokens("a", " ", "b", "c"), "a list of texts in column 'tokens'.*row 0", ""),
        ("numbers as words", tokens(1, 2, 3, 4), "a list of texts in column 'tokens'.*row 0", ""),
        ("halves of characters", tokens("a\ud800", "b", "c", "d"), "", "1 cells with halves"),
        ("odd signs", tokens("\U0001f469\u200d\U0001f467", "\u0628", "\x00\x07", "\u200b"), "", ""),
        ("a type of one entity", tags("O", "B-ALONE", "O", "O"), "", "seen once only: ALONE"),
        ("types that are twins", tags("O", "B-thing", "O", "O"), "", r"spelling only \('THING', 'thing'\)"),
        ("a sentence of 5,000 words", lambda table: tags(*["O"] * 5000)(tokens(*["my"] * 5000)(table)), "", ""),
    )
]
SPANS = {
    "outside the text": (
        {"start": 3, "end": 70, "label": "T"},
        "inside the text of 14 characters; found 3-70 in row 0",
    ),
    "before it": ({"start": -3, "end": 7, "label": "T"}, "inside the text"),
    "of nothing": ({"start": 3, "end": 3, "label": "T"}, "inside the text"),
    "of a space": ({"start": 2, "end": 3, "label": "T"}, "a span of no word"),
    "that begins nowhere": ({"start": float("nan"), "end": 7, "label": "T"}, "start, end and label"),
    "without end": ({"start": 3, "end": float("inf"), "label": "T"}, "start, end and label"),
    "without label": ({"start": 3, "end": 7}, "start, end and label"),
    "of a label of nothing": ({"start": 3, "end": 7, "label": " "}, "a label of every span"),
}
DIALOGUES = [
    Case("dialogue", name, put("turns", cell), refused, said)
    for name, cell, refused, said in (
        ("nothing", None, "", "1 rows with nothing in any cell left out"),
        ("a text", "[]", "turns as a list.*str in row 0", ""),
        ("an unknown role", [{"role": "robot", "text": "x"}], "a role out of .*'robot'.*row 0", ""),
        ("a text that is none", turns(None, "x"), "and a text; found .*row 0", ""),
        ("numbers", [1, 2], "a role out of .*row 0", ""),
        ("no turns", [], "", "1 of 24 dialogues without an agent's answer left out"),
        ("an agent alone", [{"role": "agent", "text": "x"}], "", "1 of 24 dialogues without"),
        ("a question of nothing", turns("\u200b ", "x"), "", "1 turns without text left out"),
        ("halves of characters", turns("a\ud800", "x"), "", "1 cells with halves"),
        ("100,000 characters", turns("word " * 20_000, "y"), "", "'source' beyond 4000 letters: 1 rows"),
        ("odd signs", turns(" ".join(ODD_SIGNS.values()), "x"), "", ""),
    )
] + [
    Case("dialogue", "no row", lambda table: table.head(0), refused="at least one row"),
    Case("dialogue", "no turns column", lambda table: table.rename(columns={"turns": "x"}), refused="columns turns"),
    Case(
        "dialogue",
        "sources of nothing",
        lambda table: table_of("seq2seq").assign(source=pd.Series([*NOTHING] * 6, dtype=object)),
        refused="text in source",
    ),
]
BOXES = (
    [50, 50, 60, 60],
    [10, 10, 40, 40],
    [3, 3, 3, 9],
    [9, 9, 3, 3],
    [float("nan")] * 4,
    [0, 0, float("inf"), 5],
)
"""Outside the picture, beyond its edge; of no width, upside down, of no numbers, without end."""
DETECTED = [
    Case("object-detection", "boxes that cannot be", put("boxes", *([{"label": "card", "box": box}] for box in BOXES)),
         said="1 boxes that lie outside.*left out(.|\n)*4 boxes without area left out(.|\n)*1 boxes that reach beyond.* clipped"),
    *(Case("object-detection", f"boxes: {cell!r}", put("boxes", cell), refused="boxes as .*row 0")
      for cell in ("[{", [[1, 2, 3, 4]], {"label": "card"}, [{"box": [1, 1, 5, 5]}], [{"label": "card", "box": None}],
                   [{"label": "card", "box": [1, 2, 3]}], [{"label": "card", "box": list("abcd")}])),
    *(Case("object-detection", f"the label {label!r}", put("boxes", [{"label": label, "box": [1, 1, 5, 5]}]),
           refused="a label for every box") for label in (None, " ", "\u200b")),
    Case("object-detection", "no box", only("boxes", []), refused="no picture has a box"),
    Case("object-detection", "some pictures without", put("boxes", [], None, "")),
    Case("object-detection", "twins", put("boxes", [{"label": "CARD", "box": [1, 1, 5, 5]}] * 2),
         said=r"spelling only \('CARD', 'card'\)"),
    Case("object-detection", "no row", lambda table: table.head(0), refused="at least one row"),
    Case("object-detection", "no column", lambda table: table.drop(columns="boxes"), refused="columns image, boxes"),
    Case("object-detection", "too many labels",
         lambda table: table.assign(boxes=[[{"label": f"{row} {n}", "box": [1, 1, 5, 5]} for n in range(210)] for row in range(24)]),
         refused="5040 different labels"),
]  # fmt: skip
BOTH = [
    Case("image-text", "parts missing", lambda table: put("text", None, *["x"] * 6, *NOTHING, pd.NA)(put("image", *NOTHING, pd.NA)(table)),
         said="1 of 24 rows with neither.*left out(.|\n)*4 of 24 rows have no picture(.|\n)*5 of 24 rows have no text"),
    Case("image-text", "never both", lambda table: only("text", None)(only("image", None)(table)), refused="pictures or texts"),
    Case("image-text", "no picture at all", only("image", None), refused="a picture on some rows"),
    Case("image-text", "100,000 characters", put("text", "word " * 20_000), said="beyond 4000 letters"),
    Case("image-text", "a list", put("text", ["card"]), refused="a text in every cell of column 'text'"),
    Case("image-text", "labels of nothing", put("label", *NOTHING), refused="a label on every row"),
]  # fmt: skip
CASES = [
    *(case for task, column in TEXTS.items() for case in of_texts(task, column)),
    *(case for task in LABELLED for case in of_classes(task)),
    *(case for task in ("regression", "reranking") for case in of_numbers(task)),
    Case("regression", "one number", only("label", 3), refused="every label is 3"),
    Case("multi-label-classification", "nothing labelled", only("label", None), refused="labels, as in a|b; found none"),
    Case("multi-label-classification", "some without", put("label", *NOTHING), said="4 of 24 rows have no label"),
    Case("multi-label-classification", "separators", put("label", "|| a | |b|a", "a|a")),
    Case("embedding", "a negative that is the positive",
         lambda table: table.assign(negative=table["positive"]), said="say what the positive says, not used: 24 rows"),
    Case("embedding", "the same text twice", lambda table: table.assign(positive=table["query"]), said="the same text: 24"),
    Case("reranking", "nothing relevant", only("label", 0), refused="no document is relevant"),
    *TAGGED, *DIALOGUES, *DETECTED, *BOTH,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_odd_table_is_refused_or_its_repairs_are_counted(
    case: Case, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = case.change(table_of(case.task))
    check_outcome(case, lambda: trained(case.task, table, tiny_encoder, tmp_path / "m"), capsys)
    assert (tmp_path / "m").exists() != bool(case.refused)


def check_outcome(case: Case, work: Callable[[], Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Run it: refused as the case says, or done with what it says on stderr."""
    error = None
    try:
        work()
    except FieldtuneError as found:
        error = found
    told = capsys.readouterr().err
    if case.refused:
        assert error is not None, told
        assert re.search(case.refused, str(error)), error
        assert error.expected and error.found and error.fix
    else:
        assert error is None
    assert re.search(case.said, told), told


@pytest.mark.parametrize("name", SPANS)
def test_an_odd_span_is_refused_with_its_row(name: str) -> None:
    span, refused = SPANS[name]
    table = pd.DataFrame({"text": ["my card 1 lost", "hello"], "spans": [[span], []]})
    with pytest.raises(FieldtuneError, match=refused):
        task_module("token-classification").read(table)


@pytest.mark.parametrize("task", sorted(set(TASKS) - {"embedding", "reranking", "regression", *COPYING}))
def test_a_label_that_training_never_saw_is_told_and_counts_as_wrong(
    task: str, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = table_of(task)
    valid = {
        "token-classification": tags("O", "B-never", "O", "O"),
        "object-detection": put("boxes", [{"label": "never", "box": [1, 1, 5, 5]}]),
        "multi-label-classification": put("label", "never|card"),
    }.get(task, put("label", "never"))(table.head(8))
    path = trained(task, table, tiny_encoder, tmp_path / "m", valid=valid)
    assert "labels that train never saw ('never'), counted as wrong: 1 rows" in capsys.readouterr().err
    model = fieldtune.load(path)
    assert "never" not in "".join(model.labels)
    per_class = task_module(task).metrics(model, task_module(task).read(valid))
    if "per_class" in per_class and task != "object-detection":
        assert per_class["per_class"]["never"]["f1"] == 0


@pytest.mark.parametrize("task", LABELLED)
def test_validation_rows_without_a_class_are_refused(task: str, tiny_encoder: Path, tmp_path: Path) -> None:
    table = table_of(task)
    with pytest.raises(FieldtuneError, match="8 rows, all out of scope"):
        trained(task, table, tiny_encoder, tmp_path / "m", valid=table.head(8).assign(label="oos"))
    half = table.head(8).assign(label=["oos"] * 4 + ["never"] * 4)
    assert trained(task, table, tiny_encoder, tmp_path / "m", valid=half).is_dir()


@pytest.mark.parametrize("task", ["embedding", "seq2seq", "image-text", "token-classification"])
def test_texts_of_unknown_tokens_alone(
    task: str, tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = table_of(task)
    unknown = ["\u2603 \u2602" + " \u2601" * n for n in range(len(table))]
    match task:
        case "token-classification":
            table["tokens"] = [[f"\u2603{chr(0x2600 + n)}", "\u2602", "\u2601", "\u2604"] for n in range(len(table))]
        case "embedding":
            table["query"], table["positive"] = unknown, [f"{text} \u2604" for text in unknown]
        case _:
            table["source" if task == "seq2seq" else "text"] = unknown
    heads = {"embedding": {"epochs": 1}, "token-classification": {}}
    how = {"method": "head", "settings": heads[task]} if task in heads else {}
    trained(task, table, tiny_encoder, tmp_path / "m", **how)
    assert re.search("cannot read 100% of the tokens", capsys.readouterr().err)


# pictures


def png(width: int, height: int, data: bytes) -> bytes:
    """A PNG whose header says what it likes."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    made = (struct.pack(">I", len(one)) + kind + one + struct.pack(">I", zlib.crc32(kind + one)) for kind, one in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pictures of every mode and size by name."""
    folder = tmp_path_factory.mktemp("pictures")
    colour = Image.fromarray(np.random.default_rng(1).integers(0, 255, (20, 14, 3), dtype=np.uint8))
    deep = np.random.default_rng(2).integers(0, 65535, (20, 14), dtype=np.uint16)
    turned = Image.Exif()
    turned[0x0112] = 6
    made: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "1-bit.png": (colour.convert("1"), {}), "palette.gif": (colour.convert("P"), {}), "16-bit.png": (Image.fromarray(deep), {}),
        "cmyk.jpg": (colour.convert("CMYK"), {}), "alpha.png": (colour.convert("RGBA"), {}), "grey-alpha.png": (colour.convert("LA"), {}),
        "float.tif": (Image.fromarray(deep.astype(np.float32)), {}), "lab.tif": (colour.convert("LAB"), {}),
        "one pixel.png": (Image.new("RGB", (1, 1)), {}), "one row.png": (Image.new("RGB", (500, 1)), {}),
        "turned.jpg": (colour, {"exif": turned}), "photo.webp": (colour, {}), "plain.ppm": (colour, {}),
        "animated.gif": (colour, {"save_all": True, "append_images": [colour.rotate(90)] * 2}),
    }  # fmt: skip
    for name, (image, how) in made.items():
        image.save(folder / name, **how)
    return {name: folder / name for name in made}


PICTURED = ("image-classification", "image-text", "object-detection")
BROKEN: dict[str, tuple[Any, str]] = {
    "cut": (lambda raw: raw[: len(raw) * 2 // 3], "odd.png: "),
    "empty": (lambda raw: b"", "odd.png: "),
    "a text": (lambda raw: b"hello", "odd.png: "),
    "vector graphics": (lambda raw: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "odd.png: "),
    "a bomb": (lambda raw: png(65_000, 65_000, b"x"), "decompression bomb.*odd.png"),
    "a bomb below the limit": (lambda raw: png(7_000, 7_000, zlib.compress(b"\0" * 100)), "odd.png: "),
    "no pixels": (lambda raw: png(0, 0, b"x"), "odd.png: "),
    "bytes that are none": (b"abc", "given as bytes: "),
}
NO_PICTURE: dict[str, tuple[Any, str]] = {
    "a missing file": ("no.png", "nothing at .*no.png"),
    "an address": ("http://example.org/y.png", "nothing at "),
    "a number": (5, "no picture: 5"),
}
NO_ARRAY: dict[str, tuple[Any, str]] = {
    "an array of real numbers": (np.zeros((4, 4)), "as uint8"),
    "an array of five channels": (np.zeros((4, 4, 5), np.uint8), "as uint8"),
    "an array of nothing": (np.zeros((0, 4), np.uint8), "as uint8"),
}


@pytest.mark.parametrize("task", PICTURED)
def test_pictures_of_all_modes_and_sizes_are_read_and_told(
    task: str, gallery: dict[str, Path], tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = put("image", *gallery.values())(table_of(task))
    path = trained(task, table, tiny_encoder, tmp_path / "m")
    told = capsys.readouterr().err
    assert "pictures of 5 sizes, 1 x 1 to 500 x 1, are scaled to one" in told
    assert "several modes (1 1, 1 CMYK, 1 F, 1 I;16, 1 LA, 1 LAB, 2 P, 15 RGB, 1 RGBA) are read alike" in told
    assert "of animated pictures the first frame is read: 1 rows" in told
    found = task_module(task).predict(fieldtune.load(path), table)
    assert len(found) == len(table)
    assert task == "object-detection" or np.isfinite(found["probability"]).all()


@pytest.mark.parametrize("task", PICTURED)
@pytest.mark.parametrize("name", [*BROKEN, *NO_PICTURE, *NO_ARRAY])
def test_what_is_no_picture_is_refused_or_left_out_by_its_name(
    name: str,
    task: str,
    gallery: dict[str, Path],
    tiny_encoder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cell, told = {**BROKEN, **NO_PICTURE, **NO_ARRAY}[name]
    if callable(cell):
        (tmp_path / "odd.png").write_bytes(cell(gallery["photo.webp"].read_bytes()))
        cell = tmp_path / "odd.png"
    if name in NO_ARRAY:
        case = Case(task, name, put("image", cell), refused=told)
    else:
        case = Case(task, name, put("image", cell), said=f"1 pictures cannot be read, .*row 0, .*{told}")
    check_outcome(case, lambda: trained(task, case.change(table_of(task)), tiny_encoder, tmp_path / "m"), capsys)


# from the outside


ROWS = (
    "",
    " \u200b",
    "my card 1",
    "\U0001f600 \u202e\u0628",
    "card\x00\x1b[31m",
    "half \ud83d",
    "word " * 20_000,
    "\u2603 \u2602",
)


@pytest.mark.parametrize("task", [*(task for task in TEXTS if task != "embedding"), "token-classification", "dialogue"])
def test_predict_answers_every_odd_row(task: str, cli: Callable[..., Ran], tiny_encoder: Path, tmp_path: Path) -> None:
    path = trained(task, table_of(task), tiny_encoder, tmp_path / "m", progress=False)
    names = ("text",) if task == "token-classification" else task_module(task).INPUTS
    lines = [json.dumps({"id": n, **dict.fromkeys(names, text)}) for n, text in enumerate(ROWS)]
    (tmp_path / "odd.jsonl").write_text("\n".join([*lines, json.dumps({"id": 99})]))
    ran = cli("predict", "--model", path, "--data", tmp_path / "odd.jsonl", "--out", tmp_path / "p.jsonl", "--json")
    assert ran.code == 0, ran.err
    assert "halves of characters" in ran.err
    told = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [row["id"] for row in told] == [*range(len(ROWS)), 99]
    numbers = [value for row in told for value in row.values() if isinstance(value, float)]
    assert np.isfinite(numbers).all()


@pytest.mark.parametrize(
    ("name", "content", "refused"),
    [
        ("nothing.csv", "", "a header and at least one row"),
        ("header.csv", "text,label\n", "at least one row"),
        ("twice.csv", "text,text,label\na,b,c\n", "every column once; found text"),
        ("long.csv", "text,label\na,b,c,d\n", "4 cells in line 2"),
        ("quote.csv", 'text,label\n"a,b\n', "a well-formed table"),
        ("list.jsonl", '[1, 2]\n{"text": "a"}\n', "a JSON object on every line"),
        ("cut.jsonl", '{"text": "a", "lab', "JSON on every line"),
        ("deep.jsonl", "[" * 100_000, "JSON on every line"),
        ("no.parquet", "PAR1", "a Parquet file"),
        ("no.csv.gz", "text,label", "a readable file"),
    ],
)
def test_an_odd_file_is_one_line(
    cli: Callable[..., Ran], tmp_path: Path, name: str, content: str, refused: str
) -> None:
    (tmp_path / name).write_text(content)
    ran = cli(
        "train",
        "--task",
        "text-classification",
        "--train",
        tmp_path / name,
        "--method",
        "linear",
        "--out",
        tmp_path / "m",
    )
    assert ran.code == 1
    assert refused in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "m").exists()
