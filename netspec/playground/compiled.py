"""The modules that this process has imported, as they were compiled: a browser keeps them for its next start."""

from __future__ import annotations

import importlib.util
import io
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
"""The folder in which netspec and the packages that it needs lie."""

HEADER = 16
"""Bytes before the code of a compiled module: the version, flags, and what the module's source was."""

UNCHECKED = (1).to_bytes(4, "little") + bytes(8)
"""The flags and the digest by which Python takes a compiled module without a look at its source."""


def compiled() -> bytes:
    """Return an archive of the compiled modules, to be unpacked over their sources."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for module in list(sys.modules.values()):
            source = getattr(module, "__file__", None)
            if source is None or not source.endswith(".py") or ROOT not in Path(source).parents:
                continue
            path = Path(importlib.util.cache_from_source(source))
            if path.is_file():
                data = path.read_bytes()
                archive.writestr(path.relative_to(ROOT).as_posix(), data[:4] + UNCHECKED + data[HEADER:])
    return packed.getvalue()
