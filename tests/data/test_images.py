import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lora_demo.data import images
from lora_demo.data.images import MAX_SIDE, UPRIGHT, ImageError, inspect, read


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def gradient(mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> Image.Image:
    width, height = size
    ramp = np.linspace(0, 255, width * height * 3).astype(np.uint8).reshape(height, width, 3)
    return Image.fromarray(ramp).convert(mode)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size without holding the pixels: what a decompression bomb looks like from outside."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "YCbCr", "LA", "RGBA"])
def test_ordinary_modes_become_rgb_as_pillow_converts_them(mode: str):
    image = gradient(mode)
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    content = encoded(image, kind)
    found = read(content)
    assert found.mode == "RGB"
    assert np.array_equal(np.asarray(found), np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))


def test_alpha_is_dropped_not_composited():
    image = Image.new("RGBA", (2, 1), (200, 10, 20, 0))
    image.putpixel((1, 0), (1, 2, 3, 255))
    found = read(encoded(image, "PNG"))
    assert [found.getpixel((x, 0)) for x in (0, 1)] == [(200, 10, 20), (1, 2, 3)]


def test_a_palette_with_transparency_keeps_its_colours_without_a_warning():
    image = gradient("P")
    content = encoded(image, "PNG", transparency=bytes(range(256)))
    assert Image.open(io.BytesIO(content)).info["transparency"]
    assert np.array_equal(np.asarray(read(content)), np.asarray(image.convert("RGB")))


def test_cmyk_jpeg_is_read():
    found = np.asarray(read(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))).astype(int)
    assert (found[..., 0] > 240).all()
    assert (found[..., 1:] < 20).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_upper_byte(kind: str):
    values = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    found = np.asarray(read(encoded(Image.fromarray(values), kind)))
    assert np.array_equal(found, np.repeat((values // 256)[..., None], 3, axis=-1))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_of_unknown_range_are_refused(mode: str):
    with pytest.raises(ImageError, match=f"pixel type '{mode}'"):
        read(encoded(Image.new(mode, (4, 4)), "TIFF"))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(kind: str):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    assert getattr(Image.open(io.BytesIO(content)), "n_frames", 1) == 2
    assert read(content).getpixel((4, 4)) == (255, 0, 0)


def test_exif_orientation_is_ignored_unless_asked_for(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "phone.png"
    gradient(size=(24, 16)).save(path, exif=exif)
    assert read(path).size == (24, 16)
    assert read(path, upright=True).size == (16, 24)
    assert inspect(path) == 6
    gradient().save(tmp_path / "plain.png")
    assert inspect(tmp_path / "plain.png") == UPRIGHT


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.jpg", b"", r"empty \(0 bytes\)"),
        ("text.jpg", b"this is not an image", "not a picture"),
        ("page.png", b"<html></html>", "not a picture"),
        (
            "vector.eps",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
            "not a picture",
        ),
        ("wide.png", png_header(20_000, 10), f"20000 x 10 pixels; at most {MAX_SIDE}"),
        ("tall.png", png_header(10, 20_000), "10 x 20000 pixels"),
        ("large.png", png_header(11_000, 11_000), "11000 x 11000 pixels|too large"),
        ("bomb.png", png_header(60_000, 60_000), "too large"),
        ("hollow.png", png_header(100, 100), "damaged or cut off"),
    ],
)
def test_unusable_files_are_named_with_the_reason(tmp_path: Path, name: str, content: bytes, reason: str):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"{name}.*({reason})"):
        read(path)
    with pytest.raises(ImageError, match=f"{name}.*({reason})"):
        inspect(path)


def test_a_wide_picture_that_really_exists_is_refused():
    with pytest.raises(ImageError, match="20000 x 2 pixels"):
        read(encoded(Image.new("L", (20_000, 2)), "PNG"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_truncated_files_are_refused(kind: str):
    whole = encoded(gradient(size=(200, 150)), kind)
    assert read(whole).size == (200, 150)
    with pytest.raises(ImageError):
        read(whole[: len(whole) * 2 // 3])


def test_only_the_header_does_not_see_that_a_file_is_cut_off(tmp_path: Path):
    path = tmp_path / "cut.jpg"
    whole = encoded(gradient(size=(200, 150)), "JPEG")
    path.write_bytes(whole[: len(whole) // 2])
    assert inspect(path, decode=False) == UPRIGHT
    with pytest.raises(ImageError, match=r"cut\.jpg.*cut off"):
        inspect(path)


def test_folders_missing_files_and_pipes_are_refused(tmp_path: Path):
    import os

    with pytest.raises(ImageError, match="no such file"):
        read(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="not a regular file"):
        read(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(ImageError, match="not a regular file"):
            read(tmp_path / "pipe.png")


SEEDS = {kind: encoded(gradient(size=(12, 9)), kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM")}


@given(
    kind=st.sampled_from(sorted(SEEDS)),
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=6),
)
@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_damaged_bytes_give_a_picture_or_an_image_error(kind: str, changes: list[tuple[int, int]]):
    """Files come from strangers: whatever the bytes, no other exception reaches the caller."""
    content = bytearray(SEEDS[kind])
    for place, value in changes:
        content[place % len(content)] = value
    try:
        found = read(bytes(content))
    except ImageError:
        return
    assert found.mode == "RGB"
    assert max(found.size) <= images.MAX_SIDE


def test_a_name_longer_than_the_file_system_takes(tmp_path: Path):
    with pytest.raises(ImageError, match="cannot be reached: File name too long"):
        read(tmp_path / ("x" * 5000))
