"""Trouble of the machine that a command has not foreseen: told as such, and no bug of netspec."""

from __future__ import annotations

import io
import os

from netspec.diagnostics import EnvironmentFault

EXTRAS = {
    "matplotlib": "train",
    "safetensors": "train",
    "torchmetrics": "train",
    "tensorboard": "tensorboard",
    "PIL": "data",
    "datasets": "data",
    "pyarrow": "data",
    "torchvision": "data",
    "pygls": "lsp",
    "lsprotocol": "lsp",
}
"""What brings a package, of the extras in ``pyproject.toml``."""

SIGNS = (
    "can't start new thread",
    "Could not determine home directory",
    "No space left on device",
    "Read-only file system",
    "Resource temporarily unavailable",
    "Too many open files",
    "unable to open shared memory object",
    "unable to allocate shared memory",
    "unable to mmap",
    "unable to write to file",
)
"""What the messages of libraries have that pass on what the system says."""


def machine_fault(found: BaseException) -> str | None:
    """What the machine lacks, in a sentence; ``None`` where it is not at fault."""
    if isinstance(found, ModuleNotFoundError):
        return _missing(found)
    if isinstance(found, ImportError):
        return f"{_package(found.name) or 'a package'} cannot be loaded: {first_line(found)}"
    if isinstance(found, OSError) and not isinstance(found, io.UnsupportedOperation):
        return _refused(found)
    text = first_line(found)
    if any(sign in str(found) for sign in SIGNS):
        return f"the machine does not have what this takes: {text}"
    return None


def _missing(found: ModuleNotFoundError) -> str | None:
    package = _package(found.name)
    if package in ("", "netspec"):
        return None
    extra = EXTRAS.get(package)
    brings = f": `pip install 'netspec[{extra}]'` brings it" if extra else ""
    return f"this command needs {package}, which is not installed{brings}"


def _package(name: str | None) -> str:
    return (name or "").partition(".")[0]


def _refused(found: OSError) -> str:
    """What the system has refused, of which file."""
    what = found.strerror or first_line(found) or type(found).__name__
    return f"{what}: {os.fsdecode(found.filename)}" if isinstance(found.filename, (str, bytes)) else what


def guard_folder() -> None:
    """Guard: the folder that a command is called in is there. Libraries that it loads end the process where not."""
    try:
        os.getcwd()
    except OSError as found:
        raise EnvironmentFault(f"the folder that this was called in cannot be used: {found.strerror}") from None


def first_line(found: BaseException) -> str:
    return str(found).strip().partition("\n")[0]
