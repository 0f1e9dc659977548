"""A picture on disk, in bytes or in an array -> pixels of one shape. Every complaint names the picture.

Knows no task and no label. A header is looked at before a pixel is unpacked, so a picture that claims to be enormous
costs nothing.
"""

import contextlib
import hashlib
import io
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fieldtune.errors import InputError

Pixels = NDArray[np.uint8]
KINDS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
LARGEST = 50_000_000
"""Pixels of the largest picture that is read: Pillow takes four bytes for each, and for a while that twice."""
_STRIP = 2**20  # pixels turned into 8 bits, or laid on white, at a time: both need several copies
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")
_WHITE = (255, 255, 255, 255)
_ORIENTATION = 0x0112  # EXIF's tag
_ON_ITS_SIDE = (5, 6, 7, 8)


def pixels(picture: Any, size: tuple[int, int], channels: int) -> Pixels:
    """A picture scaled to ``size``, uint8 ``[height, width, channels]``.

    Args:
        picture: a path, the bytes of a file, or an array uint8 ``[height, width]`` or ``[height, width, 1, 3 or 4]``.
        size: height and width.
        channels: 1 for grey, 3 for colour.

    Raises:
        InputError: no file, no picture, a broken or an enormous one.
    """
    image, mode = opened(picture), "L" if channels == 1 else "RGB"
    image = image if image.mode == mode else image.convert(mode)
    if image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8).reshape(*size, channels)


def stack(pictures: Sequence[Any], size: tuple[int, int], channels: int) -> Pixels:
    """Pictures scaled to one size, uint8 ``[n, height, width, channels]``."""
    found = np.empty((len(pictures), *size, channels), dtype=np.uint8)
    for row, picture in enumerate(pictures):
        found[row] = pixels(picture, size, channels)
    return found


def opened(picture: Any) -> Image.Image:
    """The picture upright (EXIF), mode L or RGB, in its own size; what is transparent is white."""
    if isinstance(picture, np.ndarray):
        return _flat(_of_array(picture))
    with _header(picture) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return _flat(image)


class Header(NamedTuple):
    """What a picture says of itself: size as it is seen, upright; Pillow's mode; how many pictures follow each other."""

    height: int
    width: int
    mode: str
    frames: int


def header(picture: Any) -> Header:
    """The same without unpacking it."""
    if isinstance(picture, np.ndarray):
        height, width, channels = (*_checked(picture).shape, 1)[:3]
        return Header(int(height), int(width), {1: "L", 3: "RGB", 4: "RGBA"}[int(channels)], 1)
    with _header(picture) as image:
        width, height = image.size
        on_its_side = image.getexif().get(_ORIENTATION, 1) in _ON_ITS_SIDE
        sides = (width, height) if on_its_side else (height, width)
        return Header(*sides, image.mode, int(getattr(image, "n_frames", 1)))


def height_width(picture: Any) -> tuple[int, int]:
    """Height and width of a picture as it is seen, upright; only its header is read."""
    told = header(picture)
    return told.height, told.width


def is_grey(picture: Any) -> bool:
    """Whether a picture has no colour by its kind; only its header is read."""
    return header(picture).mode in _GREY


def key(picture: Any) -> str:
    """Equal for pictures of the same bytes."""
    if isinstance(picture, np.ndarray):
        told = f"{picture.dtype.str}{picture.shape}".encode()
        return hashlib.sha256(told + np.ascontiguousarray(picture).tobytes()).hexdigest()
    if isinstance(picture, bytes):
        return hashlib.sha256(picture).hexdigest()
    file = Path(picture).absolute()
    state = file.stat()
    return _file_key(file, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=100_000)
def _file_key(file: Path, size: int, changed: int) -> str:
    """The key of a file, which checks, the split and the search for leaks ask for in turn: it is read once."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


@contextlib.contextmanager
def _header(picture: Any) -> Iterator[Image.Image]:
    """A picture file whose header was read; what Pillow complains about in the block is told with its name."""
    if not isinstance(picture, (str, Path, bytes)):
        raise InputError("a picture: its path, its bytes or an array", f"{picture!r:.60}", "give numpy.asarray(image)")
    name = "the picture given as bytes" if isinstance(picture, bytes) else str(picture)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata, and on sizes that are refused below
            with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture, formats=_FORMATS) as image:
                _refuse_enormous(image.size, name)
                yield image
    except FileNotFoundError as error:
        fix = "check the path; it counts from the table's folder"
        raise InputError("a picture", f"nothing at {name}", fix) from error
    except Image.DecompressionBombError as error:
        raise _enormous(name, str(error)) from error
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, MemoryError) as error:  # Pillow raises all of them
        raise InputError(
            f"a readable picture ({', '.join(_FORMATS)})", f"{name}: {str(error) or type(error).__name__}", "replace it"
        ) from error


def _refuse_enormous(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > LARGEST:
        raise _enormous(name, f"{size[0]} x {size[1]}")


def _enormous(name: str, found: str) -> InputError:
    return InputError(
        f"a picture of at most {LARGEST // 10**6} million pixels", f"{found} in {name}", "make it smaller"
    )


def _flat(image: Image.Image) -> Image.Image:
    """Mode L or RGB, 8 bits."""
    mode = "L" if image.mode in _GREY else "RGB"
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        return _on_white(image, mode)
    return image if image.mode == mode else image.convert(mode)


def _on_white(image: Image.Image, mode: str) -> Image.Image:
    flat = Image.new(mode, image.size)
    for rows in _strips(image.height, image.width):
        seen = image.crop((0, rows.start, image.width, rows.stop)).convert("RGBA")
        laid = Image.alpha_composite(Image.new("RGBA", seen.size, _WHITE), seen)
        flat.paste(laid.convert(mode), (0, rows.start))
    return flat


def _eight_bits(values: NDArray[Any]) -> Pixels:
    """16 bits by their highest byte; real numbers from 0 to 1 by 255; what is beyond both is cut."""

    def real(rows: slice) -> NDArray[np.float64]:
        return np.nan_to_num(np.asarray(values[rows], dtype=np.float64))

    strips = _strips(*values.shape)
    highest = max(real(rows).max() for rows in strips)
    scale = 255.0 if 0 < highest <= 1 else 1.0 if highest <= 255 else 1 / 257
    found = np.empty(values.shape, dtype=np.uint8)
    for rows in strips:
        found[rows] = np.clip(np.rint(real(rows) * scale), 0, 255)
    return found


def _strips(height: int, width: int) -> list[slice]:
    """Rows of a picture, some at a time."""
    size = max(1, _STRIP // width)
    return [slice(start, min(start + size, height)) for start in range(0, height, size)]


def _of_array(array: NDArray[Any]) -> Image.Image:
    array = _checked(array)
    return Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _checked(array: NDArray[Any]) -> Pixels:
    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if array.dtype != np.uint8 or not fits or not array.size:
        raise InputError(
            "a picture as uint8 [height, width] or [height, width, 1, 3 or 4]",
            f"{array.dtype} {array.shape}",
            "convert it",
        )
    _refuse_enormous((array.shape[1], array.shape[0]), "an array")
    return array
