"""From an RGB picture to the two tensors that MGM looks at: a large view, and a small one made from it.

    large = normalise(centre_crop(resize_shortest_edge(picture)))      768 x 768 for mgm-2b, Pillow bicubic
    small = bilinear(large)                                            336 x 336, align_corners=False, no antialiasing

The small view comes from the normalised large tensor, not from the file: the released checkpoint has learned it so.
Constants and order of operations are those of CLIP's image processor; tests compare with transformers' bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lora_demo.data.images import MAX_PIXELS, ImageError
from lora_demo.models.config import MGMConfig

Mode = Literal["pad", "crop"]

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
FILL = (122, 116, 104)
"""floor(255 * MEAN): what padding is painted with."""


@dataclass(frozen=True)
class Views:
    """The two views of one picture, normalised, float32."""

    small: Float[Tensor, "3 s s"]
    large: Float[Tensor, "3 l l"]


@dataclass(frozen=True)
class ViewMaker:
    """Makes the views for a model.

    small, large  sides in pixels: 336 and 768 for mgm-2b
    mode          "pad": square first, nothing is lost (second stage, inference); "crop": the centre (first stage)
    """

    small: int
    large: int
    mode: Mode = "pad"

    @classmethod
    def for_model(cls, config: MGMConfig, mode: Mode = "pad") -> ViewMaker:
        """The sizes that a model's towers expect."""
        return cls(config.clip.image_size, config.aux.image_size, mode)

    def __call__(self, image: Image.Image) -> Views:
        """The views of a mode-RGB picture of any size."""
        large = clip_tensor(pad_square(image) if self.mode == "pad" else image, self.large)
        return Views(small_view(large, self.small), large)

    def blank(self) -> Views:
        """All zeros: what a sample without a picture carries, so that every batch has the same tensors."""
        return Views(torch.zeros(3, self.small, self.small), torch.zeros(3, self.large, self.large))


def pad_square(image: Image.Image) -> Image.Image:
    """The picture in the middle of a square of its longer side, painted with FILL."""
    side = max(image.size)
    if image.size == (side, side):
        return image
    canvas = Image.new("RGB", (side, side), FILL)
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas


def clip_tensor(image: Image.Image, side: int) -> Float[Tensor, "3 side side"]:
    """Shortest edge to `side` (bicubic), centre crop, scale to [0, 1], subtract MEAN, divide by STD."""
    width, height = _resized(image.width, image.height, side)
    if width * height > MAX_PIXELS:
        raise ImageError(f"a {image.width} x {image.height} picture is too long to crop; pad it or cut it by hand")
    pixels = np.asarray(image.resize((width, height), resample=Image.Resampling.BICUBIC))
    top, left = (height - side) // 2, (width - side) // 2
    cropped = pixels[top : top + side, left : left + side]
    scaled = (cropped.astype(np.float64) * (1 / 255)).astype(np.float32)
    normal = (scaled - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return torch.from_numpy(np.ascontiguousarray(normal.transpose(2, 0, 1)))


def small_view(large: Float[Tensor, "3 l l"], side: int) -> Float[Tensor, "3 s s"]:
    """The large view, interpolated down."""
    shape = (side, side)
    return torch.nn.functional.interpolate(large[None], size=shape, mode="bilinear", align_corners=False)[0]


def _resized(width: int, height: int, side: int) -> tuple[int, int]:
    """Size after the shorter edge has become `side`; the longer one is rounded down."""
    longer = int(side * max(width, height) / min(width, height))
    return (side, longer) if width <= height else (longer, side)
