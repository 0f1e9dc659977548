"""Boxes in Pascal VOC's form: an XML file a picture. Read with expat alone, which builds no tree.

The files are anybody's: a document type, hence any entity, is refused, and so are deep nesting and enormous files.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from fieldtune.data.images import KINDS
from fieldtune.data.parts import official
from fieldtune.data.raw import decode, read_bytes
from fieldtune.errors import InputError

_DEEPEST = 32
_LARGEST = 50_000_000  # bytes
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def voc_rows(path: Path) -> Iterator[dict[str, Any]]:
    """One row a picture: image, boxes [{label, box}], part.

    Args:
        path: a folder with Annotations, JPEGImages and ImageSets/Main; one of these lists; or any folder of XML files
            whose pictures lie beside them or in a neighbouring folder.
    """
    if not path.is_dir():
        yield from _listed(path, path.resolve().parent.parent.parent, "")
        return
    lists = {name: file for file in sorted(path.glob("ImageSets/Main/*.txt")) if (name := official(file.stem))}
    for name, file in lists.items():
        yield from _listed(file, path, name)
    if lists:
        return
    files = sorted(path.rglob("*.xml"))
    if not files:
        raise InputError("VOC annotations (XML files)", f"none below {path}", "check the folder")
    for file in files:
        yield _row(file, path, "")


def _listed(file: Path, folder: Path, part: str) -> Iterator[dict[str, Any]]:
    for line in decode(read_bytes(file), file).splitlines():
        if line.strip():
            yield _row(folder / "Annotations" / f"{line.split()[0]}.xml", folder, part)


def _row(file: Path, folder: Path, part: str) -> dict[str, Any]:
    found = _parsed(file)
    boxes = [_box(entry, file) for entry in found["objects"]]
    return {"image": _picture(file, found["filename"], folder), "boxes": boxes, "part": part}


def _box(entry: dict[str, str], file: Path) -> dict[str, Any]:
    """VOC counts pixels from one and means the last one too; here a side is where the pixel begins or ends."""
    try:
        x0, y0, x1, y1 = (float(entry[name]) for name in _SIDES)
        label = entry["name"].strip()
    except (KeyError, ValueError) as error:
        raise InputError(
            f"a name and {', '.join(_SIDES)} for every object of {file}", str(error), "correct it"
        ) from error
    if x1 <= x0 or y1 <= y0:  # no area; left so, to be counted with the others
        return {"label": label, "box": [x0, y0, x1, y1]}
    return {"label": label, "box": [x0 - 1, y0 - 1, x1, y1]}


def _picture(file: Path, named: str, folder: Path) -> Path:
    """The picture of an annotation: by the annotation's own name, else by the one written in it."""
    places = [file.parent, folder / "JPEGImages", folder / "images", folder]
    names = [file.with_suffix(kind).name for ending in KINDS for kind in (ending, ending.upper())]
    wanted = Path(named.replace("\\", "/")).name
    for place in places:
        for name in (*names, *([wanted] if wanted else [])):
            if (place / name).is_file():
                return place / name
    return (
        folder / "JPEGImages" / (wanted or file.with_suffix(".jpg").name)
    )  # is counted with those that cannot be read


def _parsed(file: Path) -> dict[str, Any]:
    """``filename``, and per object the texts of name and sides."""
    if not file.is_file():
        raise InputError("an annotation", f"nothing at {file}", "add the file, or take it off the list")
    if file.stat().st_size > _LARGEST:
        raise InputError(f"an annotation of at most {_LARGEST // 10**6} MB", f"a larger one at {file}", "split it")
    reader = _Reader()
    try:
        reader.parser.Parse(file.read_bytes(), True)
    except (expat.ExpatError, _RefusedXML) as error:
        raise InputError(f"VOC XML in {file}", str(error), "correct or leave out that file") from error
    return {"filename": reader.filename, "objects": reader.objects}


class _RefusedXML(Exception):
    """XML that has no place in an annotation."""


class _Reader:
    """Keeps the texts of ``annotation/filename`` and of each ``annotation/object``; all else passes by."""

    def __init__(self) -> None:
        self.filename, self.objects = "", list[dict[str, str]]()
        self._path: list[str] = []
        self._text: list[str] = []
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append

    def _refuse(self, *_: Any) -> None:
        raise _RefusedXML("a document type, which may hold entities")

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._path.append(name)
        self._text.clear()
        if len(self._path) > _DEEPEST:
            raise _RefusedXML(f"more than {_DEEPEST} levels")
        if self._path[1:] == ["object"]:
            self.objects.append({})

    def _end(self, name: str) -> None:
        text, inside = "".join(self._text), self._path[1:]
        if inside == ["filename"]:
            self.filename = text.strip()
        elif inside[:1] == ["object"] and (len(inside) == 2 or inside[1:2] == ["bndbox"]):
            self.objects[-1][name] = text
        self._path.pop()
        self._text.clear()
