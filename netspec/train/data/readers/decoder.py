"""The decoder of image files: upright, with the numbers that they hold."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from netspec.recipes.data.files import Background
from netspec.text.quoting import visible
from netspec.train.data.arrays import Array
from netspec.train.data.base import DataFault
from netspec.train.data.paths import decoding, opened
from netspec.train.data.readers.transparency import filled, is_transparent, laid_on

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""The formats that Pillow may read: others start programs."""
ENDINGS = {
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
}
FOREIGN = {
    *(".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".jpf", ".jpx", ".psd", ".psb", ".xcf", ".kra"),
    *(".svg", ".svgz", ".ai", ".eps", ".ico", ".icns", ".cur", ".tga", ".dds", ".pcx", ".sgi", ".exr", ".hdr", ".qoi"),
    *(".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw", ".dcm", ".dicom"),
}
"""The endings of images in formats that are not read."""
CONVERT = "convert them to PNG or JPEG"
OPAQUE = {".jpg", ".jpeg", ".jpe", ".jfif", ".ppm", ".pgm", ".pbm", ".pnm"}
"""Those of formats without transparency."""
DEEP = 65535
"""White in 16 bits."""
ORIENTATION, ON_ITS_SIDE = 0x112, (5, 6, 7, 8)
"""EXIF's tag for how a camera was held, and those of its values that exchange height and width."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """Reads a file as an image, [1 or 3, height, width]: bytes, or float32 if bytes are too coarse.

    ``folder`` is the folder that names in messages are relative to. Transparent places show the ``background``, and the
    first of several images is taken. Methods raise ``DataFault`` for files that cannot be read.
    """

    folder: Path
    grey: bool
    size: tuple[int, int] | None
    background: Background = "white"

    @property
    def pillow(self) -> Any:
        """The module, which cannot be sent to another process."""
        return import_module("PIL.Image")

    def sides(self, file: Path) -> tuple[int, int]:
        """Return height and width, from the file's header alone if no size is asked for. Raises ``DataFault``."""
        if self.size is not None:
            return self.size
        name = shown(file, self.folder)
        with opened(file, name) as stream, self._image(stream, name) as image:
            sides = image.height, image.width
            # What a PNG says of itself behind its pixels is found with these: an image that turns out to lie on its
            # side is then told as another than its header says.
            behind = image.format == "PNG" and "exif" not in image.info
            return sides if behind or image.getexif().get(ORIENTATION) not in ON_ITS_SIDE else sides[::-1]

    def __call__(self, file: Path) -> Array:
        """Return the image of a file. Raises ``DataFault`` if it cannot be read."""
        name = shown(file, self.folder)
        with opened(file, name) as stream, self._image(stream, name) as image:
            return self.converted(image, name)

    def is_transparent(self, file: Path) -> bool:
        """Return whether some place of a file's image is not fully opaque."""
        if file.suffix.lower() in OPAQUE:
            return False
        name = shown(file, self.folder)
        with opened(file, name) as stream, self._image(stream, name) as image, decoding(name):
            return is_transparent(image)

    def converted(self, image: Any, name: str) -> Array:
        """Return an open image, which messages call ``name``, as an array."""
        white = _white(image, name)
        image = import_module("PIL.ImageOps").exif_transpose(image)
        if white is None:
            image = self._in_bytes(image)
        else:
            pixels = filled(np.asarray(image, np.float32), image, white, self.background)
            image = self.pillow.fromarray(pixels / np.float32(white))
        if self.size is not None:
            image = image.resize(self.size[::-1], self.pillow.Resampling.BILINEAR)
        array = np.array(image)
        if white is not None and not np.isfinite(array).all():
            raise DataFault(f"{name} holds a number that is not finite")
        if array.ndim == 2:
            return np.repeat(array[None], 1 if self.grey else 3, 0)
        return np.ascontiguousarray(array.transpose(2, 0, 1))

    def _in_bytes(self, image: Any) -> Any:
        """Return an image as grey, or as red, green and blue."""
        return laid_on(image, self.background).convert("L" if self.grey else "RGB")

    def unequal(self, file: Path, own: Sequence[int], first: Path, sides: Sequence[int]) -> DataFault:
        """Return the error of two images that differ in height and width."""
        names = [shown(each, self.folder) for each in (file, first)]
        message = f"{names[0]} is {own[0]}×{own[1]}, but {names[1]} is {sides[0]}×{sides[1]}"
        return DataFault(message, f"`size: [{sides[0]}, {sides[1]}]` makes all of them equal")

    @contextmanager
    def _image(self, stream: BinaryIO, name: str) -> Iterator[Any]:
        """The image in a file. Raises ``DataFault`` where there is none, or a monstrous one."""
        with decoding(name):
            try:
                image = self.pillow.open(stream, formats=FORMATS)
            except self.pillow.UnidentifiedImageError:
                empty = stream.seek(0, os.SEEK_END) == 0
                raise DataFault(f"{name} cannot be read: it is {'empty' if empty else 'no image'}") from None
            with image:
                yield image


def _white(image: Any, name: str) -> int | None:
    """Return the number of white in an image with more than 8 bits; 1 for real numbers, ``None`` for bytes."""
    if image.mode == "F":
        return 1
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return DEEP
    if image.mode == "I":
        help = "save it with 8 or 16 bits, or as real numbers from 0 to 1"
        raise DataFault(f"{name} holds whole numbers of 32 bits, and nothing says which of them is white", help)
    return None


def alike(images: Sequence[Array]) -> list[Array]:
    """Return images as bytes, or all as float32 if some are."""
    if all(image.dtype == np.uint8 for image in images):
        return [*images]
    return [image / np.float32(255) if image.dtype == np.uint8 else image for image in images]


def shown(path: Path, folder: Path) -> str:
    """Return a path as the spec would write it."""
    return visible(str(path.relative_to(folder) if path.is_relative_to(folder) else path))
