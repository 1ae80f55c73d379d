"""The folders of runs: which one a text means, and which was begun last."""

from __future__ import annotations

from pathlib import Path

from netspec.diagnostics import UsageError
from netspec.diagnostics.suggest import MOST_LISTED

RUNS = Path("runs")
"""The folder of all runs, each in ``NAME/NUMBER``, or where ``-o runs/FOLDER`` has put it."""

SPEC, FACTS = "spec.yaml", "run.json"
LAST = "last"
COMPARED = "compare"
"""The folder in that of all runs whose numbered ones have the runs of a comparison each."""


def is_run(folder: Path) -> bool:
    """Return whether a run has been begun in a folder."""
    return (folder / FACTS).is_file()


def names_run(text: str) -> bool:
    """Return whether a text names a run, or a fold of one, rather than a spec."""
    path = Path(text)
    folder = path.parent if path.name.startswith("fold-") else path
    return folder.name == LAST or is_run(_numbered(folder))


def _numbered(path: Path) -> Path:
    """Return the run of a comparison that a path means by its number alone: ``runs/compare/2/1`` for ``…/1-sgd``."""
    if path.exists() or not path.name.isdecimal():
        return path
    found = [each for each in path.parent.glob(f"{path.name}-*") if is_run(each)]
    return found[0] if len(found) == 1 else path


def runs_in(folder: Path) -> list[Path]:
    """Return the runs that lie in a folder that is none itself, by their numbers: a network's, or a comparison's."""

    def number(run: Path) -> tuple[int, str]:
        first = run.name.partition("-")[0]
        return (int(first) if first.isdecimal() else 0), run.name

    return sorted((each for each in folder.glob("*") if is_run(each) and not is_run(folder)), key=number)


def no_such_run(text: str) -> str | None:
    """Return that there is no run at a path, with those beside it; ``None`` for what is no such path."""
    path = Path(text)
    if len(path.parts) < 2 or path.exists() or path.suffix in (".yaml", ".yml"):
        return None
    beside = [each.name for each in runs_in(path.parent)]
    some = ", ".join(beside[-MOST_LISTED:])
    return (
        f"there is no run in {path}: {path.parent} has {'…, ' * (len(beside) > MOST_LISTED)}{some}" if beside else None
    )


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
        return _numbered(path)
    return last_run(RUNS if text == LAST else path.parent)


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
    return (run / FACTS).stat().st_mtime_ns, int(run.name) if run.name.isdecimal() else 0


def _last_in(parent: Path) -> list[Path]:
    """Return the run of a network's folder with the largest number, if there is one."""
    return [each for number in sorted(numbers_in(parent)) if is_run(each := parent / str(number))][-1:]


def _below(parent: Path) -> list[Path]:
    """Return the runs of all networks in a folder, those of comparisons, and those that lie in it themselves."""
    numbered = [each for each in parent.glob("*/[0-9]*") if each.name.isdecimal()]
    compared = parent.glob("[0-9]*/[0-9]*" if parent.name == COMPARED else f"{COMPARED}/[0-9]*/[0-9]*")
    return [each for each in (*numbered, *compared, *parent.glob("*")) if is_run(each)]
