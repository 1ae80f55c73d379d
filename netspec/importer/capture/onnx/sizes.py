"""Sizes that a network can run at, for symbolic dimensions of which the file says nothing."""

from __future__ import annotations

from netspec.dims import Dim, evaluate
from netspec.importer.program import ForeignProgram, tensors_of

MOST_TIMES = 5
"""The most often that sizes are doubled."""


def enlarge_sizes(program: ForeignProgram) -> None:
    """Double the sizes of the symbolic dimensions, but for a batch's, until no tensor is empty."""
    shapes = {each.shape for step in program.steps for each in tensors_of(step.call.outputs)}
    symbolic = [size for shape in shapes for size in shape if isinstance(size, Dim)]
    batches = {each.shape[0] for each in program.inputs.values() if each.shape}
    sizes = dict(program.sizes)
    for _ in range(MOST_TIMES):
        if all(evaluate(size, sizes) > 0 for size in symbolic if size.symbols <= sizes.keys()):
            program.sizes = sizes
            return
        sizes = {name: size if Dim.symbol(name) in batches else 2 * size for name, size in sizes.items()}
