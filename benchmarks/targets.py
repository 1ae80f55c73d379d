"""Which runtimes load the zoo's ONNX files, and give what PyTorch does: a table, made by a command.

    python benchmarks/targets.py --runtimes ../runtimes -o benchmarks/TARGETS.md   # all forms of all families
    python benchmarks/targets.py --runtimes ../runtimes lenet gpt2 --only openvino
    python benchmarks/targets.py --runtimes ../runtimes --tools -o benchmarks/TARGETS.md  # tools that change files

Every entry is written as `netspec export` does it, with weights from which something can be told, and in small where
its family can be. Each runtime runs it at two or three sizes of its symbolic dimensions, in a process of its own:
onnxruntimes and OpenVINO from the folder `--runtimes`, into which pip installs those that are missing, onnx's
reference evaluator and, for ten entries, onnxruntime-web in headless Chromium. The table says how far their outputs are
from PyTorch's, or why a file is refused. Needs the `test` extra and, for the first time, pip, npm and the network.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from targets_judges import OPSETS, RUNTIMES, TOOLS, Judge, asked_of, installed
from targets_table import RUNTIMES_TITLE, TOOLS_TITLE, Row, line_of, put_table, score, table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

BAR = 0.97


def main() -> int:
    """Print the table; return 1 if too few cells agree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help="zoo entries or variants; default: all forms")
    parser.add_argument("--runtimes", type=Path, required=True, metavar="FOLDER", help="where they are installed")
    parser.add_argument("--tools", action="store_true", help="the tools that change files, in place of the runtimes")
    parser.add_argument("--only", action="append", metavar="RUNTIME", help="this runtime or tool; may be repeated")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="where cells are kept, to be made once")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the table here")
    options = parser.parse_args()
    from zoo.networks import FORMS

    names = [name for name in (TOOLS if options.tools else RUNTIMES) if not options.only or name in options.only]
    judges = {name: Judge(name, installed(name, options.runtimes.resolve())) for name in names}
    rows: dict[str, Row] = {}
    if options.rows and options.rows.is_file():
        rows = {row["entry"]: row for row in map(json.loads, options.rows.read_text().splitlines())}
    for entry in options.entries or FORMS:
        missing = {name: judges[name] for name in asked_of(entry, names) if name not in found(rows, entry)}
        if missing:
            made = row_of(entry, missing)
            rows[entry] = {**made, "cells": {**found(rows, entry), **made["cells"]}}
            if options.rows:
                options.rows.write_text("".join(json.dumps(row) + "\n" for row in rows.values()))
        print(line_of(rows[entry], names), flush=True)
    good, asked = score([*rows.values()], names)
    print(f"{good} of {asked} cells agree")
    if options.output:
        title = TOOLS_TITLE if options.tools else RUNTIMES_TITLE
        put_table(options.output, title, table([*rows.values()], names, title))
    return 0 if good >= BAR * asked else 1


def found(rows: Mapping[str, Row], entry: str) -> dict[str, Any]:
    """Return the cells that there are of an entry."""
    cells: dict[str, Any] = rows.get(entry, {}).get("cells", {})
    return cells


def row_of(entry: str, judges: Mapping[str, Judge]) -> Row:
    """Return what all runtimes make of an entry."""
    with TemporaryDirectory() as folder:
        try:
            opset, ir, tolerance = written(entry, Path(folder))
        except Exception as reason:  # whatever it is, it is the row's
            return {"entry": entry, "error": f"{type(reason).__name__}: {reason}"[:300], "cells": {}}
        cells = {}
        for name, judge in judges.items():
            newest = OPSETS.get(name.partition(" ")[2].rpartition(".")[0], 99)
            cells[name] = {"beyond": newest} if newest < opset else judge.judge(Path(folder))
        return {"entry": entry, "opset": opset, "ir": ir, "tolerance": tolerance, "cells": cells}


def written(entry: str, folder: Path) -> tuple[int, int, float]:
    """Write an entry's file, and its inputs and outputs at several sizes; return its opset, its IR and a tolerance."""
    from importer.round_trip import smaller

    from netspec.elaborate.passes.sizes import quick_sizes
    from netspec.runtime.fixed_noise import is_random
    from netspec.runtime.onnx.export import export_onnx
    from netspec.runtime.onnx.fixed_noise import fix_noise
    from netspec.runtime.onnx.parity import ROUNDINGS, TOLERANCE, largest_difference
    from netspec.runtime.probing import is_telling, probing_copy
    from netspec.runtime.reference import Reference

    graph = smaller(entry).graph
    reference = Reference(graph, smaller(entry).module())
    tried = quick_sizes(graph)
    if not is_telling(reference, tried):
        reference = Reference(graph, probing_copy(graph, reference.module))
    path = export_onnx(graph, reference.module, folder / "model.onnx")
    if is_random(graph):
        model = onnx.load(path)
        fix_noise(model.graph)
        onnx.save(model, path)
    rounding = 0.0
    with double(reference.module) as exact:
        for at, sizes in enumerate(tried):
            inputs, outputs = reference.inputs(sizes), reference.outputs(sizes)
            with suppress(RuntimeError):  # of a network that says itself what is single precision
                rounding = max(rounding, largest_difference(reference.run(exact, inputs), outputs))
            arrays = {f"in.{name}": value.numpy() for name, value in inputs.items()}
            np.savez(folder / f"{at}.npz", **arrays, **{f"out.{at}": each for at, each in enumerate(outputs)})
    proto = onnx.load(path, load_external_data=False)
    opset = next(each.version for each in proto.opset_import if not each.domain)
    return opset, proto.ir_version, max(TOLERANCE, ROUNDINGS * rounding)


@contextmanager
def double(module: Any) -> Iterator[Any]:
    """Give a copy of a module in double precision."""
    import copy

    yield copy.deepcopy(module).double()


if __name__ == "__main__":
    sys.exit(main())
