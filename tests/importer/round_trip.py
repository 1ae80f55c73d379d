"""A network of netspec's own there and back: its module, or its ONNX file, imported, must be its graph again.

What a step computes is told by a hash of its op, its arguments, its keys and the hashes of what it reads, so that equal
graphs are equal in whatever order their steps stand. Compared are the inputs and outputs, every op with its arguments
and what it reads, the keys of its tensors, and with them the levels. Left out is what no module tells:

- the names of steps without weights, and of levels without any;
- the order of the two sides of a sum or a product;
- the op that says a view: ``flatten``, ``unflatten``, ``reshape`` and the like are one where they give one shape;
- what acts in training alone: a module is read in inference, where noise and stochastic depth do nothing;
- what stands for an optional input that is left out, as all are given where a module is read;
- how a number is written that no input, no weight and no symbolic size decides: ``exp`` of a range may come back as
  the constant that it gives, so that such values are compared by their numbers;
- the numbers that a parameter starts with, which are not those of a trained one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import torch

import netspec
from netspec.dims import Dim, pretty, pretty_shape, symbols
from netspec.elaborate.state.requirements import holds
from netspec.graph import Call, Graph, Level, Node, Value
from netspec.graph.walk import walk_state
from netspec.importer.capture.inputs import parameter_names
from netspec.importer.imported import ImportedSpec
from netspec.ops import Op
from netspec.ops.tensors.noise import RandomNumbers
from netspec.pipeline import show_spec
from netspec.runtime.examples import example_inputs
from netspec.testing.pytorch import run_lines

UNKNOWN = ("doc", "variants", "train", "init", "netspec", "name")
"""The entries of a spec that no import can know, or that are the same in every file."""

ABSENT, NOTHING = 0, 1
"""The hashes of an input that is left out, and of zeros that are there in training alone."""
VIEWS = ("reshape", "flatten", "unflatten", "squeeze", "unsqueeze")
"""The ops that keep all elements in their order, so that the shapes alone say what they do."""
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


class Known(NamedTuple):
    """The values while a graph is walked: hashes of them all, and tensors of the constant ones."""

    hashes: dict[Value, int]
    constants: dict[Value, torch.Tensor]


class Work(NamedTuple):
    """A step that computes: what it is, and by hashes what it reads and gives."""

    path: str
    what: str
    reads: tuple[int, ...]
    gives: int
    parts: tuple[int, ...]
    ties: tuple[tuple[str, str], ...] = ()


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
    if apart := {*_tied(wanted)} ^ {*_tied(found)}:
        yield f"one tensor by other keys: {', '.join(sorted(min(apart, key=sorted)))}"
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


def _tied(works: list[Work]) -> list[frozenset[str]]:
    """The keys that name one tensor, of those that are read."""
    keys = {key for work in works for key in work.what.split("\n")[1:]}
    owners: dict[str, set[str]] = {}
    for key, owner in (tie for work in works for tie in work.ties):
        owners.setdefault(owner, {owner}).add(key)
    groups = [frozenset(group & keys) for group in owners.values()]
    return [group for group in groups if len(group) > 1]


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
    """All steps that an output needs in inference, in their order; an input that is left out is ``ABSENT``."""
    given = [value for name, value in graph.inputs.items() if name not in absent]
    known = Known({value: hash(("input", at)) for at, value in enumerate(given)}, {})
    known.hashes.update({value: ABSENT for name, value in graph.inputs.items() if name in absent})
    works: list[Work] = []
    _walk(graph.body, "", "", known, works)
    needed = {known.hashes[output.value] for output in graph.outputs.values() if not output.training}
    kept: list[Work] = []
    for work in reversed(works):
        if not needed.isdisjoint({work.gives, *work.parts}):
            kept.append(work)
            needed.update(work.reads)
    return kept[::-1]


def _walk(level: Level, path: str, keys: str, known: Known, works: list[Work]) -> None:
    at: dict[str, str] = {}
    for step in level.steps:
        if step.training:
            continue
        at[step.name] = at[step.shares] if step.shares in at else keys + _key(step)
        if isinstance(step, Call):
            _call(step, path + step.name, at[step.name], known, works)
        elif not (_passes_on(step, known) or _is_constant(step, known)):
            _node(step, path + step.name, keys, at[step.name], known, works)


def _passes_on(step: Node, known: Known) -> bool:
    """Note what a step gives that does nothing in inference, or to nothing; return whether it is such a one."""
    reads = [known.hashes[value] for value in step.inputs]
    rest = [each for each in reads if each != NOTHING]
    op = step.op
    nothing = op.name in ("multiply", "scale") and NOTHING in reads
    nothing |= op.name == "zeros" or getattr(op, "fill_value", None) == 0
    idle = op.name in ("scale", "shift") and {getattr(op, "factor", 1), getattr(op, "amount", 0)} == {1, 0}
    same = idle or op.name in ("identity", "stochastic_depth") or (op.name == "coalesce" and reads[0] != ABSENT)
    if nothing or (isinstance(op, RandomNumbers) and op.when == "training" and op.mean == 0):
        given = NOTHING
    elif op.name == "add" and NOTHING in reads and len(rest) == 1:
        given = rest[0]
    elif same or getattr(op, "p", None) == 0 or (op.name in VIEWS and step.outputs[0].tensor == step.inputs[0].tensor):
        given = reads[0]
    else:
        return False
    known.hashes[step.outputs[0]] = given
    return True


def _is_constant(step: Node, known: Known) -> bool:
    """Work out what a step gives, if that is the same for all inputs, weights and sizes; return whether it is."""
    fixed = all(isinstance(size, int) for value in step.outputs for size in value.shape)
    if step.state or step.op.has_module or step.op.is_random() or not fixed or symbols(_sizes_in(vars(step.op))):
        return False
    ports = step.inputs if step.op.variadic else step.ports or step.op.ports
    reads = [None if port in SIZES_ONLY else value for port, value in zip(ports, step.inputs)]
    if any(value is not None and value not in known.constants for value in reads):
        return False
    tensors = [None if value is None else value.tensor for value in reads]
    held = [None if value is None else known.constants[value] for value in reads]
    made = run_lines(step.op, None, tensors, held, range(len(step.outputs)))
    for value, tensor in zip(step.outputs, made):
        known.constants[value] = tensor
        numbers = [f"{number:.5g}" for number in tensor.flatten().tolist()]
        known.hashes[value] = hash(("constant", value.tensor, *numbers))
    return True


def _sizes_in(values: Any) -> Iterator[Any]:
    """The symbolic sizes among arguments."""
    for value in values.values() if isinstance(values, Mapping) else values:
        if isinstance(value, (list, tuple)):
            yield from _sizes_in(value)
        elif isinstance(value, Dim):
            yield value


def _key(step: Any) -> str:
    return getattr(step, "state_key", "") or step.name


def _call(step: Call, path: str, key: str, known: Known, works: list[Work]) -> None:
    body = step.body
    reads = tuple(known.hashes[value] for value in step.inputs)
    constants = {
        inner: known.constants[value] for inner, value in zip(body.inputs, step.inputs) if value in known.constants
    }
    if body.loop is None:
        inside = Known(dict(zip(body.inputs, reads)), constants)
        _walk(body, path + ".", key + ".", inside, works)
        known.hashes.update((value, inside.hashes[result]) for value, result in zip(step.outputs, body.outputs))
        known.constants.update(
            (value, inside.constants[result])
            for value, result in zip(step.outputs, body.outputs)
            if result in inside.constants
        )
        return
    inside = Known({value: hash(("scan", at)) for at, value in enumerate(body.inputs)}, {})
    steps: list[Work] = []
    _walk(body, path + ".", key + ".", inside, steps)
    loop = f"{body.loop.sequences} sequences, {body.loop.states} states, reverse={body.loop.reverse}"
    what = f"scan({loop})"
    results = tuple(inside.hashes[result] for result in body.outputs)
    whole = hash((what, reads, results))
    parts = tuple(hash((whole, at)) for at in range(len(step.outputs)))
    works += steps
    works.append(Work(path, what, (*reads, *results), whole, parts))
    known.hashes.update(zip(step.outputs, parts))


def _handed(constants: Mapping[Value, Any], given: Iterable[Value], taken: Iterable[Value]) -> dict[Value, Any]:
    """The constants on the other side of a level's border."""
    return {other: constants[value] for value, other in zip(given, taken) if value in constants}


def _arguments(op: Op) -> Iterator[tuple[str, Any]]:
    """Those that are not what they are by default, which for the stride of a pool is its size.

    The dropout of attention is left out: in inference, nothing tells of it. So are sizes that another tensor may tell:
    what the op gives has them.
    """
    told = ("size", "shape") if "like" in op.ports else ()
    if getattr(op, "dtype", None) is not None and not op.ports[1:]:  # the outputs have it
        told = (*told, "dtype")
    if op.name == "parameter":
        told = ("value", "shape")
        yield "shape", op.infer()[0].shape
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


def _node(step: Node, path: str, keys: str, key: str, known: Known, works: list[Work]) -> None:
    ports = step.ports or step.op.ports
    hashes = [known.hashes[value] for value in step.inputs]
    by_port = list(zip(ports, hashes)) if not step.op.variadic else [("", each) for each in hashes]
    by_port = [(port, each) for port, each in by_port if each != ABSENT and port not in SIZES_ONLY]
    reads = tuple(each for _, each in by_port)
    if step.op.name in ("add", "multiply"):
        reads = tuple(sorted(reads))
    names = [port for port, _ in by_port if step.ports]
    named = f" by {', '.join(names)}" if (*names,) != step.op.ports[: len(names)] else ""
    told = ", ".join(f"{name}={_number(value)}" for name, value in _arguments(step.op))
    op = f"{step.op.name}({told})" if step.op.name not in VIEWS else f"view({pretty_shape(step.outputs[0].shape)})"
    own = dict(step.keys)
    state = [keys + own[name] if name in own else f"{key}.{name}".strip(".") for name in step.state]
    what = "\n".join([f"{op}{named}", *state])
    whole = hash((what, reads))
    parts = tuple(hash((whole, at, value.tensor)) for at, value in enumerate(step.outputs))
    tied = dict(zip(step.state, state))
    works.append(Work(path, what, reads, whole, parts, tuple((tied[name], other) for name, other in step.ties)))
    known.hashes.update(zip(step.outputs, parts))
