"""The runs that weights come from."""

from __future__ import annotations

from pathlib import Path

from netspec.recipes.weights import WeightsSource
from netspec.sources.run_folders import LAST, RUNS, is_run, last_run


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
