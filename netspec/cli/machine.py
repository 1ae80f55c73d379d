"""Trouble of the machine that a command has not foreseen: told as such, and no bug of netspec."""

from __future__ import annotations

import io
import os

from netspec.diagnostics import EnvironmentFault
from netspec.diagnostics.shortage import is_of_library, is_short_of_memory

EXTRAS = {
    "torch": "",
    "numpy": "",
    "onnx": "",
    "onnxruntime": "",
    "graphviz": "",
    "rich": "",
    "packaging": "",
    "matplotlib": "train",
    "safetensors": "train",
    "torchmetrics": "train",
    "tensorboard": "tensorboard",
    "wandb": "wandb",
    "mlflow": "mlflow",
    "PIL": "data",
    "datasets": "data",
    "huggingface_hub": "data",
    "pyarrow": "data",
    "torchvision": "data",
    "pygls": "lsp",
    "lsprotocol": "lsp",
    "tokenizers": "generate",
    "openvino": "openvino",
}
"""The extra in ``pyproject.toml`` that installs a package; empty for those that netspec always comes with."""

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
"""Parts of the messages with which libraries pass on an error of the system."""

NOT_MAPPED = ("failed to map segment", "cannot allocate memory", "Cannot allocate memory")
"""The message of the loader of shared libraries if there is no memory for one."""

PACKAGES = "site-packages"
TOO_LARGE = ("exceeds maximum protobuf size", "exceeded maximum protobuf size", "larger than 2GB", "2GB limit")


def machine_fault(error: BaseException) -> str | None:
    """Return a sentence on what the machine lacks; ``None`` if it is not at fault."""
    if isinstance(error, RecursionError):
        return "it is nested deeper than Python's stack allows; reduce the nesting"
    if is_short_of_memory(error):
        return f"this machine does not have enough memory{_detail(error)}; use a smaller network or smaller sizes"
    if is_of_library(error) and any(word in str(error) for word in TOO_LARGE):
        return f"a file of this format holds at most 2 GB{_detail(error)}; use a smaller network"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing(error)
    if isinstance(error, ImportError):
        return _not_loaded(_origin(error))
    if isinstance(error, OSError) and not isinstance(error, io.UnsupportedOperation):
        return _refused(error)
    text = first_line(error)
    if any(sign in str(error) for sign in SIGNS):
        return f"the machine lacks a resource that this needs: {text}"
    return None


def _detail(error: BaseException) -> str:
    """The first line of a library's own words, in brackets."""
    text = first_line(error)
    return f" ({text[:160]})" if text else ""


def _missing(error: ModuleNotFoundError) -> str | None:
    package = _package(error.name)
    if package == "netspec":
        return None
    needed = f"this command needs {package}, which is not installed"
    extra = EXTRAS.get(package)
    if extra is None:
        return needed
    name = f"'netspec[{extra}]'" if extra else "netspec"
    return f"{needed}: `pip install {name}` brings it"


def _not_loaded(error: BaseException) -> str:
    """A package is installed, and does not load."""
    if any(sign in str(error) for sign in NOT_MAPPED):
        return f"this machine does not have enough memory{_detail(error)}"
    parts = (getattr(error, "path", None) or "").split(os.sep)
    after = parts[parts.index(PACKAGES) + 1] if PACKAGES in parts[:-1] else ""
    name = after or _package(getattr(error, "name", None)) or "a package"
    return f"{name} cannot be loaded: {first_line(error)}"


def _origin(error: BaseException) -> BaseException:
    """The exception that others were made of: packages put advice of many lines around it."""
    while (cause := error.__cause__ or error.__context__) is not None and isinstance(cause, (ImportError, OSError)):
        error = cause
    return error


def _package(name: str | None) -> str:
    return (name or "").partition(".")[0]


def _refused(error: OSError) -> str:
    """Return a sentence on what the system has refused, and for which file."""
    what = error.strerror or first_line(error) or type(error).__name__
    return f"{what}: {os.fsdecode(error.filename)}" if isinstance(error.filename, (str, bytes)) else what


def guard_folder() -> None:
    """Guard: the folder that a command is called in is there. Libraries that it loads end the process where not."""
    try:
        os.getcwd()
    except OSError as error:
        raise EnvironmentFault(f"the current folder cannot be used: {error.strerror}") from None


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
