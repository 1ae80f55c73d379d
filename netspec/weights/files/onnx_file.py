"""An ONNX file on disk: the message in it, and its tensors, none of which is believed before it is checked."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto

from netspec.diagnostics import UsageError

LARGEST = 2**31 - 1
"""Bytes of a protobuf message."""
MOST_ELEMENTS = 2**40
DTYPES: Mapping[int, tuple[str, Any]] = {
    TensorProto.FLOAT: ("float32", np.float32),
    TensorProto.DOUBLE: ("float64", np.float64),
    TensorProto.FLOAT16: ("float16", np.float16),
    TensorProto.BFLOAT16: ("bfloat16", np.uint16),
    TensorProto.INT64: ("int64", np.int64),
    TensorProto.INT32: ("int32", np.int32),
    TensorProto.INT16: ("int16", np.int16),
    TensorProto.INT8: ("int8", np.int8),
    TensorProto.UINT8: ("uint8", np.uint8),
    TensorProto.UINT16: ("uint16", np.uint16),
    TensorProto.UINT32: ("uint32", np.uint32),
    TensorProto.UINT64: ("uint64", np.uint64),
    TensorProto.BOOL: ("bool", np.bool_),
}
"""ONNX's types: torch's names of them, and how their numbers lie in a file."""

FIELDS: Mapping[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT64: "uint64_data",
    TensorProto.UINT32: "uint64_data",
}
"""The lists that tensors have their numbers in; those of the other types are in ``int32_data``."""


class OnnxFile:
    """An ONNX file: ``model`` is its message."""

    def __init__(self, path: Path):
        self.path = path
        self.model = _parsed(path)
        self.maps: dict[Path, Any] = {}
        if not self.model.HasField("graph"):
            raise UsageError(f"{path} holds no graph of ONNX")

    def wrong(self, what: str) -> UsageError:
        """Return the error that says what is wrong with the file."""
        return UsageError(f"{self.path}: {what}")

    def dtype(self, kind: int, what: str) -> str:
        """Return torch's name of a type of ONNX's. Raises ``UsageError`` for text, and what torch does not have."""
        if kind not in DTYPES:
            name = next((name for name, number in TensorProto.DataType.items() if number == kind), f"type {kind}")
            raise self.wrong(f"{what} holds {name}, which no network here takes")
        return DTYPES[kind][0]

    def tensor(self, proto: TensorProto) -> Any:
        """Return a tensor as numpy has it, half precision of 8 bits (bfloat16) as float32."""
        what = f"tensor `{proto.name}`"
        self.dtype(proto.data_type, what)
        shape = tuple(proto.dims)
        if any(size < 0 for size in shape) or math.prod(shape) > MOST_ELEMENTS:
            raise self.wrong(f"{what} has the impossible shape {list(shape)}")
        kind = np.dtype(DTYPES[proto.data_type][1]).newbyteorder("<")
        if proto.data_location == TensorProto.EXTERNAL:
            array = self._external(proto, kind, math.prod(shape), what)
        elif proto.HasField("raw_data"):
            array = np.frombuffer(proto.raw_data, np.uint8)
            self._fits(what, array.nbytes, math.prod(shape) * kind.itemsize)
            array = array.view(kind)
        else:
            array = self._listed(proto, kind, math.prod(shape), what)
        if proto.data_type == TensorProto.BFLOAT16:
            array = (array.astype(np.uint32) << 16).view(np.float32)
        return array.reshape(shape)

    def _fits(self, what: str, held: int, wanted: int) -> None:
        if held != wanted:
            raise self.wrong(f"{what} should have {wanted} bytes by its shape and type, and has {held}")

    def _listed(self, proto: TensorProto, kind: Any, count: int, what: str) -> Any:
        """The numbers of a tensor that lists them."""
        values = getattr(proto, FIELDS.get(proto.data_type, "int32_data"))
        if len(values) != count:
            raise self.wrong(f"{what} should have {count} numbers by its shape, and has {len(values)}")
        if proto.data_type == TensorProto.FLOAT16:
            return np.array(values, np.int64).astype(np.uint16).view(np.float16)
        return np.array(values).astype(kind) if count else np.zeros(0, kind)

    def _external(self, proto: TensorProto, kind: Any, count: int, what: str) -> Any:
        """The numbers of a tensor in another file, which must lie in the folder of this one."""
        entries = {entry.key: entry.value for entry in proto.external_data}
        numbers = {name: entries.get(name) or "0" for name in ("offset", "length")}
        if any(not (text.isascii() and text.isdigit() and len(text) < 20) for text in numbers.values()):
            raise self.wrong(f"{what} says where its numbers are in a way that cannot be read")
        offset, length = int(numbers["offset"]), int(numbers["length"])
        wanted = count * kind.itemsize
        if length:
            self._fits(what, length, wanted)
        data = self._mapped(entries.get("location", ""), what)
        if offset + wanted > data.size:
            raise self.wrong(f"{what} should lie at {offset} to {offset + wanted}, but the file ends at {data.size}")
        return data[offset : offset + wanted].view(kind)

    def _mapped(self, location: str, what: str) -> Any:
        folder = self.path.resolve().parent
        try:
            path = (folder / location).resolve()
            if os.path.isabs(location) or not path.is_relative_to(folder) or not location:
                raise self.wrong(f"{what} lies in {location!r}, outside the folder of the file")
            if path not in self.maps:
                if not path.is_file():
                    raise self.wrong(f"{what} lies in {location!r}, which is not there")
                size = path.stat().st_size
                self.maps[path] = np.memmap(path, np.uint8, "r") if size else np.zeros(0, np.uint8)
        except (OSError, ValueError) as reason:
            raise self.wrong(f"{what} lies in {location!r}, which cannot be read: {reason}") from None
        return self.maps[path]


def _parsed(path: Path) -> onnx.ModelProto:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UsageError(f"{path} is no file")
        if size > LARGEST:
            raise UsageError(f"{path} has {size} bytes, and no ONNX file has more than {LARGEST}: it is something else")
        model: onnx.ModelProto = onnx.ModelProto.FromString(path.read_bytes())
        return model
    except OSError as reason:
        raise UsageError(f"{path} cannot be read: {reason.strerror or reason}") from None
    except (DecodeError, RecursionError, UnicodeDecodeError):
        raise UsageError(f"{path} is no ONNX file, or a part of one: its message cannot be read") from None
