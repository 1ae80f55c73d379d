"""Files of the user's data, and packages that only some data need.

Every file of data is opened by ``opened``, which takes regular files alone, and every decoder of another package runs
inside ``decoding``: a pipe, a device or a broken file is reported, never waited for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from netspec.diagnostics import EnvironmentFault
from netspec.text.quantities import short_bytes
from netspec.text.quoting import visible
from netspec.train.data.base import DataFault

UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def there(path: str, folder: Path) -> Path:
    """Return the path of a file or folder that exists. Raises ``DataFault``."""
    target = folder / path
    help = None if Path(path).is_absolute() else "paths start at the folder of the spec"
    try:
        target.stat()
    except FileNotFoundError:
        gone = f"{visible(path)} is a link to nothing" if target.is_symlink() else f"there is no {visible(path)}"
        raise DataFault(gone, help) from None
    except (OSError, ValueError) as fault:
        raise DataFault(f"{visible(path)} cannot be read: {reason(fault)}") from None
    return target


@contextmanager
def opened(file: Path, name: str) -> Iterator[BinaryIO]:
    """Open a regular file for reading; ``name`` is its name in messages. Raises ``DataFault``."""
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for its writer.
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as fault:
        what = "it is a socket or a device" if _is_special(file) else reason(fault)
        raise DataFault(f"{name} cannot be read: {what}") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise DataFault(f"{name} is {kind_of(mode)}, but a file is expected")
    with os.fdopen(handle, "rb") as stream:
        yield stream


def kind_of(mode: int) -> str:
    """Return the name of a kind of file, by its mode."""
    kinds = {stat.S_IFREG: "a file", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe (FIFO)", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _is_special(file: Path) -> bool:
    try:
        mode = file.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Report a broken file as a ``DataFault``. Decoders raise whatever their code runs into: all errors are caught."""
    try:
        yield
    except (DataFault, EnvironmentFault):
        raise
    except MemoryError:
        raise DataFault(f"{name} does not fit in memory") from None
    except Exception as fault:
        raise DataFault(f"{name} cannot be read: {reason(fault)}") from None


def reason(fault: BaseException) -> str:
    """Return the first line of an error's message; of an error of the system, without the path."""
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    text = str(fault).strip()
    return visible(text.splitlines()[0]) if text else type(fault).__name__


def read_text(path: str, folder: Path, encoding: str = "utf-8", key: bool = False) -> str:
    """Return the text of a file with lines ended by ``\\n``, without a byte order mark. Raises ``DataFault`` where it
    is not in that encoding; ``key`` is true where a key can name another one.
    """
    name = visible(path)
    with opened(there(path, folder), name) as file:
        guard_memory(os.fstat(file.fileno()).st_size, name)
        with decoding(name):
            content = file.read()
    return decoded(content, name, key) if encoding == "utf-8" else _decoded_as(content, name, encoding)


def _decoded_as(content: bytes, name: str, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeError as error:
        raise DataFault(f"{name} is not in the encoding {encoding}: {error}") from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def decoded(content: bytes, name: str, key: bool = False) -> str:
    """Return the text of a file's bytes. Raises ``DataFault`` if they are not UTF-8, or not text."""
    help = "save it as UTF-8"
    if content.startswith(UTF_16):
        raise DataFault(f"{name} is not UTF-8, but UTF-16", f"say `encoding: utf-16`, or {help}" if key else help)
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise DataFault(f"{name}, line {line} has a zero byte, which no text has", help)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        line = content.count(b"\n", 0, at) + 1
        help = f"say its encoding, such as `encoding: cp1252` for Windows, or {help}" if key else help
        raise DataFault(f"{name} is not UTF-8: byte {at}, in line {line}, is 0x{content[at]:02x}", help) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def guard_memory(size: int, name: str) -> None:
    """Guard: ``size`` bytes fit in the memory that is free."""
    if size > free_memory():
        raise DataFault(f"{name} has {short_bytes(size)}, which do not fit in memory")


def free_memory() -> int:
    """Return the bytes of memory that are free or can be freed; all of it if the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 2**40


def package(name: str, distribution: str, data_set: str) -> Any:
    """Import a package that a data set needs. Raises ``EnvironmentFault`` if it is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        message = f"`{data_set}` needs the package {distribution}: `pip install {distribution}`"
        raise EnvironmentFault(message) from None
