"""``netspec build``: every artefact of a network in one folder, and what was verified."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from netspec.cli.output import status
from netspec.cli.parity import report_parity, runtimes, warn_of_two_runtimes
from netspec.diagnostics import UsageError
from netspec.dims import evaluate
from netspec.elaborate.passes.sizes import small_sizes
from netspec.emit.diagram.dot import dot_text
from netspec.emit.diagram.render import RendererMissing, render
from netspec.emit.explorer import explorer_page
from netspec.emit.source import emit_source
from netspec.emit.table import ShapeTable
from netspec.files import write_text
from netspec.graph import Graph
from netspec.locks import locked
from netspec.runtime.interpret import TOLERANCE as MODULE_TOLERANCE
from netspec.runtime.interpret import check_module
from netspec.runtime.module import build_module
from netspec.runtime.verify import Parity, export_verified
from netspec.text.quoting import json_text
from netspec.version import __version__

VERSIONS = ("torch", "onnx", "onnx-ir", "pydantic", "numpy")
RECORD = "build.json"
FILES = ("model.py", "model.onnx", "model.rejected.onnx", "diagram.svg", "diagram.dot", "explorer.html", "shapes.json")
"""The files that a build writes beside its record."""

LOCK = ".build.lock"


def build_all(graph: Graph, folder: Path, device: str, variant: str | None) -> int:
    """Write every file, verify the ONNX file, say so; gives the exit code."""
    warn_of_two_runtimes()
    guard_own(folder)
    with locked(folder, LOCK, "built"):
        return _built(graph, folder, device, variant)


def _built(graph: Graph, folder: Path, device: str, variant: str | None) -> int:
    _write_record(graph, folder, variant, {}, None)  # from now on, the files beside it are a build's
    with status("writing the source and the pictures"):
        write_text(folder / "model.py", emit_source(graph).text)
        write_text(folder / "shapes.json", ShapeTable(graph).to_json())
        drawn = _draw(graph, folder)
        write_text(folder / "explorer.html", explorer_page(graph))
    with status("building the module"):
        module = build_module(graph, device)
    with status("exporting, and running PyTorch and onnxruntime side by side"):
        path, parity = export_verified(graph, module, folder / "model.onnx")
        difference = check_module(graph, parity.module)
    _write_record(graph, folder, variant, _checks(graph, parity, difference), path)
    print()
    print(f"wrote {folder}/: model.py, {path.name}, {drawn}, explorer.html, shapes.json, build.json")
    return report_parity(parity, path)


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


def guard_own(folder: Path) -> None:
    """Guard: no file of a folder is replaced that is not of a build."""
    if (folder / RECORD).is_file():
        return
    there = [name for name in FILES if os.path.lexists(folder / name)]
    if there:
        raise UsageError(f"{folder / there[0]} is not of a build, and is left alone: name another folder with -o")


def _write_record(
    graph: Graph, folder: Path, variant: str | None, checks: Mapping[str, Any], path: Path | None
) -> None:
    """Write what is built from what, and what was checked; ``path`` is the ONNX file, once it is there."""
    record = {
        "model": graph.name,
        "netspec": __version__,
        "spec": {"file": graph.file, "sha256": graph.digest},
        "variant": variant,
        "parameters": dict(graph.parameters),
        "sizes": dict(graph.sizes),
        "totals": {"params": graph.body.parameter_count, "macs": evaluate(graph.body.macs, graph.sizes)},
        "versions": {"python": platform.python_version(), **_versions()},
        "checks": checks,
        "onnx": path.name if path is not None else None,
    }
    write_text(folder / RECORD, json_text(record, indent=2) + "\n")


def _checks(graph: Graph, parity: Parity, difference: float) -> dict[str, Any]:
    """What was checked of the module and of the ONNX file; ``difference`` is that of the module, node by node."""
    return {
        "node_by_node": {
            "passed": True,  # where it does not, nothing is recorded
            "tolerance": MODULE_TOLERANCE,
            "sizes": small_sizes(graph),
            "difference": difference,
        },
        "onnx.checker": "passed",
        "onnxruntime": {
            "passed": parity.agrees,
            "providers": [*parity.providers],
            "rescaled_weights": parity.probed,
            "telling": parity.telling and not parity.is_rounding,
            "tolerance": parity.tolerance,
            "largest_difference": parity.worst,
            "comparisons": [
                {"sizes": dict(each.sizes), "mean": each.mean, "difference": each.difference}
                for each in parity.comparisons
            ],
        },
    }


def _versions() -> dict[str, str]:
    return {name: version(name) for name in VERSIONS} | runtimes()
