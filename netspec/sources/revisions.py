"""The files of a git revision: read from the repository's objects, whatever the working folder holds.

git is asked with lists of arguments, never through a shell. What the user calls a revision goes to ``git rev-parse``
alone, behind ``--end-of-options``; everything else is asked of the commit's hash. Blobs are read as they are
(``git cat-file``), so that no filter or text conversion which a repository configures runs.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from netspec import zoo
from netspec.dataclass import dataclass
from netspec.diagnostics import EnvironmentFault, Source, UsageError, clipped
from netspec.syntax import FileLimits, decode

REVISION = re.compile(r"[\w@][\w@./~^{}#+-]*\Z", re.ASCII)
"""Names, hashes, and what git makes of them: ``HEAD~1``, ``v1.2^{}``, ``main@{1}``, ``origin/main``."""
TIME_LIMIT = 60
PROJECT = "pyproject.toml"
LINK = "120000"
SETTINGS = ("-c", "core.fsmonitor=false", "-c", "core.sshCommand=false", "-c", "core.hooksPath=/dev/null")
"""Over what a stranger's repository may have set: programs that git would start."""
QUIET = {
    "GIT_ALLOW_PROTOCOL": "",  # of no kind: an object that is missing is not fetched
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
OF_THE_USER = ("GIT_CEILING_DIRECTORIES", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM")
"""Variables of git's that say nothing of the repository."""


class Entry(NamedTuple):
    """A file of the revision."""

    mode: str
    object: str
    size: int


@dataclass(frozen=True, eq=False)
class Revision:
    """The files of one commit. ``top`` is the repository's folder, ``name`` what the user calls the revision."""

    top: Path
    name: str
    commit: str
    _folders: dict[str, dict[str, Entry]] = field(default_factory=dict, repr=False)

    @staticmethod
    def of(path: Path, revision: str) -> Revision:
        """The revision of the repository that a path is in, whether or not the file still exists."""
        if not REVISION.match(revision):
            raise UsageError(f"`{clipped(revision)}` is not a revision: write a name or a hash, such as HEAD~1")
        folder = _folder(path)
        top = _git(folder, "rev-parse", "--show-toplevel")
        if top is None:
            raise UsageError(f"{path} is in no git repository, or in one that git does not trust")
        asked = f"{revision}^{{commit}}"
        commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", asked)
        if commit is None:
            raise UsageError(f"the repository of {path} has no revision `{clipped(revision)}`")
        return Revision(Path(_line(top)), revision, _line(commit))

    def path_of(self, path: Path) -> Path:
        """A path of the working folder as one below ``top``."""
        folder = _folder(path)
        prefix = _git(folder, "rev-parse", "--show-prefix") or b""
        inside = path.absolute().relative_to(folder)
        return Path(os.path.normpath(self.top / _line(prefix) / inside))

    def project_of(self, path: Path) -> Path:
        """The nearest folder above a file that holds ``pyproject.toml`` in this revision, else the repository."""
        above = [folder for folder in path.parents if folder.is_relative_to(self.top)]
        return next((folder for folder in above if self._entry(folder / PROJECT) is not None), self.top)

    def real(self, path: Path) -> Path | None:
        """The path itself where the revision has it."""
        return None if self._entry(path) is None else path

    def beside(self, path: Path) -> list[str]:
        """The names of the YAML files in a path's folder."""
        return sorted(name for name in self._files(path.parent) if name.endswith((".yaml", ".yml")))

    def read(self, path: Path, limits: FileLimits) -> Source:
        """The text of a file. Raises ``UsageError`` where it is missing, or no regular file."""
        entry = self._entry(path)
        shown = os.path.relpath(path)
        if entry is None:
            raise UsageError(f"the revision {self.name} has no file {shown}")
        if entry.mode == LINK:
            raise UsageError(f"in the revision {self.name}, {shown} is a symbolic link, which is not followed there")
        name = f"{shown}@{self.name}"
        if entry.size > limits.bytes:
            return decode(name, b"\0" * (limits.bytes + 1), limits)  # refused for its size, unread
        data = _git(self.top, "cat-file", "blob", entry.object)
        if data is None:
            raise EnvironmentFault(f"git cannot read {name}")
        return decode(name, data, limits)

    def zoo(self, name: str) -> tuple[Path, str | None] | None:
        """The file and the variant that a name of the zoo means: that of today's netspec."""
        return zoo.find(name)

    def _entry(self, path: Path) -> Entry | None:
        return self._files(path.parent).get(path.name)

    def _files(self, folder: Path) -> dict[str, Entry]:
        """The files of a folder by name; none where the folder is not in the revision."""
        inside = folder.relative_to(self.top).as_posix()
        if inside not in self._folders:
            asked = [] if inside == "." else ["--", f"{inside}/"]
            listed = _git(self.top, "ls-tree", "-l", "-z", "--full-tree", self.commit, *asked) or b""
            self._folders[inside] = dict(_entries(os.fsdecode(listed)))
        return self._folders[inside]


def _entries(listed: str) -> list[tuple[str, Entry]]:
    """The files in what ``git ls-tree -l -z`` says: ``100644 blob HASH    SIZE\\tpath``; a lost one has no size."""
    found = []
    for line in filter(None, listed.split("\0")):
        facts, _, path = line.partition("\t")
        mode, kind, object, size = facts.split()
        if kind == "blob":
            found.append((PurePosixPath(path).name, Entry(mode, object, int(size) if size.isdecimal() else 0)))
    return found


def _folder(path: Path) -> Path:
    """The nearest folder above a path that exists."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())


def _line(output: bytes) -> str:
    return os.fsdecode(output).rstrip("\r\n")


def _environment() -> dict[str, str]:
    """The environment that git gets: the repository is that of the path, and nothing is fetched, asked or traced."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in OF_THE_USER}
    return {**kept, **QUIET}


def _git(folder: Path, *arguments: str) -> bytes | None:
    """Return the output of git; ``None`` where it fails."""
    command = ["git", *SETTINGS, "--no-replace-objects", "--literal-pathspecs", *arguments]
    try:
        done = subprocess.run(
            command, cwd=folder, env=_environment(), capture_output=True, timeout=TIME_LIMIT, check=False
        )
    except FileNotFoundError:
        raise EnvironmentFault("a revision is read with git, which is not installed") from None
    except (OSError, subprocess.TimeoutExpired) as found:
        raise EnvironmentFault(f"git failed: {found}") from None
    return done.stdout if done.returncode == 0 else None
