"""Writes every zoo entry in float16 and holds it against PyTorch in float32: agreement, or the layer that overflows.

    python benchmarks/precision.py                   # the table of the whole zoo: PRECISION.md
    python benchmarks/precision.py lenet gpt2        # some entries, printed
    python benchmarks/precision.py --dtype bfloat16

An entry agrees where its outputs are within 1e-2 (bfloat16: 8e-2) of those in float32, max|Δ|/max|y|. Where it does
not, the first layer that overflows is named with its line. Deep networks whose batch norms have not seen data amplify
rounding, in PyTorch's `module.half()` as in the file, so one that neither agrees nor overflows is measured once more
with batch norms fitted to what passes through them, as those of a trained network are; and if that differs, too, with
as few layers in float32 as `--agree` finds to be needed.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from netspec.elaborate.passes.sizes import quick_sizes
from netspec.emit.onnx.precision.half import Half
from netspec.emit.onnx.runtimes import OnnxForm
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx, size_of
from netspec.runtime.onnx.parity import Parity, largest_difference
from netspec.runtime.onnx.verify import verify_onnx
from netspec.runtime.precision.budget import half_within, layers_in_half
from netspec.runtime.probing import probing_copy

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
BOUNDS = {"float16": 1e-2, "bfloat16": 8e-2}
TITLE = """\
# The zoo in 16 bits

`python benchmarks/precision.py -o benchmarks/PRECISION.md` writes this file. *bytes* is the size of the file against
that in float32; *difference* how far its outputs are from PyTorch's in float32, relative to the largest, with random
weights. Where those neither agree nor overflow, batch norms are fitted to what passes through them, as in training;
where that differs, too, `--agree` leaves as few layers in float32 as will do.
"""


class Row(NamedTuple):
    """An entry: its bytes against those in float32, the difference of its outputs, and what there is to say."""

    name: str
    share: float
    difference: float
    verdict: str
    told: str = ""

    def line(self) -> str:
        """Return the row of the table."""
        return f"| {self.name} | {self.share:.2f} | {self.difference:.1e} | {self.verdict} | {self.told} |"


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
    share = size_of(small) / size_of(whole)
    parity = verify_onnx(graph, module, small, quick_sizes(graph)[:1], form)
    if parity.worst <= BOUNDS[dtype]:
        return Row(name, share, parity.worst, "agrees")
    if parity.layer is not None and parity.layer.fault:
        return Row(name, share, parity.worst, "overflows", parity.layer.told())
    fitted = probing_copy(graph, module)
    again = verify_onnx(graph, fitted, export_onnx(graph, fitted, small, form=form), quick_sizes(graph)[:1], form)
    told = f"batch norms fitted: without, {parity.worst:.1e}, and PyTorch's module in {dtype} "
    told += f"{difference_of_torch(parity, dtype):.1e}"
    if again.worst <= BOUNDS[dtype]:
        return Row(name, share, again.worst, "agrees", told)
    form = half_within(graph, fitted, form, BOUNDS[dtype])
    assert form.half is not None
    share = size_of(export_onnx(graph, fitted, small, form=form)) / size_of(whole)
    last = verify_onnx(graph, fitted, small, quick_sizes(graph)[:1], form)
    able = len(layers_in_half(graph, Half(dtype)))
    told = f"{len(form.half.keep)} of {able} layers in float32 by `--agree`: without, {again.worst:.1e}, {told}"
    return Row(name, share, last.worst, "agrees" if last.worst <= BOUNDS[dtype] else "**differs**", told)


def difference_of_torch(parity: Parity, dtype: str) -> float:
    """Return how far PyTorch's own module in a precision is from that in float32, for what was compared."""
    reference, (compared,) = parity.reference, parity.comparisons
    module = copy.deepcopy(reference.module).to(getattr(torch, dtype))
    inputs = reference.inputs(compared.sizes)
    return largest_difference(reference.outputs(compared.sizes), reference.run(module, inputs))


def table(rows: list[Row], dtype: str) -> str:
    """Return the table as Markdown."""
    head = ["| entry | bytes | difference | verdict | why |", "| :-- | --: | --: | :-- | :-- |"]
    counted = Counter(row.verdict for row in rows)
    told = (
        f"{len(rows)} entries in {dtype}: {counted['agrees']} agree within {BOUNDS[dtype]:.0e}, and of "
        f"{counted['overflows']} the first layer that overflows is named."
    )
    return "\n".join([TITLE, *head, *(row.line() for row in rows), "", told, ""])


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
    return 0 if not any("differs" in row.verdict for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
