"""Rows of the data as a page shows them: as pictures, as texts, or by their features."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from netspec.recipes import Column
from netspec.recipes.data.table_column import TableColumn
from netspec.train.data import Rows, TensorRows
from netspec.train.data.readers.tables.features import FEATURES
from netspec.train.setup import Setup

LARGEST = 128
"""The side in pixels of the largest picture; larger ones are made smaller."""

MOST_FEATURES = 12
MOST_WORDS = 60
LEAST_SIDE = 4


def shown_rows(setup: Setup, rows: Rows, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return the rows with these numbers, before they were prepared, each as the columns that the network reads."""
    if not numbers:
        return []
    index = torch.tensor(numbers)
    if isinstance(rows, TensorRows):
        index = index.to(next(iter(rows.tensors.values())).device)
    taken = rows.take(index)
    read = [name for name in dict.fromkeys(setup.binding.inputs) if name is not None and name in taken]
    return [_shown(setup, {name: taken[name][at].cpu() for name in read}) for at in range(len(numbers))]


def _shown(setup: Setup, row: Mapping[str, Tensor]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, values in row.items():
        if "picture" not in shown and (picture := picture_of(values, setup.data.columns[name])) is not None:
            shown["picture"] = picture
        elif name in setup.data.words and values.dim() == 1:
            shown.setdefault("text", text_of(values, setup.data.words[name], setup.data.columns[name]))
        elif any(name in (FEATURES, column.name) for column in setup.data.table):
            shown.setdefault("features", {}).update(_of_table(setup.data.table, name, values.reshape(-1).tolist()))
        elif values.dim() == 1 and len(values) <= max(MOST_FEATURES, len(setup.data.names.get(name, ()))):
            names = setup.data.names.get(name) or [f"{name} {number}" for number in range(len(values))]
            some = list(zip(names, values.tolist()))[:MOST_FEATURES]
            shown.setdefault("features", {}).update({each: f"{value:.6g}" for each, value in some})
        elif values.dim() == 0:
            shown.setdefault("features", {})[name] = f"{values.item():.6g}"
    return shown


def _of_table(table: Sequence[TableColumn], name: str, values: Sequence[float]) -> dict[str, str]:
    """Return the values of the columns that one of ids, or the features, came from."""
    if name != FEATURES:
        return {name: next(column for column in table if column.name == name).spelled(values)}
    found: dict[str, str] = {}
    place = 0
    for column in table:
        own = values[place : place + len(column.features)]
        if own and len(found) < MOST_FEATURES:
            found[column.name] = column.spelled(own)
        place += len(own)
    return found


def text_of(numbers: Tensor, words: Sequence[str], column: Column) -> str:
    """Return the words that numbers stand for, without padding."""
    known = [words[number] for number in numbers.tolist() if number != column.padding and number < len(words)]
    told = ("" if all(len(word) == 1 for word in words if not word.startswith("<")) else " ").join(known[:MOST_WORDS])
    return f"{told} …" if len(known) > MOST_WORDS else told


def picture_of(values: Tensor, column: Column) -> str | None:
    """Return an image, [C, H, W], [H, W, C] or [H, W], as the data URI of a PNG; ``None`` for other rows."""
    if values.dim() == 3 and values.shape[0] not in (1, 3) and values.shape[2] in (1, 3):
        values = values.movedim(2, 0)
    if values.dim() == 2 and column.dtype.startswith("float"):
        values = values[None]
    if values.dim() != 3 or values.shape[0] not in (1, 3) or min(values.shape[1:]) < LEAST_SIDE:
        return None
    pixels = values.float() / 255 if values.dtype == torch.uint8 else values.float()
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 1:
        pixels = (pixels - low) / (high - low)
    if (side := max(pixels.shape[1:])) > LARGEST:
        sizes = [max(1, round(each * LARGEST / side)) for each in pixels.shape[1:]]
        pixels = F.interpolate(pixels[None], sizes, mode="bilinear", antialias=True)[0].clamp(0, 1)
    return f"data:image/png;base64,{base64.b64encode(png(pixels.mul(255).round().to(torch.uint8))).decode()}"


def png(pixels: Tensor) -> bytes:
    """Return bytes, [1 or 3, H, W], as a PNG file (RFC 2083)."""
    channels, height, width = pixels.shape
    lines = pixels.movedim(0, -1).reshape(height, -1).contiguous().numpy()
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + line.tobytes() for line in lines), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
