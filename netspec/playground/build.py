"""Laying out the page in a folder: netspec, the packages that it needs in a browser, and the page's own files.

    FOLDER/
      index.html  playground.css  *.js     the page
      examples.json                        the specs that it offers
      python.zip                           netspec, pydantic and PyYAML, for Pyodide
      packages/NAME/                       Pyodide, CodeMirror and Graphviz, each with its licence

Any host can serve the folder: the page asks for nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import yaml

from netspec import zoo
from netspec.diagnostics import UsageError
from netspec.emit.explorer import embedded_scripts, joined, policy_hash
from netspec.files import replacing, write_text
from netspec.playground.colours import diagram_rules
from netspec.playground.examples import examples
from netspec.playground.packages import PinnedPackage, Tell, cache_folder, locked, npm_archives, wheels
from netspec.version import __version__

ASSETS = Path(__file__).with_name("assets")
PACKAGE = Path(__file__).parent.parent
LICENCES = re.compile(r"licen[cs]e", re.IGNORECASE)
MADE = "python.zip"
"""The file by which a folder is known to hold the page."""

LEFT_OUT = ("cli", "importer", "runtime", "testing", "train")
"""The parts of netspec that no page needs: most of them are for torch."""

OLD = 7 * 24 * 3600.0
"""Seconds after which the page of another version is removed."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the archive, so that one tree makes one archive."""


def build(folder: Path, tell: Tell) -> None:
    """Lay out the page in a folder; ``tell`` is told each step that takes time.

    Raises ``UsageError`` for a folder with something else in it, ``EnvironmentFault`` where packages cannot be had.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MADE).exists():
        raise UsageError(f"{folder} is no playground, and not empty: name a folder that is to be made")
    npm, pypi = locked()
    archives = npm_archives(npm, cache_folder() / "packages", tell)
    found = wheels(pypi, cache_folder() / "packages", tell)
    tell(f"laying out the page in {folder}")
    for package in npm:
        _unpack(package, archives[package.name], folder)
    write_text(folder / "examples.json", json.dumps(examples(), ensure_ascii=False))
    _write_page(folder, npm)
    _write_python(folder / MADE, list(found.values()))


def built(tell: Tell) -> Path:
    """Return a folder in the user's cache with the page of this netspec, laid out where it is not there yet."""
    folder = cache_folder() / f"page-{digest()}"
    if not (folder / MADE).exists():
        _forget_old_pages()
        build(folder, tell)
    return folder


def _forget_old_pages() -> None:
    """Remove the pages of other versions of netspec, unless they are so new that one may still be served."""
    for page in cache_folder().glob("page-*"):
        if time.time() - page.stat().st_mtime > OLD:
            shutil.rmtree(page, ignore_errors=True)


def digest() -> str:
    """Return a digest of all of netspec's own that the page is made of."""
    hasher = hashlib.sha256()
    for name, path in _own_files():
        hasher.update(name.encode() + b"\0" + path.read_bytes())
    return hasher.hexdigest()[:16]


def _own_files() -> Iterator[tuple[str, Path]]:
    """Give the files of netspec by their names in the archive: its modules, their data, and the zoo."""
    left_out = {zoo.folder(), *(PACKAGE / name for name in LEFT_OUT)}
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and left_out.isdisjoint(path.parents):
            yield f"netspec/{path.relative_to(PACKAGE).as_posix()}", path
    for path in zoo.files():
        yield f"netspec/specs/{path.name}", path


def _unpack(package: PinnedPackage, archive: Path, folder: Path) -> None:
    """Put what the page needs of a package into the folder, with its licence."""
    with tarfile.open(archive) as packed:
        for member in packed.getmembers():
            name = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            wanted = str(name) in (package.entry, *package.beside) or LICENCES.match(name.name)
            data = packed.extractfile(member) if wanted and member.isfile() else None
            if data is not None:
                with replacing(folder / "packages" / package.name / name) as temporary:
                    temporary.write_bytes(data.read())


def _write_python(path: Path, wheels: Sequence[Path]) -> None:
    """Write the archive for Pyodide. PyYAML is that of this installation, without the part in C."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as packed:
                for name in packed.namelist():
                    _add(archive, name, packed.read(name))
        for module in sorted(Path(yaml.__file__).parent.glob("*.py")):
            _add(archive, f"yaml/{module.name}", module.read_bytes())
        for name, file in _own_files():
            _add(archive, name, file.read_bytes())


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)


def _write_page(folder: Path, packages: Sequence[PinnedPackage]) -> None:
    modules = {each.name: f"./packages/{each.name}/{each.entry}" for each in packages}
    imports = json.dumps({"imports": modules}, indent=1)
    editor = [path for name, path in modules.items() if name not in ("pyodide", "@viz-js/viz")]
    parts = {
        "policy": _policy(imports),
        "imports": imports,
        "preloads": "\n".join(f'<link rel="modulepreload" href="{path}">' for path in editor),
        "version": __version__,
        "digest": digest(),
    }
    for path in ASSETS.iterdir():
        text = path.read_text("utf-8")
        if path.suffix == ".html":
            text = _filled(text, parts)
        elif path.suffix == ".css":
            text = joined(["colours.css"]) + text + diagram_rules()
        write_text(folder / path.name, text)


def _filled(text: str, parts: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], text)


def _policy(imports: str) -> str:
    """The policy of the page: nothing from elsewhere; of scripts in pages the map of imports and the embedded ones."""
    scripts = " ".join(("'self'", "'wasm-unsafe-eval'", policy_hash(imports), *embedded_scripts()))
    rules = [
        "default-src 'none'",
        f"script-src {scripts}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
    ]
    rules += ["connect-src 'self'", "worker-src 'self'", "frame-src 'self'"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])
