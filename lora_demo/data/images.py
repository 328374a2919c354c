"""Opening pictures that may be anything: a plain RGB image comes out, or an ImageError that says what is wrong.

What happens to unusual files (tests pin each line):

    grey, palette, CMYK, YCbCr      converted by Pillow, like the public MGM code
    RGBA, grey with alpha           the alpha channel is dropped, nothing is composited: hidden colours show, as there
    16-bit grey                     the upper byte is kept (Pillow's own conversion would saturate to white)
    32-bit integer or float, LAB    refused: their range is unknown
    animated GIF, WebP, APNG        the first frame
    EXIF orientation                ignored, as the public code does; `upright=True` turns the picture instead
    truncated, empty, not a picture refused
    a side over MAX_SIDE, or more than MAX_PIXELS   refused from the header, before anything is decoded
    EPS, PSD and other rare formats refused: their readers start other programs or were never meant for strangers' files
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
"""JPEG includes MPO, which many phones write under the name .jpg."""
MAX_SIDE = 12_000
"""Padding makes a square of the longer side: at this limit it takes 0.4 GiB for a moment."""
MAX_PIXELS = 89_478_485
"""Pillow's own line between a large picture and a decompression bomb: 0.25 GiB of RGB."""
SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
ORIENTATION_TAG, UPRIGHT = 0x0112, 1
DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What Pillow's readers raise on damaged files."""


class ImageError(ValueError):
    """A picture that cannot be used; the message names the file, what is wrong and what would help."""


def read(source: Path | str | bytes, *, upright: bool = False) -> Image.Image:
    """The picture as mode RGB, decoded completely.

    source   a path, or the file's content
    upright  turn it as its EXIF orientation says; off by default, see the table above
    """
    name = f"{len(source)} bytes" if isinstance(source, bytes) else str(source)
    with _open(source, name) as image:
        _check_size(image, name)
        try:
            image.load()
            turned = ImageOps.exif_transpose(image) if upright else image
            return _to_rgb(turned, name)
        except DAMAGE as error:
            raise ImageError(f"{name}: the picture is damaged or cut off: {error}") from error
        except MemoryError as error:
            raise ImageError(f"{name}: decoding {image.size[0]} x {image.size[1]} pixels ran out of memory") from error


def inspect(path: Path | str, *, decode: bool = True) -> int:
    """Raise ImageError if `read` would; otherwise the EXIF orientation, by which a viewer would turn the picture.

    decode=False looks at the header only, which is fast and misses files that are cut off.
    """
    if decode:
        read(path).close()
    with _open(path, str(path)) as image:
        _check_size(image, str(path))
        try:
            return int(image.getexif().get(ORIENTATION_TAG, UPRIGHT) or UPRIGHT)
        except DAMAGE:  # broken metadata does not make the pixels unusable
            return UPRIGHT


def _open(source: Path | str | bytes, name: str) -> Image.Image:
    if isinstance(source, bytes):
        stream: Path | io.BytesIO = io.BytesIO(source)
    else:
        stream = Path(source)
        _require_regular(stream, name)
    try:
        return Image.open(stream, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{name}: too large: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(f"{name}: not a picture in one of the formats {', '.join(FORMATS)}") from error
    except DAMAGE as error:
        raise ImageError(f"{name}: cannot be opened as a picture: {error}") from error


def _require_regular(path: Path, name: str) -> None:
    try:
        if not path.is_file():
            raise ImageError(f"{name}: {'not a regular file' if path.exists() else 'no such file'}")
        if path.stat().st_size == 0:
            raise ImageError(f"{name}: the file is empty (0 bytes)")
    except OSError as error:
        raise ImageError(f"{name}: cannot be reached: {error.strerror or error}") from error


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if min(width, height) < 1:
        raise ImageError(f"{name}: has no pixels ({width} x {height})")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {width} x {height} pixels; at most {MAX_SIDE} per side and {MAX_PIXELS} in all. Scale it down."
        )


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode in SIXTEEN_BIT:
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F", "LAB"):
        raise ImageError(f"{name}: pixel type {image.mode!r} has no known range; save it as 8-bit RGB")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns about the direct way; the colours are the same
    return image.convert("RGB")
