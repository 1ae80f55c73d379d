"""Where the user's files are, and packages that only some data need."""

from importlib import import_module
from pathlib import Path
from typing import Any

from netspec.diagnostics import EnvironmentFault
from netspec.train.data.base import DataFault


def there(path: str, folder: Path) -> Path:
    """A file or folder that exists. Raises ``DataFault``."""
    found = folder / path
    if not found.exists():
        raise DataFault(
            f"there is no {path}", None if Path(path).is_absolute() else "paths start at the folder of the spec"
        )
    return found


def there_as_file(path: str, folder: Path) -> Path:
    """A file that exists. Raises ``DataFault``."""
    found = there(path, folder)
    if found.is_dir():
        raise DataFault(f"{path} is a folder, but a file is wanted")
    return found


def read_text(path: str, folder: Path) -> str:
    """A file of UTF-8, without the mark that some programs put first. Raises ``DataFault``."""
    try:
        return there_as_file(path, folder).read_text("utf-8-sig")
    except UnicodeDecodeError as found:
        message = f"{path} is not UTF-8: byte {found.start} is 0x{found.object[found.start]:02x}"
        raise DataFault(message, "save it as UTF-8") from None


def package(name: str, distribution: str, data_set: str) -> Any:
    """A package that a data set needs. Raises ``EnvironmentFault`` where it is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        message = f"`{data_set}` needs the package {distribution}: `pip install {distribution}`"
        raise EnvironmentFault(message) from None
