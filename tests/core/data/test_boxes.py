"""VOC and COCO become one table; impossible boxes are clipped or left out and counted; hostile XML is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fieldtune.data.boxes import box_table, unboxed_images
from fieldtune.errors import InputError

OBJECT = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"


def voc(folder: Path, name: str, objects: list[tuple[str, int, int, int, int]]) -> None:
    """One annotated picture, 40 wide and 30 high."""
    for below in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / below).mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(folder / "JPEGImages" / f"{name}.jpg")
    body = "".join(OBJECT.format(*entry) for entry in objects)
    text = f"<annotation><filename>{name}.jpg</filename><size><width>1</width></size>{body}</annotation>"
    (folder / "Annotations" / f"{name}.xml").write_text(text)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    voc(tmp_path, "a", [("red", 1, 1, 10, 20), ("white", 31, 11, 60, 25)])  # the second reaches out
    voc(tmp_path, "b", [("red", 5, 5, 5, 9), ("red", 50, 1, 60, 9)])  # no area; outside
    voc(tmp_path, "c", [])
    for part, names in {"train": "a b", "val": "c", "test": "a"}.items():
        (tmp_path / "ImageSets/Main" / f"{part}.txt").write_text(names.replace(" ", "\n") + "\n")
    return tmp_path


def test_voc_in_its_parts_with_repairs_counted(cells: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = box_table(cells)
    assert sorted(zip(table["part"], (path.stem for path in table["image"]), strict=True)) == [
        ("test", "a"),
        ("train", "a"),
        ("train", "b"),
        ("valid", "c"),
    ]
    boxes = {path.stem: found for path, found in zip(table["image"], table["boxes"], strict=True)}
    assert boxes["a"] == [{"label": "red", "box": [0, 0, 10, 20]}, {"label": "white", "box": [30, 10, 40, 25]}]
    assert boxes["b"] == boxes["c"] == []
    told = capsys.readouterr().err
    assert "1 boxes without area" in told
    assert "1 boxes that lie outside" in told
    assert "2 boxes that reach beyond" in told
    assert len(box_table(cells / "ImageSets/Main/train.txt")) == 2
    assert [Path(name).name for name in unboxed_images(cells)[0]["image"]] == ["a.jpg"]  # the test part
    assert Path(unboxed_images(cells)[0]["image"][0]).is_file()


def test_what_voc_lacks_is_named(cells: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cells / "JPEGImages/b.jpg").unlink()
    assert [path.stem for path in box_table(cells)["image"]].count("b") == 0
    assert f"nothing at {cells / 'JPEGImages' / 'b.jpg'}" in capsys.readouterr().err
    (cells / "ImageSets/Main/train.txt").write_text("a\nzz\n")
    with pytest.raises(InputError, match=r"zz\.xml"):
        box_table(cells)
    (cells / "Annotations/a.xml").write_text("<annotation><object><name>red</name></object></annotation>")
    with pytest.raises(InputError, match="xmin"):
        box_table(cells)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "expansion": f'<!DOCTYPE a [<!ENTITY l0 "lol">{LAUGHS}]><annotation>&l9;</annotation>',
    "external": '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><annotation>&e;</annotation>',
    "deep": "<annotation>" + "<a>" * 1_000_000,
    "torn": "<annotation><object>",
    "words": "no XML",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_xml_is_refused(cells: Path, kind: str) -> None:
    (cells / "Annotations/a.xml").write_text(HOSTILE[kind])
    with pytest.raises(InputError, match=r"a\.xml"):
        box_table(cells)


def coco(folder: Path, **changes: object) -> Path:
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(folder / "one.png")
    told = {
        "images": [{"id": 7, "file_name": "one.png"}],
        "categories": [{"id": 3, "name": "cup"}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 20], "iscrowd": 0},
            {"image_id": 7, "category_id": 3, "bbox": [1, 2, 0, 20]},
            {"image_id": 7, "category_id": 3, "bbox": [0, 0, 40, 30], "iscrowd": 1},
        ],
    }
    (folder / "set.json").write_text(json.dumps(told | changes))
    return folder / "set.json"


def test_coco(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = box_table(coco(tmp_path), labels={"cup": "mug"})
    assert table["boxes"].tolist() == [[{"label": "mug", "box": [1, 2, 11, 22]}]]
    told = capsys.readouterr().err
    assert "1 boxes without area" in told
    assert "1 crowds" in told


@pytest.mark.parametrize(
    "changes",
    [
        {"annotations": [{"image_id": 8, "category_id": 3, "bbox": [1, 2, 3, 4]}]},
        {"annotations": [{"image_id": 7, "category_id": 3, "bbox": "abcd"}]},
        {"categories": []},
        {"images": [{"id": 7, "file_name": "gone.png"}], "annotations": []},
        {"images": []},
    ],
)
def test_broken_coco_is_named(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"set\.json"):
        box_table(coco(tmp_path, **changes))


def test_what_coco_lacks_is_named(tmp_path: Path) -> None:
    for strange, told in (
        ({"image_id": 7, "category_id": 9, "bbox": [1, 2, 3, 4]}, "category 9 of an annotation"),
        ({"image_id": 8, "category_id": 3, "bbox": [1, 2, 3, 4]}, "image 8 of an annotation"),
        ({"image_id": 7, "category_id": 3}, "no 'bbox'"),
    ):
        with pytest.raises(InputError, match=told):
            box_table(coco(tmp_path, annotations=[strange]))


def test_the_part_of_each_row_may_have_another_name(cells: Path) -> None:
    rows = pd.DataFrame({"image": [str(cells / "JPEGImages" / f"{name}.jpg") for name in "ab"], "boxes": "[]"})
    table = box_table(rows.assign(split=["train", "test"]), rename={"part": "split"})
    assert table["part"].tolist() == ["train", "test"]


def test_what_predict_writes_can_be_read_again(cells: Path) -> None:
    rows = [{"image": "JPEGImages/a.jpg", "boxes": json.dumps([{"label": "red", "score": 0.5, "box": [1, 2, 3, 4]}])}]
    rows.append({"image": "JPEGImages/b.jpg", "boxes": ""})
    pd.DataFrame(rows).to_csv(cells / "rows.csv", index=False)
    table = box_table(cells / "rows.csv")
    assert table["boxes"].tolist() == [[{"label": "red", "box": [1, 2, 3, 4]}], []]
    pd.DataFrame([{"image": "JPEGImages/a.jpg", "boxes": "[1, 2]"}]).to_csv(cells / "rows.csv", index=False)
    with pytest.raises(InputError, match="row 2"):
        box_table(cells / "rows.csv")


def test_numbers_that_are_none_have_no_area(capsys: pytest.CaptureFixture[str]) -> None:
    boxes = [[{"label": "a", "box": [float("nan"), 0, 5, 5]}]]
    table = box_table(pd.DataFrame({"image": [np.zeros((9, 9), np.uint8)], "boxes": boxes}))
    assert table["boxes"].tolist() == [[]]
    assert "1 boxes without area" in capsys.readouterr().err


@pytest.mark.parametrize("box", [[0, 0, 5], ["x"] * 4, [0, 0, 5, 5, 5], 7, None])
def test_a_box_that_is_none_is_refused_with_its_row(tmp_path: Path, box: object) -> None:
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "one.png")
    rows = [{"image": "one.png", "boxes": [{"label": "a", "box": one}]} for one in ([1, 2, 3, 4], box)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError, match="row 2 of "):
        box_table(tmp_path / "t.jsonl")


def test_boxes_in_shares_of_the_picture_are_refused(cells: Path) -> None:
    image = str(cells / "JPEGImages" / "a.jpg")
    pixels, shares = [4, 3, 20, 15], [0.1, 0.1, 0.5, 0.5]
    with pytest.raises(InputError, match="multiply shares of a picture by its width and height"):
        box_table(pd.DataFrame({"image": [image], "boxes": [[{"label": "red", "box": shares}]]}))
    mixed = [{"label": "red", "box": box} for box in (shares, pixels)]
    assert len(box_table(pd.DataFrame({"image": [image], "boxes": [mixed]}))["boxes"][0]) == 2
