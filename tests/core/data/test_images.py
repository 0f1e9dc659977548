"""Pictures of every kind become pixels; what is broken or enormous is named and refused."""

import io
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fieldtune.data import images
from fieldtune.data.images import height_width, is_grey, key, opened, pixels
from fieldtune.data.labelled_images import image_table, unlabelled_images
from fieldtune.data.parts import of_part, parts_named
from fieldtune.errors import InputError

RED = np.zeros((6, 4, 3), np.uint8) + np.array([204, 51, 0], np.uint8)


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG whose header says this size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr"])
def test_a_colour_keeps_its_place_whatever_the_mode(tmp_path: Path, mode: str) -> None:
    file = tmp_path / f"picture.{'tif' if mode in ('CMYK', 'YCbCr') else 'png'}"
    Image.fromarray(RED).convert(mode).save(file)
    found = pixels(file, (6, 4), 3)
    assert found.shape == (6, 4, 3)
    assert np.abs(found.astype(int) - RED).max() <= 2
    assert not is_grey(file)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save(tmp_path / "clear.png")
    assert (pixels(tmp_path / "clear.png", (4, 4), 3) == 255).all()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "key.png", transparency=0)
    assert (pixels(tmp_path / "key.png", (4, 4), 1) == 255).all()


def test_sixteen_bits_and_real_numbers_keep_their_shades(tmp_path: Path) -> None:
    shades = np.linspace(0, 65535, 16).astype(np.uint16).reshape(4, 4)
    Image.fromarray(shades).save(tmp_path / "deep.png")
    assert np.abs(pixels(tmp_path / "deep.png", (4, 4), 1)[:, :, 0] - shades / 257).max() <= 1
    Image.fromarray((shades / 65535).astype(np.float32)).save(tmp_path / "real.tif")
    assert np.abs(pixels(tmp_path / "real.tif", (4, 4), 1)[:, :, 0] - shades / 257).max() <= 1
    assert is_grey(tmp_path / "deep.png")


def test_a_picture_is_turned_upright(tmp_path: Path) -> None:
    half = np.zeros((8, 16), np.uint8)
    half[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: the stored left is the top
    Image.fromarray(half).save(tmp_path / "turned.png", exif=exif)
    assert opened(tmp_path / "turned.png").size == (8, 16)
    assert height_width(tmp_path / "turned.png") == (16, 8)
    assert pixels(tmp_path / "turned.png", (16, 8), 1)[:7].min() > 200


def test_bytes_arrays_and_files_are_the_same_picture(tmp_path: Path) -> None:
    Image.fromarray(RED).save(tmp_path / "red.png")
    raw = (tmp_path / "red.png").read_bytes()
    assert (pixels(raw, (6, 4), 3) == pixels(RED, (6, 4), 3)).all()
    assert key(raw) == key(tmp_path / "red.png") != key(RED)
    assert pixels(RED[:, :, :1], (12, 8), 1).shape == (12, 8, 1)


def test_an_enormous_picture_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(65000, 65000))
    (tmp_path / "large.png").write_bytes(png(9000, 9000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("bomb.png", "large.png"):
        with pytest.raises(InputError, match=name):
            pixels(tmp_path / name, (8, 8), 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


PEAK = """
import sys
from pathlib import Path
from fieldtune.data.images import pixels
def peak():  # of this process alone: what getrusage tells begins with the parent's
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
pixels(sys.argv[1], (8, 8), 3)
before = peak()
pixels(sys.argv[2], (8, 8), 3)
print(peak() - before)
"""


@pytest.mark.parametrize("mode", ["I;16", "RGBA"])
def test_a_large_picture_takes_few_bytes_a_pixel(tmp_path: Path, mode: str) -> None:
    for name, side in {"small": 8, "large": 4000}.items():
        Image.new(mode, (side, side)).save(tmp_path / f"{name}.png")
    files = [tmp_path / "small.png", tmp_path / "large.png"]
    ran = subprocess.run([sys.executable, "-c", PEAK, *files], capture_output=True, text=True, check=True)
    assert int(ran.stdout) * 1024 / 4000**2 < 12


def test_strips_are_one_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    clear = Image.fromarray(rng.integers(0, 256, (9, 5, 4), dtype=np.uint8))
    deep = Image.fromarray(rng.integers(0, 65536, (9, 5), dtype=np.uint16))
    for name, picture in {"clear.png": clear, "grey.png": clear.convert("LA"), "deep.png": deep}.items():
        picture.save(tmp_path / name)
        whole = opened(tmp_path / name)
        with monkeypatch.context() as patch:
            patch.setattr(images, "_STRIP", 10)
            assert (np.asarray(opened(tmp_path / name)) == np.asarray(whole)).all()


def test_what_is_no_whole_picture_is_named(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(stream, "JPEG")
    whole = stream.getvalue()
    for name, raw in {
        "cut.jpg": whole[: len(whole) // 2],
        "words.png": b"not a picture",
        "empty.png": b"",
        "torn.png": png(4, 4, b"\0"),
    }.items():
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(InputError, match=name):
            pixels(tmp_path / name, (8, 8), 1)
    with pytest.raises(InputError, match="nothing at"):
        pixels(tmp_path / "gone.png", (8, 8), 1)
    for look in (opened, height_width, is_grey):
        for wrong in (np.zeros((4, 4)), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)):
            with pytest.raises(InputError, match="a picture as uint8"):
                look(wrong)


def test_every_kind_of_damage_ends_in_one_kind_of_error() -> None:
    stream = io.BytesIO()
    Image.fromarray(RED).save(stream, "PNG")
    rng = np.random.default_rng(1)
    for kind in ("PNG", "GIF", "TIFF", "BMP", "WEBP"):
        stream = io.BytesIO()
        Image.fromarray(RED).save(stream, kind)
        for _ in range(40):
            raw = bytearray(stream.getvalue())
            for place in rng.integers(0, len(raw), 3):
                raw[place] = rng.integers(0, 256)
            try:
                assert min(height_width(bytes(raw))) > 0
                assert pixels(bytes(raw), (4, 4), 3).shape == (4, 4, 3)
            except InputError as error:
                assert "bytes" in str(error)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in ("train", "val", "test"):
        for label in ("cat", "dog"):
            (tmp_path / "set" / part / label).mkdir(parents=True)
            for number in range(2):
                Image.fromarray(RED + number).save(tmp_path / "set" / part / label / f"{number}.png")
    return tmp_path / "set"


def test_a_column_that_names_parts_is_read_as_folders_are(folder: Path) -> None:
    table = pd.DataFrame({"image": [RED + number for number in range(6)], "label": ["a", "b"] * 3})
    named = image_table(table.assign(part=["train", "Train", "val", "validation", "test ", "TEST"]))
    assert list(named["part"]) == ["train", "train", "valid", "valid", "test", "test"]
    assert list(of_part(named, "valid")["label"]) == ["a", "b"]
    assert "part" not in image_table(table.assign(part=["left arm"] * 6))  # another meaning
    with pytest.raises(InputError, match=r"every row of the column part.*'dev'.*rows 3, 5.*name the part of each"):
        image_table(table.assign(part=["train", "train", "test", "dev", "test", ""]))
    with pytest.raises(InputError, match="every row of the column part"):
        parts_named(table.assign(part=["train"] * 5 + [["test"]]), "the table")


def test_a_folder_a_class_with_and_without_parts(folder: Path) -> None:
    table = image_table(folder)
    assert table.groupby(["part", "label"]).size().tolist() == [2] * 6
    assert set(of_part(table, "train")["part"]) == {"train"}
    assert set(of_part(table, "valid")["part"]) == {"valid"}
    alone = image_table(folder / "train")
    assert list(alone) == ["image", "label"]
    assert alone["label"].tolist() == ["cat", "cat", "dog", "dog"]
    assert all(path.is_file() for path in alone["image"])
    given, inputs = unlabelled_images(folder / "test")
    names = ["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]
    assert given["image"].tolist() == [str(folder / "test" / name) for name in names]
    assert len(inputs) == 4


def test_paths_count_from_the_table(folder: Path) -> None:
    file = folder / "rows.csv"
    file.write_text("file,kind\ntrain/cat/0.png,1\ntest/dog/1.png,0\n")
    table = image_table(file, rename={"image": "file", "label": "kind"}, labels={"1": "cat", "0": "dog"})
    assert table["label"].tolist() == ["cat", "dog"]
    assert pixels(table["image"][1], (6, 4), 3).max() == 205
    file.write_text("image,label\ntrain/cat/gone.png,cat\n")
    with pytest.raises(InputError, match=r"row 2, nothing .*gone\.png"):
        image_table(file)
    file.write_text("image,label\ntrain/cat/0.png,\n")
    with pytest.raises(InputError, match="label on every row"):
        image_table(file)


def test_arrays_in_their_official_parts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        f"{part}_images": rng.integers(0, 255, (n, 5, 5), dtype=np.uint8)
        for part, n in (("train", 4), ("val", 2), ("test", 3))
    }
    arrays |= {
        name.replace("images", "labels"): np.arange(len(value))[:, None] % 2 for name, value in list(arrays.items())
    }
    np.savez(tmp_path / "set.npz", **arrays)
    table = image_table(tmp_path / "set.npz", labels={"0": "no", "1": "yes"})
    assert table["part"].value_counts().to_dict() == {"train": 4, "test": 3, "valid": 2}
    assert table["label"][:4].tolist() == ["no", "yes", "no", "yes"]
    assert (of_part(table, "test")["image"][2] == arrays["test_images"][2]).all()
    assert len(unlabelled_images(tmp_path / "set.npz")[1]) == 3


def test_a_pickle_in_an_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "trap.npz", images=np.array([{"a": 1}], dtype=object), labels=np.zeros(1))
    with pytest.raises(InputError, match="without pickles"):
        image_table(tmp_path / "trap.npz")
    np.savez(tmp_path / "short.npz", images=np.zeros((2, 4, 4), np.uint8), labels=np.zeros(3))
    with pytest.raises(InputError, match="one label a picture"):
        image_table(tmp_path / "short.npz")
    (tmp_path / "words.npz").write_text("words")
    with pytest.raises(InputError, match="words"):
        image_table(tmp_path / "words.npz")


def test_a_table_in_memory_holds_paths_arrays_or_bytes(folder: Path) -> None:
    raw = (folder / "train/cat/0.png").read_bytes()
    table = image_table(pd.DataFrame({"image": [str(folder / "train/cat/0.png"), RED, raw], "label": list("aba")}))
    assert [pixels(cell, (2, 2), 3).shape for cell in table["image"]] == [(2, 2, 3)] * 3
    with pytest.raises(InputError, match="a readable picture; found none among 2"):
        image_table(pd.DataFrame({"image": ["", None], "label": ["a", "b"]}))
