"""The folders of runs: which one a text means, and which was begun last."""

from __future__ import annotations

from pathlib import Path

from netspec.diagnostics import UsageError
from netspec.recipes.weights import WeightsSource

RUNS = Path("runs")
"""The folder of all runs, each in ``NAME/NUMBER``, or where ``-o runs/FOLDER`` has put it."""

LAST = "last"


def is_run(folder: Path) -> bool:
    """Return whether a run has been begun in a folder."""
    return (folder / "run.json").is_file()


def names_run(text: str) -> bool:
    """Return whether a text names a run, or a fold of one, rather than a spec."""
    path = Path(text)
    folder = path.parent if path.name.startswith("fold-") else path
    return folder.name == LAST or is_run(folder)


def numbers_in(parent: Path) -> list[int]:
    """Return the numbers of the runs in a network's folder."""
    return [int(each.name) for each in parent.glob("[0-9]*") if each.name.isdecimal()]


def named_run(text: str) -> Path:
    """Return the folder that a text means: its path, ``last`` of all runs, ``runs/NAME/last``, or a fold of one.

    Raises ``UsageError`` for a last one where there is none.
    """
    path = Path(text)
    if path.name.startswith("fold-") and not path.exists():
        return named_run(str(path.parent)) / path.name
    if path.name != LAST or path.exists():
        return path
    return last_run(RUNS if text == LAST else path.parent)


def placed(origin: str, here: Path) -> Path:
    """Return the path that a source of weights means, relative to ``here``; of ``last`` the run."""
    path = here / Path(origin).expanduser()
    if path.name == LAST and not path.exists():
        return last_run(here / RUNS if origin == LAST else path.parent)
    return path


def run_behind(source: WeightsSource, here: Path) -> Path | None:
    """Return the folder of the run that weights come from: a run's own, that of a fold, of a file or of an adapter in
    it; ``None`` where they come from elsewhere.
    """
    path = placed(source.adapter or source.origin, here)
    return next((each for each in (path, *[*path.parents][:2]) if is_run(each)), None)


def last_run(*parents: Path) -> Path:
    """Return the last run of a network's folder; of several, or of a folder of such, the one that was begun last.

    Raises ``UsageError`` where there is none.
    """
    runs = [each for parent in parents for each in (_last_in(parent) or _below(parent))]
    if not runs:
        raise UsageError(f"there is no run in {parents[0]}/ yet: `netspec train SPEC` makes one")
    return max(runs, key=_begun)


def _begun(run: Path) -> tuple[int, int]:
    """Return when a run was begun, and its number among those of the same moment."""
    return (run / "run.json").stat().st_mtime_ns, int(run.name) if run.name.isdecimal() else 0


def _last_in(parent: Path) -> list[Path]:
    """Return the run of a network's folder with the largest number, if there is one."""
    return [each for number in sorted(numbers_in(parent)) if is_run(each := parent / str(number))][-1:]


def _below(parent: Path) -> list[Path]:
    """Return the runs of all networks in a folder, and those that lie in it themselves."""
    numbered = [each for each in parent.glob("*/[0-9]*") if each.name.isdecimal()]
    return [each for each in (*numbered, *parent.glob("*")) if is_run(each)]
