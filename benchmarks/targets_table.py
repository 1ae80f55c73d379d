"""The tables of `targets.py`: what stands in a cell, what counts, and where a table stands in the file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from targets_judges import asked_of

Row = dict[str, Any]
RUNTIMES_TITLE = """\
# Runtimes that run the zoo

`python benchmarks/targets.py` writes this table. Each entry is the file of `netspec export`, in small where its family
can be, with weights from which something can be told. A number is the largest difference from PyTorch's outputs,
relative to the largest output, at up to three sizes of the symbolic dimensions; what exceeds 1e-4 and eight times what
single precision alone changes in PyTorch stands in bold. A runtime whose newest opset is older has a dash; one that
takes too long, as the reference evaluator may, is not counted.
"""


TOOLS_TITLE = """\
# Tools that take the zoo's files

`python benchmarks/targets.py --tools` writes this table: the same files, changed by a tool, and run on onnxruntime at
the same sizes (what onnx2torch makes, in PyTorch). `float16` is onnxconverter-common's, with float32 at both ends:
2e-2 is near enough. `dynamic-int8` and `static-int8` are onnxruntime's quantizers, the second behind
`quant_pre_process` with `auto_merge` and calibrated on the inputs of the first size: their outputs must be numbers of
the right shapes, and the difference is what eight bits leave of weights that were never trained. `opset-22` is onnx's
version converter.

onnxconverter-common leaves a Cast to float32 as it is, so it takes no network that counts positions or casts integers,
and gives float32 to what reads an output within the network: `netspec export --precision float16` writes both.
"""
BOUNDS = {"float16": 2e-2, "dynamic-int8": np.inf, "static-int8": np.inf}
"""The differences that are near enough beside those of single precision."""


def agrees(row: Row, name: str, cell: Mapping[str, Any]) -> bool:
    """Return whether a runtime's outputs are near enough to PyTorch's."""
    return "difference" in cell and bool(cell["difference"] <= max(row["tolerance"], BOUNDS.get(name, 0.0)))


def score(rows: Sequence[Row], names: Sequence[str]) -> tuple[int, int]:
    """Return how many cells agree, and how many there are that the runtime's opset allows."""
    cells = [
        (row, name, row["cells"].get(name, {"error": ""})) for row in rows for name in asked_of(row["entry"], names)
    ]
    asked = [each for each in cells if not {"beyond", "slow"} & each[2].keys()]
    return sum(agrees(*each) for each in asked), len(asked)


def line_of(row: Row, names: Sequence[str]) -> str:
    """Return an entry's line for the terminal."""
    if "error" in row:
        return f"{row['entry']:24} {row['error']}"
    cells = {name: row["cells"][name] for name in asked_of(row["entry"], names)}
    failed = [f"{name}: {said(row, name, cell)}" for name, cell in cells.items() if not agrees(row, name, cell)]
    return f"{row['entry']:24} opset {row['opset']} IR {row['ir']}  {'; '.join(failed) or 'all agree'}"


def said(row: Row, name: str, cell: Mapping[str, Any]) -> str:
    """Return what stands in a cell."""
    if "beyond" in cell:
        return "—"
    if "slow" in cell:
        return f"> {cell['slow']} s"
    if "error" in cell:
        return reason_of(cell["error"])
    return f"{cell['difference']:.0e}" if agrees(row, name, cell) else f"**{cell['difference']:.0e}**"


def reason_of(error: str) -> str:
    """Return an error in a few words."""
    line = re.sub(r"/\\S*/", "", " ".join(error.split()))
    return line[:160].replace("|", "/")


def put_table(path: Path, title: str, text: str) -> None:
    """Write a table into a file, in place of the one that has its title."""
    parts = re.split(r"(?m)^(?=# )", path.read_text()) if path.is_file() else []
    kept = {part.split("\n")[0]: part.strip() for part in parts if part.strip()}
    kept[title.split("\n")[0]] = text.strip()
    path.write_text("\n\n".join(kept.values()) + "\n")


def table(rows: Sequence[Row], names: Sequence[str], title: str) -> str:
    """Return the text: the table, what is wrong, and how many cells agree."""
    lines = [title, f"Written on {date.today().isoformat()}.", ""]
    lines += [f"| entry | opset | IR | {' | '.join(names)} |", f"| :-- | --: | --: |{' --: |' * len(names)}"]
    reasons: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row["entry"]):
        cells = []
        for name in names:
            if name not in asked_of(row["entry"], names):
                cells.append("")
                continue
            cell = row["cells"].get(name, {"error": row.get("error", "")})
            text = said(row, name, cell)
            cells.append(f"[{reasons.setdefault(text, len(reasons) + 1)}]" if "error" in cell else text)
        lines.append(f"| {row['entry']} | {row.get('opset', '')} | {row.get('ir', '')} | {' | '.join(cells)} |")
    lines += ["", *(f"[{number}] {reason}  " for reason, number in reasons.items())]
    for name in names:
        good, asked = score(rows, [name])
        lines.append(f"- {name}: {good} of {asked} agree.")
    good, asked = score(rows, names)
    return "\n".join([*lines, "", f"{good} of {asked} cells that are counted agree ({good / asked:.1%}).", ""])
