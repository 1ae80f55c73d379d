"""``netspec build``: every artefact of a network in one folder, and what was verified."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

from netspec import __version__
from netspec.dims import evaluate
from netspec.emit.dot import dot_text
from netspec.emit.explorer import explorer_page
from netspec.emit.render import RendererMissing, render
from netspec.emit.source import emit_source
from netspec.emit.table import ShapeTable
from netspec.files import write_text
from netspec.graph import Graph
from netspec.runtime.module import build_module
from netspec.runtime.verify import Parity, export_verified

VERSIONS = ("torch", "onnx", "onnx-ir", "pydantic", "numpy")
RUNTIMES = ("onnxruntime-gpu", "onnxruntime")


def build_all(graph: Graph, folder: Path, device: str, variant: str | None) -> int:
    """Write every file, verify the ONNX file, say so; gives the exit code."""
    warn_of_two_runtimes()
    with status("writing the source and the pictures"):
        write_text(folder / "model.py", emit_source(graph).text)
        write_text(folder / "shapes.json", ShapeTable(graph).to_json())
        drawn = _draw(graph, folder)
        write_text(folder / "explorer.html", explorer_page(graph))
    with status("building the module"):
        module = build_module(graph, device)
    with status("exporting, and running PyTorch and onnxruntime side by side"):
        path, parity = export_verified(graph, module, folder / "model.onnx")
    write_text(
        folder / "build.json", json.dumps(_record(graph, variant, parity, path), indent=2, ensure_ascii=False) + "\n"
    )
    print()
    print(f"wrote {folder}/: model.py, {path.name}, {drawn}, explorer.html, shapes.json, build.json")
    return report_parity(parity, path)


@contextmanager
def status(doing: str) -> Iterator[None]:
    """Shows what is being done, on a terminal only, while it is done."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{doing} …"):
        yield


def _draw(graph: Graph, folder: Path) -> str:
    """Draw the diagram; without a renderer its text alone, and a word on how to get one."""
    dot = dot_text(graph)
    render(dot, folder / "diagram.dot")
    try:
        render(dot, folder / "diagram.svg")
    except RendererMissing as found:
        print(f"netspec: {found}", file=sys.stderr)
        return "diagram.dot"
    return "diagram.svg, diagram.dot"


def report_parity(parity: Parity, path: Path) -> int:
    """Say what was verified; 1 where PyTorch and onnxruntime disagree."""
    places = "  ".join(
        "·".join(f"{name}={size}" for name, size in each.sizes.items()) or "the fixed sizes"
        for each in parity.comparisons
    )
    if parity.agrees:
        print(f"verified: PyTorch and onnxruntime agree to {parity.worst:.1e} (max|Δ|/max|y|) at {places}")
        if parity.probed:
            print("          with rescaled weights: as initialised, the output hardly depends on the input")
        return 0
    print(
        f"netspec: PyTorch and onnxruntime differ by {parity.worst:.1e} "
        f"(max|Δ|/max|y|; {parity.tolerance:.0e} would do) at {places}; the file is kept as {path}",
        file=sys.stderr,
    )
    return 1


def _record(graph: Graph, variant: str | None, parity: Parity, path: Path) -> dict[str, Any]:
    """What was built from what, and what was checked."""
    return {
        "model": graph.name,
        "netspec": __version__,
        "spec": {"file": PurePath(graph.spec).name, "sha256": graph.digest},
        "variant": variant,
        "parameters": dict(graph.parameters),
        "sizes": dict(graph.sizes),
        "totals": {"params": graph.body.parameter_count, "macs": evaluate(graph.body.macs, graph.sizes)},
        "versions": {"python": platform.python_version(), **_versions()},
        "checks": {
            "onnx.checker": "passed",
            "onnxruntime": {
                "passed": parity.agrees,
                "providers": [*parity.providers],
                "rescaled_weights": parity.probed,
                "tolerance": parity.tolerance,
                "largest_difference": parity.worst,
                "comparisons": [
                    {"sizes": dict(each.sizes), "difference": each.difference} for each in parity.comparisons
                ],
            },
        },
        "onnx": path.name,
    }


def _versions() -> dict[str, str]:
    return {name: version(name) for name in VERSIONS} | _runtimes()


def _runtimes() -> dict[str, str]:
    found = {}
    for name in RUNTIMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def warn_of_two_runtimes() -> None:
    """Both wheels write the same package: the last one installed wins, and removing either breaks both."""
    if len(_runtimes()) > 1:
        print(
            "netspec: onnxruntime and onnxruntime-gpu are both installed, and overwrite each other; "
            "uninstall both, then install one",
            file=sys.stderr,
        )
