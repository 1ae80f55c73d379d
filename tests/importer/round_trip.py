"""A network of netspec's own there and back: its module, or its ONNX file, imported, must be its graph again.

Steps need not have the names that they had, as a module tells none of what has no weights. All else must be equal: the
inputs and outputs, every op with its arguments and what it reads, the keys of its tensors, and with them the levels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import netspec
from netspec.dims import pretty, pretty_shape, symbols
from netspec.elaborate.state.requirements import holds
from netspec.graph import Call, Graph, Level, Node, Value
from netspec.graph.walk import walk_state
from netspec.importer.capture.export import parameter_names
from netspec.importer.imported import ImportedSpec
from netspec.ops import Op
from netspec.pipeline import show_spec
from netspec.runtime.examples import example_inputs

UNKNOWN = ("doc", "variants", "train", "init", "netspec", "name")
"""The entries of a spec that no import can know, or that are the same in every file."""

SIZES_ONLY = ("like",)
"""The ports that tell an op nothing but sizes, which a module's text may tell in another way."""
LLAMA = {"width": 64, "heads": 4, "groups": 2, "layers": 3, "hidden": 96, "vocab": 100}
SMALLER: Mapping[str, Mapping[str, Any]] = {
    "llama": LLAMA,
    "llama_cached": LLAMA,
    "mixtral": {**LLAMA, "experts": 4},
    "t5": {"vocab": 100, "layers": 2},
    "t5_v1_1_base": {"vocab": 100, "layers": 2},
    "gpt2": {"vocab": 100, "layers": 3},
    "bert": {"vocab": 100, "layers": 3},
    "clip": {"vocab": 100, "image_layers": 2, "text_layers": 3},
    "swin": {"depths": [2, 2, 4, 2]},
    "detr": {"depths": [1, 2, 1, 1], "layers": 2},
    "dlrm": {"rows": 50, "tables": 5},
    "self_attention_layer": {"heads": 2},
    "mamba": {"vocab": 100, "layers": 2, "width": 64},
}
"""Parameters that make a family's networks smaller, with all that they are made of."""


def smaller(name: str) -> netspec.Model:
    """Return a network of the zoo, of fewer layers and rows where it is large."""
    return netspec.load(name, **SMALLER.get(name, {}))


def module_and_back(model: netspec.Model) -> ImportedSpec:
    """Return the spec that comes of a network's module."""
    graph, module = model.graph, model.module()
    names = dict(zip(graph.inputs, parameter_names(module)))  # that of a `Sequential` is always `input`
    dynamic = {
        names[name]: {at: str(size) for at, size in enumerate(value.shape) if not isinstance(size, int)}
        for name, value in graph.inputs.items()
    }
    inputs = {names[name]: value for name, value in example_inputs(graph, traced_sizes(graph)).items()}
    inputs.pop("lengths", None)  # those of samples may be left out, and torch.export packs no batch
    return netspec.from_torch(module, inputs, dynamic, name=graph.name, sizes=graph.sizes, verify=False)


def file_and_back(model: netspec.Model, folder: Path) -> ImportedSpec:
    """Return the spec that comes of a network's ONNX file."""
    return netspec.from_onnx(model.export(folder / f"{model.name}.onnx"), name=model.name, verify=False)


def traced_sizes(graph: Graph) -> dict[str, int]:
    """Return sizes near the quoted ones, all above 1 and no two equal, as equal ones look like one to torch."""
    sizes = dict(graph.sizes)
    for name in sorted(symbols(size for value in graph.inputs.values() for size in value.shape)):
        taken = {size for other, size in sizes.items() if other != name} | {1}
        for more in range(257):
            tried = {**sizes, name: sizes[name] + more}
            if tried[name] not in taken and _allowed(graph, tried):
                sizes = tried
                break
    return sizes


def _allowed(graph: Graph, sizes: Mapping[str, int]) -> bool:
    return all(holds(each, sizes) for each in graph.requirements if not each.training)


def lines_of(text: str) -> int:
    """Count the lines of a spec that an import could have written: no blank ones, comments, variants or recipes."""
    count, skipped = 0, False
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line.startswith(" "):
            skipped = line.partition(":")[0] in UNKNOWN
        count += not skipped
    return count


def lines_of_zoo(name: str) -> int:
    """Count the lines of a zoo entry in the same way."""
    return lines_of(show_spec(name))


class Work(NamedTuple):
    """A step that computes: what it is, and by hashes what it reads and gives."""

    path: str
    what: str
    reads: tuple[int, ...]
    gives: int


def parting(original: Graph, imported: Graph) -> str:
    """Return where two graphs part, in a line; an empty one if they do not."""
    return next(_partings(original, imported), "")


def _partings(original: Graph, imported: Graph) -> Iterator[str]:
    absent = {"lengths"} - imported.inputs.keys()
    given = [(name, value) for name, value in original.inputs.items() if name not in absent]
    for pair, other in zip_longest(given, imported.inputs.values()):
        if pair is None or other is None:
            yield f"{len(given)} inputs came back as {len(imported.inputs)}"
            return
        name, value = pair
        if (value.shape, value.tensor.dtype) != (other.shape, other.tensor.dtype):
            yield f"input {name}: {pretty_shape(value.shape)} came back as {pretty_shape(other.shape)}"
    wanted, found = _works(original, absent), _works(imported)
    yield from _first_step(wanted, found)
    known = set(dict(walk_state(imported.body)).items())
    trained = {key for work in wanted for key in work.what.split("\n")[1:]}
    for key, shape in walk_state(original.body):
        if (key, shape) not in known and key in trained:
            yield f"key {key} {pretty_shape(shape)} is missing"
    results = [_result(original, name) for name, output in original.outputs.items() if not output.training]
    if len(results) != len(imported.outputs):
        yield f"{len(results)} outputs came back as {len(imported.outputs)}"
    if len(results) > 1:
        names = [name for name, output in original.outputs.items() if not output.training]
        if names != [*imported.outputs]:
            yield f"outputs {', '.join(names)} came back as {', '.join(imported.outputs)}"
    if original.body.macs != imported.body.macs:
        yield f"{pretty(original.body.macs)} MACs came back as {pretty(imported.body.macs)}"
    if len(wanted) != len(found):
        left = {work.gives for work in wanted}
        more = next((work for work in found if work.gives not in left), found[-1])
        yield f"{len(wanted)} steps came back as {len(found)}: {more.path} {_head(more)}"


def _first_step(wanted: list[Work], found: list[Work]) -> Iterator[str]:
    """The first step that did not come back, beside one that stands for it: of its key, or that reads the same."""
    by_gives = {work.gives for work in found}
    for work in wanted:
        if work.gives in by_gives:
            continue
        same = [each for each in found if each.reads == work.reads and each.reads]
        close = next((each for each in same if each.what.split("(")[0] == work.what.split("(")[0]), None)
        keyed = [each for each in found if "\n" in work.what and each.what.split("\n")[1:] == work.what.split("\n")[1:]]
        other = next(iter([*keyed, *([close] if close else []), *same]), None)
        if other is None:
            yield f"{work.path} {_head(work)}: nothing reads the same"
        elif other.what == work.what:
            yield f"{work.path} {_head(work)}: {other.path} reads others"
        else:
            yield f"{work.path} {_head(work)} came back as {other.path} {_head(other)}"


def _head(work: Work) -> str:
    return work.what.replace("\n", " ")[:150]


def _result(graph: Graph, name: str) -> Value:
    return graph.outputs[name].value


def _works(graph: Graph, absent: Collection[str] = ()) -> list[Work]:
    """All steps that run in inference, in their order; what is 0 stands for an input that is left out."""
    given = [value for name, value in graph.inputs.items() if name not in absent]
    known: dict[Value, int] = {value: hash(("input", at)) for at, value in enumerate(given)}
    known.update({value: 0 for name, value in graph.inputs.items() if name in absent})
    works: list[Work] = []
    _walk(graph.body, "", "", known, works)
    return works


def _walk(level: Level, path: str, keys: str, known: dict[Value, int], works: list[Work]) -> None:
    at: dict[str, str] = {}
    for step in level.steps:
        if step.training:
            continue
        at[step.name] = at[step.shares] if step.shares in at else keys + _key(step)
        if isinstance(step, Call):
            _call(step, path + step.name, at[step.name], known, works)
        elif step.op.name == "identity" or (step.op.name == "dropout" and getattr(step.op, "p", None) == 0):
            known[step.outputs[0]] = known[step.inputs[0]]
        else:
            _node(step, path + step.name, at[step.name], known, works)


def _key(step: Any) -> str:
    return getattr(step, "state_key", "") or step.name


def _call(step: Call, path: str, key: str, known: dict[Value, int], works: list[Work]) -> None:
    body = step.body
    if body.loop is None:
        inner = dict(zip(body.inputs, (known[value] for value in step.inputs)))
        _walk(body, path + ".", key + ".", inner, works)
        known.update((value, inner[result]) for value, result in zip(step.outputs, body.outputs))
        return
    reads = tuple(known[value] for value in step.inputs)
    inner = {value: hash(("scan", at)) for at, value in enumerate(body.inputs)}
    inside: list[Work] = []
    _walk(body, path + ".", key + ".", inner, inside)
    works += inside
    loop = f"{body.loop.sequences} sequences, {body.loop.states} states, reverse={body.loop.reverse}"
    what = f"scan({loop})"
    whole = hash((what, reads, tuple(inner[result] for result in body.outputs)))
    works.append(Work(path, what, reads, whole))
    known.update((value, hash((whole, at))) for at, value in enumerate(step.outputs))


def _arguments(op: Op) -> Iterator[tuple[str, Any]]:
    """Those that are not what they are by default, which for the stride of a pool is its size.

    The dropout of attention is left out: in inference, nothing tells of it. So are sizes that another tensor may tell:
    what the op gives has them.
    """
    told = ("size", "shape") if "like" in op.ports else ()
    for name, field in type(op).model_fields.items():
        if name in told or name == "dropout_p" or (op.name == "multihead_attention" and name == "dropout"):
            continue
        value = getattr(op, name)
        usual = getattr(op, "kernel_size", None) if name == "stride" and field.default is None else field.default
        if value not in (field.default, usual):
            yield name, value


def _number(value: Any) -> Any:
    """A whole number as such: ``2`` and ``2.0`` mean the same."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_number, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _node(step: Node, path: str, key: str, known: dict[Value, int], works: list[Work]) -> None:
    ports = step.ports or step.op.ports
    by_port = list(zip(ports, step.inputs)) if not step.op.variadic else [("", value) for value in step.inputs]
    reads = tuple(known[value] for port, value in by_port if known[value] and port not in SIZES_ONLY)
    if step.op.name in ("add", "multiply"):
        reads = tuple(sorted(reads))
    names = [port for port, value in by_port if known[value] and port not in SIZES_ONLY and step.ports]
    named = f" by {', '.join(names)}" if (*names,) != step.op.ports[: len(names)] else ""
    told = ", ".join(f"{name}={_number(value)}" for name, value in _arguments(step.op))
    state = [f"{key}.{name}" for name in step.state if name not in dict(step.ties)]
    what = "\n".join([f"{step.op.name}({told}){named}", *state])
    whole = hash((what, reads, step.ties))
    works.append(Work(path, what, reads, whole))
    known.update((value, hash((whole, at, value.tensor))) for at, value in enumerate(step.outputs))
