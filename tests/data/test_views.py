import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lora_demo.data.images import MAX_PIXELS, ImageError
from lora_demo.data.views import FILL, MEAN, ViewMaker, clip_tensor, pad_square, small_view
from lora_demo.models.presets import mgm_preset


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def clip_processor():
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    return CLIPImageProcessorPil


SIZES = [(768, 768), (640, 480), (33, 1201), (1000, 999), (5, 7), (769, 767)]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("side", [768, 96])
def test_crop_equals_clips_own_processor_bit_by_bit(clip_processor, width: int, height: int, side: int):
    image = noise(width, height)
    square = {"height": side, "width": side}
    theirs = clip_processor(size={"shortest_edge": side}, crop_size=square, resample=3)(image, return_tensors="pt")
    assert torch.equal(clip_tensor(image, side), theirs["pixel_values"][0])


@given(width=st.integers(1, 60), height=st.integers(1, 60), side=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_any_size_equals_clips_own_processor(clip_processor, width: int, height: int, side: int):
    image = noise(width, height, seed=width * 61 + height)
    square = {"height": side, "width": side}
    theirs = clip_processor(size={"shortest_edge": side}, crop_size=square, resample=3)(image, return_tensors="pt")
    assert torch.equal(clip_tensor(image, side), theirs["pixel_values"][0])


@given(width=st.integers(1, 40), height=st.integers(1, 40))
def test_padding_puts_the_picture_in_the_middle(width: int, height: int):
    image = noise(width, height)
    square = np.asarray(pad_square(image))
    side = max(width, height)
    top, left = (side - height) // 2, (side - width) // 2
    assert square.shape == (side, side, 3)
    assert np.array_equal(square[top : top + height, left : left + width], np.asarray(image))
    painted = np.full((side, side), True)
    painted[top : top + height, left : left + width] = False
    assert (square[painted] == FILL).all()


def test_the_fill_is_the_mean_colour():
    assert tuple(int(value * 255) for value in MEAN) == FILL
    assert clip_tensor(Image.new("RGB", (9, 9), FILL), 8).abs().max() < 0.015


def test_the_small_view_is_bilinear_on_the_large_one():
    """Second computation: sample the large view at the centres of the small one's pixels, without torch."""
    large = clip_tensor(noise(96, 96), 96).numpy().astype(np.float64)
    side, scale = 42, 96 / 42
    centres = (np.arange(side) + 0.5) * scale - 0.5
    low = np.floor(centres).astype(int)
    weight = centres - low
    high = np.minimum(low + 1, 95)
    rows = large[:, low] * (1 - weight)[None, :, None] + large[:, high] * weight[None, :, None]
    expected = rows[:, :, low] * (1 - weight) + rows[:, :, high] * weight
    small = small_view(torch.from_numpy(large), side)
    assert np.abs(small.numpy() - expected).max() < 1e-12


def test_the_small_view_is_not_a_resize_of_the_file(clip_processor):
    image, square = noise(800, 600), {"height": 336, "width": 336}
    views = ViewMaker.for_model(mgm_preset("mgm-2b"), mode="crop")(image)
    independent = clip_processor(size={"shortest_edge": 336}, crop_size=square, resample=3)(image, return_tensors="pt")
    assert (views.small - independent["pixel_values"][0]).abs().max() > 0.5


@pytest.mark.parametrize("name", ["mgm-2b", "mgm-nano"])
def test_views_have_the_sizes_of_the_towers(name: str):
    config = mgm_preset(name)
    make = ViewMaker.for_model(config)
    views, blank = make(noise(50, 20)), make.blank()
    assert views.small.shape == blank.small.shape == (3, config.clip.image_size, config.clip.image_size)
    assert views.large.shape == blank.large.shape == (3, config.aux.image_size, config.aux.image_size)
    assert not blank.small.any()
    assert not blank.large.any()


def test_pad_keeps_the_edges_that_crop_loses():
    image = Image.new("RGB", (300, 100))
    image.paste((255, 0, 0), (0, 0, 40, 100))
    red = [ViewMaker(8, 32, mode)(image).large[0].max().item() for mode in ("pad", "crop")]
    assert red[0] > 1.5
    assert red[1] < 0


def test_a_strip_too_long_to_crop_is_refused_before_it_is_resized():
    with pytest.raises(ImageError, match="1 x 400 picture is too long to crop"):
        clip_tensor(Image.new("RGB", (1, 400)), 768)
    assert MAX_PIXELS < 768 * 768 * 400
    assert clip_tensor(pad_square(Image.new("RGB", (1, 400))), 96).shape == (3, 96, 96)
