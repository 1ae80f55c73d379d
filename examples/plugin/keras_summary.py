"""A target from outside: a summary of the layers as Keras prints it.

PYTHONPATH=examples/plugin netspec emit keras lenet --plugin keras_summary
"""

from netspec import Model
from netspec.targets import Graph, target


@target("keras", "a summary of the layers as Keras prints it", file="summary.txt")
def summary(graph: Graph) -> str:
    """Return a line for each layer: its name and type, the shape of its output, its parameters."""
    table = Model(graph).shapes()
    lines = [f"{'Layer (type)':<32}{'Output Shape':<28}{'Param #':>10}", "=" * 70]
    for row in table:
        layer, shape = f"{row.path} ({row.op})", str((None, *row.outputs[0][1:]))
        lines.append(f"{layer:<32}{shape:<28}{row.params:>10,}")
    return "\n".join([*lines, "=" * 70, f"Total params: {table.params:,}"]) + "\n"
