"""An ONNX file as a ``ForeignProgram``. The file is data: nothing in it is run, and its sizes are checked."""

from __future__ import annotations

from pathlib import Path

from netspec.diagnostics import UsageError
from netspec.importer.capture.onnx.reader import OnnxReader
from netspec.importer.capture.onnx.table import MALFORMED
from netspec.importer.program import ForeignProgram
from netspec.weights.files.onnx_file import OnnxFile

PRODUCER = "netspec"


def read_onnx(path: Path, notes: bool = True) -> ForeignProgram:
    """Return the program of an ONNX file: its nodes as calls, and as ops where one says them, its weights by key.

    Without ``notes``, what netspec noted in its own file is not read. Raises ``UsageError`` where the file is broken,
    or lies about itself.
    """
    file = OnnxFile(path)
    try:
        return _read(file, notes)
    except UsageError:
        if PRODUCER not in str(file.model.producer_name):
            raise
    return _read(file, notes=False)  # another tool may have changed what netspec wrote


def _read(file: OnnxFile, notes: bool) -> ForeignProgram:
    try:
        return OnnxReader(file, notes).read()
    except MALFORMED as reason:  # such as a name that is no text
        raise file.wrong(f"it is damaged: {reason}") from None
