"""Find the files of a recipe's data that are not there: training would tell of them, but later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netspec.checks.warning import is_silenced, warning
from netspec.diagnostics import Diagnostic
from netspec.graph import Graph
from netspec.text.quoting import visible


def missing_data(graphs: Iterable[Graph]) -> list[Diagnostic]:
    """Return a warning for each file or folder that a recipe's data name and that is not there."""
    found = {each.message: each for graph in graphs for each in _missing_of(graph)}
    return [each for each in found.values() if not is_silenced(each)]


def _missing_of(graph: Graph) -> Iterator[Diagnostic]:
    recipe = graph.recipe
    if recipe is None:
        return
    folder, span = recipe.folder_of("data", graph.spec), recipe.spans["data"]
    for name in recipe.data.files:
        value = getattr(recipe.data, name)
        for path in value if isinstance(value, list) else [value]:
            if path is not None and not (folder / path).exists():
                help = None if path.startswith("/") else "paths start at the folder of the spec"
                yield warning("missing-data", f"there is no {visible(path)}", span, help=help)
