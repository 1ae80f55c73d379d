"""An ONNX file as a ``ForeignProgram``. The file is data: nothing in it is run, and its sizes are checked."""

from __future__ import annotations

from pathlib import Path

from netspec.importer.capture.onnx.file import OnnxFile
from netspec.importer.capture.onnx.reader import OnnxReader
from netspec.importer.program import ForeignProgram


def read_onnx(path: Path) -> ForeignProgram:
    """Return the program of an ONNX file: its nodes as calls, and as ops where one says them, its weights by key.

    Raises ``UsageError`` where the file is broken, or lies about itself.
    """
    return OnnxReader(OnnxFile(path)).read()
