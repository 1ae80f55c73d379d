"""The heat of the page by how far each layer parts from another form of the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

UNIT = 1e9
"""The page counts in billionths of a layer's largest number."""
MOST = 10.0
"""The number that a larger difference, or an infinite one, counts as."""


class LayerDifferences(NamedTuple):
    """The differences that each layer adds between two forms of a network, by its path.

    ``of`` names the two; what is below ``bound`` is cold.
    """

    of: str
    at: Mapping[str, float]
    bound: float


def difference_data(
    differences: LayerDifferences, levels: Sequence[Any], nodes: Sequence[Any], root: int
) -> dict[str, Any]:
    """Return the differences by the paths of the page's rows: a level has that of its worst layer, and of its copies,
    where several are one on the page.
    """
    worst: dict[str, int] = {}
    for path, difference in differences.at.items():
        number = round(UNIT * min(difference, MOST)) if difference == difference else round(UNIT * MOST)
        names = path.split(".")
        for above in (".".join(names[:count]) for count in range(1, len(names) + 1)):
            worst[above] = max(worst.get(above, 0), number)
    found = {paths[0]: max(worst.get(path, 0) for path in paths) for paths in _rows(levels, nodes, root, [""]) if paths}
    return {
        "of": differences.of,
        "bound": round(UNIT * differences.bound),
        "at": {path: number for path, number in found.items() if number},
    }


def _rows(levels: Sequence[Any], nodes: Sequence[Any], level: int, prefixes: Sequence[str]) -> Iterator[list[str]]:
    """Yield the paths of each row of a level, with those of all its copies: the page has the first."""
    for item in levels[level]["items"]:
        copies = item["covers"] if item.get("count") else [item.get("path", "")]
        paths = [prefix + copy for prefix in prefixes for copy in copies]
        if "nodes" in item:
            first = prefixes[0] + item["path"]
            names = [nodes[number]["name"] for number in item["nodes"]]
            base = first[: len(first) - len(names[0])]
            yield from ([base + name, *(paths if len(names) == 1 else ())] for name in names)
        if "level" in item:
            yield paths
            if "shares" not in item:
                yield from _rows(levels, nodes, item["level"], [f"{path}." for path in paths])
