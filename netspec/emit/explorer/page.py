"""The explorer's page: the assets and the data of a graph in one HTML file that asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from netspec.analysis.diff import Differences
from netspec.emit.explorer.compared import compared_data
from netspec.emit.explorer.data import explorer_data
from netspec.emit.explorer.differences import LayerDifferences, difference_data
from netspec.graph import Graph

if TYPE_CHECKING:
    from netspec.analysis.step_time import StepTime

Host: TypeAlias = Literal["server", "editor", "page"]
"""The hosts of a page that is not alone: `netspec serve`, an editor, or a page around it that has the spec."""

SCRIPTS = (
    "formulas.js",
    "network.js",
    "freshness.js",
    "layout.js",
    "diagram.js",
    "print.js",
    "table.js",
    "source.js",
    "search.js",
    "panes.js",
    "explorer.js",
)
WAYS: dict[Host, tuple[str, ...]] = {
    "server": ("served.js",),
    "editor": ("hosted.js", "beside.js"),
    "page": ("embedded.js", "beside.js"),
}
"""The scripts by which a page speaks with the one who shows it."""
FOLLOWING = ("keep.js", "faults.js", "live.js")
EMBEDDED = (*SCRIPTS, *WAYS["page"], "keep.js")
COMPARED = ("compared.js", *SCRIPTS)
STYLES = ("colours.css", "explorer.css")


def explorer_page(
    graph: Graph,
    *,
    version: str | None = None,
    host: Host = "server",
    times: StepTime | None = None,
    differences: LayerDifferences | None = None,
) -> str:
    """A whole HTML page for a graph; with ``times``, how long each layer takes at the graph's sizes; with
    ``differences``, how far each parts from another form of the network.

    The page's policy lets the scripts and styles in it run, by their hashes, and nothing be loaded. One with a
    ``version`` belongs to its host, which it asks for news, and no one else: `netspec serve`, or an editor. The host
    ``page`` has no version: it has the spec beside it, and puts the next page into this one's place.
    """
    data = explorer_data(graph, times)
    if differences is not None:
        data["apart"] = difference_data(differences, data["levels"], data["nodes"], data["root"])
    if version is None:
        return _page("explorer.html", EMBEDDED if host == "page" else SCRIPTS, STYLES, None, _as_data(data))
    scripts, styles = [*SCRIPTS, *WAYS[host], *FOLLOWING], [*STYLES, *_styles(host)]
    return _page("explorer.html", scripts, styles, version, _as_data(data), asks=host == "server")


def comparison_page(diff: Differences, is_embedded: bool = False) -> str:
    """A whole HTML page for a difference: both networks as one diagram, with the costs and the texts of both.

    As the explorer's, it asks for nothing and lets only its own script run. One that ``is_embedded`` stands in a page
    that has the spec.
    """
    styles = [*STYLES, "compared.css"]
    scripts = [*COMPARED, *WAYS["page"]] if is_embedded else COMPARED
    return _page("explorer.html", scripts, styles, None, _as_data(compared_data(diff)), page="diff")


def embedded_scripts() -> tuple[str, str]:
    """Return the hashes of the scripts of embedded pages, which the policy of the page around them has to allow."""
    return policy_hash(joined(EMBEDDED)), policy_hash(joined([*COMPARED, *WAYS["page"]]))


def waiting_page(version: str, host: Host = "server") -> str:
    """Return the page of a spec that has not been right yet: it shows the faults until there are none."""
    return _page("waiting.html", [*WAYS[host], "live.js"], _styles(host), version, asks=host == "server")


def _styles(host: Host) -> list[str]:
    return ["live.css", *(["hosted.css"] if host == "editor" else [])]


def _page(
    template: str,
    scripts: Sequence[str],
    styles: Sequence[str],
    version: str | None,
    data: str = "",
    page: str = "explorer",
    asks: bool = False,
) -> str:
    script, style = joined(scripts), joined(styles)
    parts = {
        "policy": _policy(script, style, asks),
        "version": version or "",
        "style": style,
        "script": script,
        "page": page,
        "table": "1.7" if page == "diff" else "1.4",  # the shares of the panes' widths, beside 1 for the diagram
        "yaml": "1.1" if page == "diff" else "0.76",
        "data": data,
    }
    return _PLACE.sub(lambda place: parts[place[1]], _asset(template))


_PLACE = re.compile(r"\{\{(\w+)\}\}")


def _policy(script: str, style: str, asks: bool) -> str:
    rules = [
        "default-src 'none'",
        f"script-src {policy_hash(script)}",
        f"style-src {policy_hash(style)}",
        "img-src data:",
    ]
    rules += ["connect-src 'self'"] if asks else []
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def policy_hash(text: str) -> str:
    """Return a script or a style as a policy of content names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _as_data(data: Any) -> str:
    """JSON that no HTML parser takes for anything else: nothing in it can end the script that holds it."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def joined(names: Sequence[str]) -> str:
    """Return assets as one text."""
    text = "\n".join(map(_asset, names))
    return text.replace("{{dark}}", _asset("dark.css")).replace("{{dark-marks}}", _asset("dark-marks.css"))


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")
