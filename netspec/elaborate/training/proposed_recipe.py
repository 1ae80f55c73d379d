"""A recipe for a network that has none, of what its inputs and outputs tell."""

from __future__ import annotations

from pathlib import Path

from netspec import zoo
from netspec.dims import Shape, Size, evaluate
from netspec.elaborate.training.data_sizes import misfit
from netspec.graph import Graph, Value
from netspec.recipes import Column, ingredients
from netspec.recipes.losses import Loss
from netspec.text.quoting import shell

LENGTH = 64
"""The most words of a window of text that is proposed."""
BUILT_IN = ("mnist", "digits", "breast_cancer", "diabetes")


def how_to_train(graph: Graph) -> str:
    """Return the repair of a spec without a recipe, which names one that fits the network."""
    data, loss = proposed(graph)
    optimizer = "adamw" if data.startswith("{text") else "adam"
    recipe = f"`train: {{data: {data}, loss: {loss}, optimizer: {optimizer}, epochs: 10}}`"
    own = ", with the file and the names of your own" if data not in BUILT_IN else ""
    if zoo.holds(Path(graph.spec)):
        copy = shell(["netspec", "show", graph.name])
        return f"take a copy, `{copy} > my.yaml`, and add {recipe}{own}"
    return f"add {recipe}{own}"


def proposed(graph: Graph) -> tuple[str, str]:
    """Return the data and the loss of a recipe that fits a network, as YAML has them."""
    output = next(each.value for each in graph.outputs.values() if not each.training)
    names = [name for name, value in graph.inputs.items() if not graph.inputs[name].optional]
    name, value = names[0], graph.inputs[names[0]]
    real, rank, last = value.tensor.dtype.startswith("float"), len(value.shape), output.shape[-1]
    if len(names) > 1:
        return arrays(output)
    for data in BUILT_IN:
        if (loss := fitting(data, name, value, output)) is not None:
            return data, loss
    if real and rank == 4 and len(output.shape) == 2 and value.shape[1] in (1, 3):
        size = number(value.shape[-1], graph)
        grey = ", grey: true" if value.shape[1] == 1 else ""
        return f"{{images: {{path: photos, size: {size}{grey}}}}}", "cross_entropy"
    if real and rank == 2 and len(output.shape) == 2:
        classes = ", classes: true" if last != 1 else ""
        return f"{{csv: {{path: table.csv, target: NAME{classes}}}}}", "cross_entropy" if classes else "mse"
    words = graph.input_ranges[name].below if name in graph.input_ranges else last
    if not real and rank == 2 and len(output.shape) == 3 and last == words:
        length = min(LENGTH, number(value.shape[1], graph))
        return f"{{text: {{path: book.txt, length: {length}}}}}", "cross_entropy"
    return arrays(output)


def fitting(data: str, name: str, value: Value, output: Value) -> str | None:
    """Return a loss with which a data set that comes with netspec fits a network; ``None`` where it does not."""
    columns = ingredients("data")[data]().columns() or {}  # type: ignore[attr-defined]
    column, target = columns.values()
    if misfit(value, column) is not None or isinstance(value.shape[-1], int) is False:
        return None
    loss: Loss = ingredients("loss")["cross_entropy" if target.classes else "mse"]()  # type: ignore[assignment]
    fits = loss.misfit(output.tensor, Column(target.shape, target.dtype, target.classes, target=True)) is None
    return loss.name if fits else None


def arrays(output: Value) -> tuple[str, str]:
    """Return the data of a network that no file of another kind fits: arrays, called as the inputs are."""
    shape: Shape = output.shape
    classes = len(shape) in (2, 4) and isinstance(size := shape[1], int) and size > 1
    return "{npz: {path: arrays.npz, target: NAME}}", "cross_entropy" if classes else "mse"


def number(size: Size, graph: Graph) -> int:
    """Return a size as a number, at those that costs are quoted at."""
    return size if isinstance(size, int) else evaluate(size, graph.sizes)
