"""Which runtimes load the zoo's ONNX files, and give what PyTorch does: a table, made by a command.

    python benchmarks/targets.py --runtimes /tmp/runtimes -o benchmarks/TARGETS.md   # all forms of all families
    python benchmarks/targets.py --runtimes /tmp/runtimes lenet gpt2 --only openvino

Every entry is written as `netspec export` does it, with weights from which something can be told, and in small where
its family can be. Each runtime runs it at two or three sizes of its symbolic dimensions, in a process of its own:
onnxruntimes and OpenVINO from the folder `--runtimes`, into which pip installs those that are missing, onnx's
reference evaluator and, for ten entries, onnxruntime-web in headless Chromium. The table says how far their outputs are
from PyTorch's, or why a file is refused. Needs the `test` extra and, for the first time, pip, npm and the network.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

OLD = ("1.15.1", "1.16.3", "1.17.3", "1.18.1", "1.19.2", "1.20.1", "1.21.1", "1.22.1", "1.23.2", "1.26.0", "1.32.0")
OLD_NUMPY = ("1.15", "1.16", "1.17", "1.18")
RUNTIMES: Mapping[str, str] = {
    **{f"onnxruntime {version}": f"onnxruntime=={version}" for version in OLD},
    "onnxruntime": "",
    "onnxruntime-web": "onnxruntime-web@1.30.0",
    "openvino": "openvino==2026.4.1",
    "reference": "",
}
"""The runtimes by the table's names, with what pip or npm installs; nothing for those of this environment."""
OPSETS = {"1.15": 18, "1.16": 19, "1.17": 20, "1.18": 21, "1.19": 21, "1.20": 21, "1.21": 22, "1.22": 22}
"""The newest opsets that onnxruntimes say they have."""
SECONDS = {"reference": 30}
"""The time that a runtime has for an entry, where it is not two minutes."""
IN_BROWSER = (
    "lenet",
    "resnet_cifar",
    "mobilenet_v3_small",
    "squeezenet",
    "yolov8",
    "lstm_lm",
    "llama",
    "gpt2",
    "vit",
    "unet",
)
"""The entries that run in a browser."""
BAR = 0.97
TITLE = """\
# Runtimes that run the zoo

`python benchmarks/targets.py` writes this file. Each entry is the file of `netspec export`, in small where its family
can be, with weights from which something can be told. A number is the largest difference from PyTorch's outputs,
relative to the largest output, at up to three sizes of the symbolic dimensions; what exceeds 1e-4 and eight times what
single precision alone changes in PyTorch stands in bold. A runtime whose newest opset is older has a dash; one that
takes too long, as the reference evaluator may, is not counted.
"""
Row = dict[str, Any]


def main() -> int:
    """Print the table; return 1 if too few cells agree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help="zoo entries or variants; default: all forms")
    parser.add_argument(
        "--runtimes", type=Path, required=True, metavar="FOLDER", help="where the runtimes are installed"
    )
    parser.add_argument("--only", action="append", metavar="RUNTIME", help="this runtime; may be repeated")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="where rows are kept: those in it are not made again")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the table here")
    options = parser.parse_args()
    from zoo.networks import FORMS

    names = [name for name in RUNTIMES if not options.only or name in options.only]
    judges = {name: Judge(name, installed(name, options.runtimes)) for name in names}
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
        options.output.write_text(table([*rows.values()], names))
    return 0 if good >= BAR * asked else 1


def found(rows: Mapping[str, Row], entry: str) -> dict[str, Any]:
    """Return the cells that there are of an entry."""
    cells: dict[str, Any] = rows.get(entry, {}).get("cells", {})
    return cells


def asked_of(entry: str, names: Sequence[str]) -> list[str]:
    """Return the runtimes that an entry is run on."""
    return [name for name in names if name != "onnxruntime-web" or entry in IN_BROWSER]


def installed(name: str, folder: Path) -> dict[str, str]:
    """Return the environment of a runtime, which is installed if it is not there."""
    wanted = RUNTIMES[name]
    if not wanted:
        return dict(os.environ)
    if "@" in wanted:
        place = folder / wanted.replace("@", "-")
        if not place.is_dir():
            place.mkdir(parents=True)
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(place), wanted], check=True)
        dist = place / "node_modules" / wanted.partition("@")[0] / "dist"
        return {**os.environ, "ONNXRUNTIME_WEB": str(dist)}
    place = folder / wanted.replace("==", "-")
    if not place.is_dir():
        old = [f"numpy{'<2' if any(f'=={each}' in wanted for each in OLD_NUMPY) else ''}"]
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(place), wanted, *old]
        subprocess.run(command, check=True)
    return {**os.environ, "PYTHONPATH": str(place)}


class Judge:
    """A process that runs files on a runtime; it is begun again where a file has ended it."""

    def __init__(self, name: str, environment: Mapping[str, str]):
        self.name, self.environment = name, environment
        self.process: subprocess.Popen[str] | None = None

    def judge(self, folder: Path) -> dict[str, Any]:
        """Return the difference of a file's outputs from those expected, or why there is none."""
        if self.process is None or self.process.poll() is not None:
            command = [sys.executable, "-u", str(Path(__file__).with_name("judge.py")), self.name.split()[0]]
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self.process = subprocess.Popen(command, env=dict(self.environment), text=True, **pipes)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        seconds = SECONDS.get(self.name, 120)
        timer = Timer(seconds, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(f"{folder}\n")
            self.process.stdin.flush()
            for line in self.process.stdout:
                if line.startswith("{"):
                    found: dict[str, Any] = json.loads(line)
                    return found
        finally:
            timer.cancel()
        ended = self.process.wait()
        return {"slow": seconds} if ended == -SIGKILL else {"error": f"the process ended with {ended}"}


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


def agrees(row: Row, cell: Mapping[str, Any]) -> bool:
    """Return whether a runtime's outputs are near enough to PyTorch's."""
    return bool(cell.get("difference", np.inf) <= row["tolerance"])


def score(rows: Sequence[Row], names: Sequence[str]) -> tuple[int, int]:
    """Return how many cells agree, and how many there are that the runtime's opset allows."""
    cells = [(row, row["cells"].get(name, {"error": ""})) for row in rows for name in asked_of(row["entry"], names)]
    asked = [(row, cell) for row, cell in cells if not {"beyond", "slow"} & cell.keys()]
    return sum(agrees(row, cell) for row, cell in asked), len(asked)


def line_of(row: Row, names: Sequence[str]) -> str:
    """Return an entry's line for the terminal."""
    if "error" in row:
        return f"{row['entry']:24} {row['error']}"
    cells = {name: row["cells"][name] for name in asked_of(row["entry"], names)}
    failed = [f"{name}: {said(row, cell)}" for name, cell in cells.items() if not agrees(row, cell)]
    return f"{row['entry']:24} opset {row['opset']} IR {row['ir']}  {'; '.join(failed) or 'all agree'}"


def said(row: Row, cell: Mapping[str, Any]) -> str:
    """Return what stands in a cell."""
    if "beyond" in cell:
        return "—"
    if "slow" in cell:
        return f"> {cell['slow']} s"
    if "error" in cell:
        return reason_of(cell["error"])
    return f"{cell['difference']:.0e}" if agrees(row, cell) else f"**{cell['difference']:.0e}**"


def reason_of(error: str) -> str:
    """Return an error in a few words."""
    line = re.sub(r"/\\S*/", "", " ".join(error.split()))
    return line[:160].replace("|", "/")


def table(rows: Sequence[Row], names: Sequence[str]) -> str:
    """Return the file: the table, what is wrong, and how many cells agree."""
    lines = [TITLE, f"Written on {date.today().isoformat()}.", ""]
    lines += [f"| entry | opset | IR | {' | '.join(names)} |", f"| :-- | --: | --: |{' --: |' * len(names)}"]
    reasons: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row["entry"]):
        cells = []
        for name in names:
            if name not in asked_of(row["entry"], names):
                cells.append("")
                continue
            cell = row["cells"].get(name, {"error": row.get("error", "")})
            text = said(row, cell)
            cells.append(f"[{reasons.setdefault(text, len(reasons) + 1)}]" if "error" in cell else text)
        lines.append(f"| {row['entry']} | {row.get('opset', '')} | {row.get('ir', '')} | {' | '.join(cells)} |")
    lines += ["", *(f"[{number}] {reason}  " for reason, number in reasons.items())]
    for name in names:
        good, asked = score(rows, [name])
        lines.append(f"- {name}: {good} of {asked} agree.")
    good, asked = score(rows, names)
    return "\n".join(
        [*lines, "", f"{good} of {asked} cells that the runtimes' opsets allow agree ({good / asked:.1%}).", ""]
    )


if __name__ == "__main__":
    sys.exit(main())
