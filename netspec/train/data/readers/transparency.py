"""Transparent places of images, which show what they lie on."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from netspec.recipes.data.files import Background
from netspec.train.data.arrays import Array

WITH_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")


def is_transparent(image: Any) -> bool:
    """Return whether some place of an image of bytes is not fully opaque."""
    if not _may_be(image):
        return False
    least, _ = image.convert("RGBA").getchannel("A").getextrema()
    return bool(least < 255)


def laid_on(image: Any, background: Background) -> Any:
    """Return an image of bytes without its transparency, as it looks on a background."""
    if not is_transparent(image):
        return image
    image = image.convert("RGBA")
    pillow = import_module("PIL.Image")
    return pillow.alpha_composite(pillow.new("RGBA", image.size, background), image).convert("RGB")


def filled(pixels: Array, image: Any, white: int, background: Background) -> Array:
    """Return greys of more than 8 bits, where one of them may stand for transparency."""
    own = image.info.get("transparency")
    if not isinstance(own, int):
        return pixels
    return np.where(pixels == own, np.float32(white if background == "white" else 0), pixels)


def _may_be(image: Any) -> bool:
    """Return whether an image has room for transparency, as its header says."""
    return image.mode in WITH_ALPHA or "transparency" in image.info


def told(count: int, looked_at: int, rows: int, background: Background) -> str | None:
    """Return what is said of transparent images; ``None`` if there are none."""
    if not count:
        return None
    of = "" if looked_at == rows else f" of {looked_at:,} that were looked at"
    which = f"1 image{of} has" if count == 1 else f"{count:,} images{of} have"
    return f"{which} transparent places, which count as {background}"
