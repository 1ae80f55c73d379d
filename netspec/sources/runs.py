"""The files that a run has saved of what its spec extends, imports and uses."""

from __future__ import annotations

import json
from pathlib import Path

from netspec import zoo
from netspec.diagnostics import UsageError
from netspec.sources.imports import DISK, Disk, Tree
from netspec.sources.run_folders import FACTS, SPEC

SOURCES, ZOO = "sources", ".zoo"


class RunSources(Disk):
    """The files that a run has saved of its spec's imports: no path leads out of their folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def project_of(self, path: Path) -> Path:
        """Return the folder that imports may not leave."""
        return self.folder.absolute()

    def zoo(self, name: str) -> tuple[Path, str | None] | None:
        """Return the file and the variant that a name of the zoo meant when the run began."""
        return zoo.find(name, self.folder / ZOO)


def begun_with(run: Path) -> tuple[str | None, tuple[str, ...]]:
    """Return the variant and the values that a run was begun with. Raises ``UsageError`` for a damaged one."""
    try:
        asked = json.loads((run / FACTS).read_text(encoding="utf-8"))["asked"]
        variant = asked["variant"]
        return (None if variant is None else str(variant)), tuple(map(str, asked["set"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{run / FACTS} is damaged: name {run / SPEC}, which is read without it") from None


def tree_around(spec: Path) -> tuple[Tree, Path]:
    """Return where the files that a spec leads to come from, and its own place there: a run's spec has them saved."""
    run = spec.parent
    if spec.name != SPEC or not (run / SOURCES).is_dir():
        return DISK, spec
    try:
        own = json.loads((run / FACTS).read_text(encoding="utf-8"))["asked"]["sources"]
    except (OSError, ValueError, KeyError, TypeError):  # not a run's folder, or a damaged one: files are as they are
        return DISK, spec
    return RunSources(run / SOURCES), run / SOURCES / str(own)
