"""Writes every zoo entry in float16 and holds it against PyTorch in float32: agreement, or the layer that overflows.

    python benchmarks/precision.py                   # the table of the whole zoo: PRECISION.md
    python benchmarks/precision.py lenet gpt2        # some entries, printed
    python benchmarks/precision.py --dtype bfloat16

An entry agrees where its outputs are within 1e-2 (bfloat16: 8e-2) of those in float32, max|Δ|/max|y|. Where it does
not, the first layer that overflows, or that adds most, is named with its line.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from netspec.elaborate.passes.sizes import quick_sizes
from netspec.emit.onnx.precision.half import Half
from netspec.emit.onnx.runtimes import OnnxForm
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.precision import bytes_of
from netspec.runtime.onnx.verify import verify_onnx

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
BOUNDS = {"float16": 1e-2, "bfloat16": 8e-2}


class Row(NamedTuple):
    """An entry: its bytes against those in float32, the difference of its outputs, and what there is to say."""

    name: str
    share: float
    difference: float
    agrees: bool
    told: str

    def line(self) -> str:
        """Return the row of the table."""
        mark = "agrees" if self.agrees else "named" if self.told else "**differs**"
        return f"| {self.name} | {self.share:.2f} | {self.difference:.1e} | {mark} | {self.told} |"


def measure(name: str, dtype: str, folder: Path) -> Row:
    """Return the row of an entry; the largest are made smaller, as the tests have them."""
    from importer.round_trip import smaller

    torch.manual_seed(0)
    graph = smaller(name).graph
    module = build_module(graph).eval()
    for parameter in module.parameters():
        if parameter.dim() > 1 and not parameter.any():  # a layer that starts at zero tells nothing
            torch.nn.init.normal_(parameter, std=0.02)
    form = OnnxForm(half=Half(dtype))
    small = export_onnx(graph, module, folder / "half.onnx", form=form)
    whole = export_onnx(graph, module, folder / "whole.onnx")
    share = bytes_of(small) / bytes_of(whole)
    parity = verify_onnx(graph, module, small, quick_sizes(graph)[:1], form)
    told = "" if parity.layer is None else parity.layer.told()
    if parity.is_rounding:
        told = told or "nothing but rounding is left of its outputs in float32, too"
    return Row(name, share, parity.worst, parity.worst <= BOUNDS[dtype], told)


def table(rows: list[Row], dtype: str) -> str:
    """Return the table as Markdown."""
    head = ["| entry | bytes | difference | verdict | first layer |", "| :-- | --: | --: | :-- | :-- |"]
    agree, named = sum(row.agrees for row in rows), sum(not row.agrees and bool(row.told) for row in rows)
    last = f"{len(rows)} entries in {dtype}: {agree} agree within {BOUNDS[dtype]:.0e}, {named} name a layer."
    return "\n".join([*head, *(row.line() for row in rows), "", last, ""])


def main() -> int:
    """Print the table; write it, where it is of the whole zoo."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", help="entries of the zoo (default: all)")
    options.add_argument("--dtype", choices=BOUNDS, default="float16")
    options.add_argument("-o", "--output", type=Path, help="the file for the table")
    given = options.parse_args()
    from zoo.networks import FORMS

    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        for name in given.names or FORMS:
            rows.append(measure(name, given.dtype, Path(folder)))
            print(rows[-1].line(), flush=True)
    print(table(rows, given.dtype).splitlines()[-1])
    if given.output:
        given.output.write_text(table(rows, given.dtype), encoding="utf-8")
    return 0 if all(row.agrees or row.told for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
