"""An exported program of torch as a ``ForeignProgram``: calls by the names of their schemas, sizes as netspec's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node

from netspec.diagnostics import UsageError
from netspec.importer.capture.constants import Constants
from netspec.importer.capture.inputs import plain_name
from netspec.importer.capture.sizes import FractionReader, SizeReader, UnknownFormula
from netspec.importer.capture.views import looks_at, written_back
from netspec.importer.program import ForeignProgram, ForeignStep, ModuleCall
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

SAME = frozenset("alias clone contiguous detach detach_ lift_fresh_copy lift_fresh _to_copy to type_as".split())  # noqa: SIM905
"""The operators that give their first argument again, unless its dtype changes."""
WRAPPERS = ("wrap_with_autocast", "wrap_with_set_grad_enabled")
"""The calls that run a graph of their own, in a state that a network in inference has anyway."""
CONTROL = {
    "cond": "chooses a branch while the network runs: choose it in Python, before",
    "while_loop": "loops until a condition holds: write a loop of Python over a fixed number of steps",
    "map_impl": "maps over a dimension: write a loop of Python over it, which becomes a `scan`",
    "scan": "scans a sequence: write a loop of Python over it, which becomes a `scan`",
}
"""The calls of torch's control flow, with what each does and what may stand in its place."""
SILENT = re.compile(r"_assert_\w+|sym_constrain_range\w*|_check\w*")
"""The operators that only check."""


def read_exported(
    exported: ExportedProgram, name: str, dims: Mapping[str, Mapping[int, str]], inputs: Sequence[str] = ()
) -> ForeignProgram:
    """Return the program of an exported one. ``dims`` names the symbolic dimensions of its inputs, which go by the
    paths ``inputs``; default: by torch's names.
    """
    return _ExportReader(exported, name, dims, inputs).read()


class _ExportReader:
    """Goes through the nodes once; ``tensors`` has what each node stands for by now."""

    def __init__(
        self, exported: ExportedProgram, name: str, dims: Mapping[str, Mapping[int, str]], inputs: Sequence[str]
    ):
        self.exported = exported
        given = zip(exported.graph.nodes, exported.graph_signature.input_specs)
        users = [node for node, spec in given if spec.kind is InputKind.USER_INPUT]
        self.paths = dict(zip(users, inputs or [str(node.target) for node in users]))
        self.constants = Constants()
        self.tensors: dict[Any, Any] = {}
        self.steps: list[ForeignStep] = []
        self.program = ForeignProgram(name, {}, {}, self.steps, {})
        self.dims = dims
        self.sizes = SizeReader({})

    def read(self) -> ForeignProgram:
        nodes = list(self.exported.graph.nodes)
        self._name_symbols(nodes)
        for spec, node in zip(self.exported.graph_signature.input_specs, nodes):
            self._placeholder(spec, node)
        self._run(nodes, self.exported.graph_module)
        self._outputs(nodes[-1])
        self.program.tied = tied_keys(self.exported.state_dict, self.program.state)
        return self.program

    def _run(self, nodes: list[Any], owner: torch.nn.Module) -> None:
        """Read the calls of a graph, whose inner graphs are parts of ``owner``."""
        for node in nodes:
            if node.op == "call_function":
                try:
                    self._call(node, owner)
                except UnknownFormula as fault:
                    place = place_of(node.meta.get("stack_trace") or "")
                    raise UsageError(f"{place or self.program.name}: {fault}") from fault

    def _name_symbols(self, nodes: list[Any]) -> None:
        """Give the symbols of torch the names that were asked for, where a dimension stayed symbolic."""
        names: dict[str, str] = {}
        sizes: dict[str, int] = {}
        placeholders = {path: node for node, path in self.paths.items()}
        for name, by_number in self.dims.items():
            node = placeholders.get(name)
            for at, wanted in by_number.items():
                size = node.meta["val"].shape[at] if node is not None else 0
                if isinstance(size, torch.SymInt) and size.node.expr.is_Symbol:
                    names.setdefault(size.node.expr.name, wanted)
                    sizes.setdefault(names[size.node.expr.name], int(size.node.hint))
        self.sizes = SizeReader(names)
        self.program.sizes = sizes

    def _placeholder(self, spec: Any, node: Any) -> None:
        value = node.meta.get("val")
        if spec.kind is InputKind.USER_INPUT:
            if isinstance(value, torch.Tensor):
                name = plain_name(self.paths[node])
                self.tensors[node] = self.program.inputs[name] = self._foreign(value)
            return
        if spec.kind is InputKind.CUSTOM_OBJ:
            raise UsageError(
                f"{self.program.name} holds an object of torch.classes, `{spec.target}`, which no spec can say"
            )
        known = spec.kind is InputKind.PARAMETER or (spec.kind is InputKind.BUFFER and spec.persistent)
        tensors = self.exported.state_dict if known else self.exported.constants
        if not known:
            self.constants.values[node] = tensors[spec.target]
            return
        tensor = self._foreign(value)
        tensor.key, tensor.learned = spec.target, spec.kind is InputKind.PARAMETER
        if not tensor.learned:
            tensor.constant = _numpy(tensors[spec.target])
        self.tensors[node] = self.program.state[spec.target] = tensor

    def _call(self, node: Any, owner: torch.nn.Module) -> None:
        if node.target.__class__.__name__ == "builtin_function_or_method" and node.target.__name__ == "getitem":
            self._item(node)
            return
        if not isinstance(node.target, torch._ops.OperatorBase) or isinstance(
            node.meta.get("val"), (torch.SymInt, int)
        ):
            return  # arithmetic on sizes, which every size that is read has in it already
        name = _operator(node)
        if name in WRAPPERS:
            self._inline(node, owner)
            return
        if name in CONTROL:
            inside = "".join(f" in {each.path}" for each in _scopes(node)[-1:])
            raise UsageError(f"{self.program.name}{inside}: `{name}` {CONTROL[name]}")
        if SILENT.fullmatch(name) or self.constants.compute(node):
            return
        arguments = dict(self._arguments(node))
        if name in SAME and self._gives_again(node, arguments):
            return
        inplace = _in_place(name)
        value = node.meta.get("val")
        several = isinstance(value, (tuple, list))
        outputs = tuple(map(self._foreign, value)) if several else (self._foreign(value),)
        call = ForeignCall(name.removesuffix("_") if inplace else name, arguments, outputs)
        self.steps.append(ForeignStep(call, _scopes(node), place_of(node.meta.get("stack_trace") or "")))
        self.tensors[node] = outputs if several else outputs[0]
        if inplace:
            self._changed(node.args[0], self.tensors[node], node)

    def _changed(self, node: Any, value: ForeignTensor, by: Any) -> None:
        """Let what is read of a node from here on be what it has become, and of what it is a view of, too."""
        self.tensors[node] = value
        source = looks_at(node)
        if source is None or source not in self.tensors:
            return
        if _in_place(_operator(node)):  # its result is its input itself
            self._changed(source, value, by)
            return
        call = written_back(_operator(node), dict(self._arguments(node)), self.tensors[source], value)
        if call is None:
            raise UsageError(f"{self.program.name} changes a view in place, which no spec can say: {by.format_node()}")
        self.steps.append(ForeignStep(call, _scopes(by), place_of(by.meta.get("stack_trace") or "")))
        (whole,) = call.outputs
        assert whole is not None
        self._changed(source, whole, by)

    def _inline(self, node: Any, owner: torch.nn.Module) -> None:
        """Read the graph that a wrapper runs, as if it stood in the place of the call."""
        at = next(at for at, each in enumerate(node.args) if isinstance(each, Node) and each.op == "get_attr")
        inner = owner.get_submodule(node.args[at].target)
        assert isinstance(inner, torch.fx.GraphModule)
        nodes = list(inner.graph.nodes)
        given = iter(node.args[at + 1 :])
        for placeholder in (each for each in nodes if each.op == "placeholder"):
            value = next(given)
            if isinstance(value, Node) and value in self.constants.values:
                self.constants.values[placeholder] = self.constants.values[value]
            elif isinstance(value, Node) and value in self.tensors:
                self.tensors[placeholder] = self.tensors[value]
        self._run(nodes, inner)
        self.tensors[node] = [self._value(each) for each in nodes[-1].args[0]]

    def _item(self, node: Any) -> None:
        source, at = node.args
        if source in self.constants.values:
            self.constants.values[node] = self.constants.values[source][at]
        else:
            self.tensors[node] = self.tensors[source][at]

    def _gives_again(self, node: Any, arguments: Mapping[str, Any]) -> bool:
        """Return whether a conversion changes nothing, in which case its output is its input."""
        source = next(iter(arguments.values()))
        value = node.meta["val"]
        if not isinstance(source, ForeignTensor) or source.dtype != _dtype(value.dtype):
            return False
        self.tensors[node] = source
        return True

    def _arguments(self, node: Any) -> Iterator[tuple[str, Any]]:
        """The arguments that are not the schema's defaults, by name."""
        schema = getattr(node.target, "_schema", None)
        declared = schema.arguments if schema is not None else ()
        for at, value in enumerate(node.args):
            argument = declared[at] if at < len(declared) else None
            known = self._value(value)
            if argument is None or isinstance(value, Node) or not _is_default(known, argument):
                yield (argument.name if argument is not None else f"argument{at}"), known
        for name, value in node.kwargs.items():
            if name not in ("device", "layout", "pin_memory", "memory_format"):
                yield name, self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, Node):
            return self._node(value)
        if isinstance(value, (list, tuple)):
            return [self._value(each) for each in value]
        if isinstance(value, torch.SymInt):
            return self.sizes.size(value)
        if isinstance(value, torch.dtype):
            return _dtype(value)
        return str(value) if isinstance(value, (torch.device, torch.layout, torch.memory_format)) else value

    def _node(self, node: Any) -> Any:
        if node in self.tensors:
            return self.tensors[node]
        if node in self.constants.values:
            value = self.constants.values[node]
            if not isinstance(value, torch.Tensor):
                return value
            self.tensors[node] = ForeignTensor(tuple(value.shape), _dtype(value.dtype), constant=_numpy(value))
            return self.tensors[node]
        value = node.meta["val"]
        if isinstance(value, torch.SymFloat):
            scopes, place = _scopes(node), place_of(node.meta.get("stack_trace") or "")
            fractions = FractionReader(self.sizes, lambda call: self.steps.append(ForeignStep(call, scopes, place)))
            self.tensors[node] = fractions.tensor(value)
            return self.tensors[node]
        return self.sizes.size(value)

    def _foreign(self, value: Any) -> ForeignTensor:
        shape = tuple(self.sizes.size(size) for size in value.shape)
        return ForeignTensor(shape, _dtype(value.dtype))

    def _outputs(self, node: Any) -> None:
        values = [self._value(each) for each in node.args[0]]
        for name, value in zip(output_names(self.exported, len(values)), values):
            if isinstance(value, ForeignTensor):
                self.program.outputs[f"{name}_out" if name in self.program.inputs else name] = value


def symbols_of(exported: ExportedProgram) -> dict[str, dict[int, str]]:
    """Return names for the symbolic dimensions of an exported program's inputs: ``N`` for a first one, then letters."""
    letters = iter("THWLSKMABCD")
    names: dict[str, str] = {}
    found: dict[str, dict[int, str]] = {}
    for node in exported.graph.nodes:
        value = node.meta.get("val")
        if node.op != "placeholder" or not isinstance(value, torch.Tensor):
            continue
        for at, size in enumerate(value.shape):
            if isinstance(size, torch.SymInt) and size.node.expr.is_Symbol:
                symbol = size.node.expr.name
                if symbol not in names:
                    names[symbol] = "N" if at == 0 and "N" not in names.values() else next(letters)
                found.setdefault(node.target, {})[at] = names[symbol]
    return found


def output_names(exported: ExportedProgram, count: int) -> list[str]:
    """Return names of the outputs: those that the module's dictionary or data class has, or numbers."""
    tree = exported.call_spec.out_spec
    if tree is None:
        return [f"output{at}" for at in range(count)]
    whole = torch.utils._pytree.tree_unflatten(range(count), tree)
    names = ["_".join(map(_key_text, path)) for path, _ in torch.utils._pytree.tree_flatten_with_path(whole)[0]]
    return [name if name.isidentifier() else f"output{'_' * bool(name) + name}" for name in names]


def _key_text(key: Any) -> str:
    """A step into a dictionary, a list or a data class, as part of a name."""
    return re.sub(r"\W+", "_", str(getattr(key, "key", getattr(key, "idx", key)))).strip("_")


def tied_keys(tensors: Mapping[str, torch.Tensor], known: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of a ``state_dict`` that name a tensor which another key, one of ``known``, names too."""
    first = {id(tensors[key]): key for key in known}
    return {key: first[id(tensor)] for key, tensor in tensors.items() if first.get(id(tensor), key) != key}


def _in_place(name: str) -> bool:
    """Return whether an operator changes its first argument: ``relu_``."""
    return name.endswith("_") and not name.endswith("__")


def _operator(node: Any) -> str:
    """The operator's name without its overload; with its namespace where that is not ATen's or the importer's own."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return str(node.target)
    space, _, name = schema.name.partition("::")
    return name if space in ("aten", "netspec") else f"{space}.{name}"


def _is_default(value: Any, argument: Any) -> bool:
    if not argument.has_default_value():
        return False
    default = argument.default_value
    same = value == default if not isinstance(value, ForeignTensor) else False
    return bool(same) and type(value) is type(default)


def _scopes(node: Any) -> tuple[ModuleCall, ...]:
    """The modules' calls that a node stands in, without the whole network's."""
    scopes = []
    for key, (path, kind) in (node.meta.get("nn_module_stack") or {}).items():
        turn = key.rpartition("@")[2] if "@" in key else "0"
        kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
        path = re.sub(r"^L\['self'\]\.?|@\d+$", "", path)
        if path:
            scopes.append(ModuleCall(path, kind, int(turn) if turn.isdigit() else 0))
    return tuple(scopes)


def place_of(trace: str) -> str:
    """Return the innermost line of a stack trace that is not torch's own: ``nets.py:31``."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', trace)
    own = [(file, line) for file, line in frames if not re.search(r"(^|/)torch/", file)] or frames[-1:]
    if not own:
        return ""
    file, line = own[-1]
    return f"{file.rpartition('site-packages/')[2]}:{line}"


NARROW = (torch.uint8, torch.int8, torch.int16)
"""The integers that the language has not; ``int32`` holds all of theirs."""


def _dtype(dtype: torch.dtype) -> str:
    return "int32" if dtype in NARROW else str(dtype).removeprefix("torch.")


def _numpy(tensor: torch.Tensor) -> Any:
    plain = tensor.detach().cpu()
    plain = plain.int() if plain.dtype in NARROW else plain
    return (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()
