"""The way of an import, in a page: capture ─► lower ─► nest ─► fold ─► write ─► prove."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.analysis.costs import Costs
from netspec.diagnostics import SpecError, UsageError
from netspec.graph import Graph, Node, walk, walk_state
from netspec.importer.fold.fold import fold
from netspec.importer.fold.phrasing import phrase
from netspec.importer.imported import ImportedSpec
from netspec.importer.lower import lower
from netspec.importer.nest import nest
from netspec.importer.problems import guard_said, said
from netspec.importer.program import ForeignProgram
from netspec.importer.varying import keep_what_varies
from netspec.importer.write import write
from netspec.importer.write.class_names import snake_case

if TYPE_CHECKING:
    import torch
    from torch import nn

    from netspec.importer.prove import Proof

NARROW = ("uint8", "int8", "int16")
LONGEST_DOC = 110
"""The most letters of a sentence that says what a network is."""


def in_silence(doing: str) -> None:
    """Say nothing of what is being done."""


def from_torch(
    module: nn.Module,
    inputs: Mapping[str, Any],
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
    *,
    name: str | None = None,
    sizes: Mapping[str, int] | None = None,
    verify: bool = True,
    partial: bool = False,
    say: Callable[[str], None] = in_silence,
) -> ImportedSpec:
    """Import a module of PyTorch: ``from_torch(net, {"image": torch.randn(2, 3, 224, 224)}, {"image": {0: "N"}})``.

    ``inputs`` are examples of what ``forward`` takes, by the names of its parameters: tensors, and lists, tuples and
    dictionaries of them; what is no tensor stays as it is given. ``dynamic`` names the dimensions of each tensor that
    are symbolic, by their numbers; a tensor in a list or a dictionary goes by its path, ``states.0`` or ``batch.age``.
    Default: the first of each, as ``N``, where it is above 1. ``sizes`` are those that the spec quotes costs at;
    default: the examples', and one of ``N``. The network is traced in inference. ``name`` is that of the spec; default:
    the class's. With ``verify``, the spec's module is given the weights and compared with the original. With
    ``partial``, what has no counterpart becomes an ``opaque`` step, and nothing is compared. ``say`` is told what is
    being done. Raises ``UsageError`` with torch's reason where it cannot be exported, and with all that the language
    has no words for.
    """
    from netspec.importer.capture.constructors import named_numbers
    from netspec.importer.capture.inputs import paths_in_order

    shapes = dynamic if dynamic is not None else batched(inputs)
    say(f"torch.export reads {type(module).__name__}")
    exported = _exported(module, inputs, shapes)
    say(f"writing {type(module).__name__} as a spec")
    paths = paths_in_order(exported, module, inputs)
    traced: dict[str, int] = {}

    def program_of(rolls: bool) -> ForeignProgram:
        program = _read(exported, snake_case(name or type(module).__name__), shapes, paths)
        program.kind = f"{type(module).__module__}.{type(module).__qualname__}"
        program.doc = first_sentence(vars(type(module)).get("__doc__") or "")
        traced.clear()
        traced.update(program.sizes)
        program.sizes = quoted(traced, sizes)
        lower(program, rolls)
        program = _at_any_length(module, inputs, shapes, program, paths) if rolls else program
        program.numbers = named_numbers(module)
        traced.update((name, size) for name, size in program.sizes.items() if name not in traced)
        program.sizes = quoted(traced, sizes)
        return program

    def compare(spec: ImportedSpec) -> Proof:
        say(f"comparing the spec with {type(module).__name__}")
        return _held_against(spec, module, inputs, traced)

    weights = {key: value.detach() for key, value in module.state_dict().items()}
    spec = first_right(program_of, weights, partial, compare if verify else None)
    spec.notes += [*_fixed(spec.model.graph, shapes), *_narrow(inputs), *_only_in_training(module)]
    return spec


def _exported(
    module: nn.Module, inputs: Mapping[str, Any], shapes: Mapping[str, Mapping[int, str]]
) -> torch.export.ExportedProgram:
    from netspec.importer.capture.export import export_module
    from netspec.importer.capture.inputs import parameter_names
    from netspec.importer.trying import guard_runs, quiet

    try:
        with quiet():
            return export_module(module, inputs, shapes)
    except UsageError:
        if set(inputs) <= set(parameter_names(module)):
            guard_runs(module, inputs)  # its own reason is plainer, where it has one
        raise


def _held_against(spec: ImportedSpec, module: nn.Module, inputs: Mapping[str, Any], sizes: Mapping[str, int]) -> Proof:
    """Return the proof of a spec against the module that it is from."""
    from netspec.importer.capture.choices import plain_choices
    from netspec.importer.capture.inputs import called, with_tensors
    from netspec.importer.prove import prove

    with plain_choices(module):
        call = lambda given: called(module, with_tensors(inputs, given))  # noqa: E731
        return prove(spec.model.graph, spec.weights, call, sizes, module, module.parameters())


def quoted(traced: Mapping[str, int], sizes: Mapping[str, int] | None) -> dict[str, int]:
    """Return the sizes that a spec quotes costs at: those that are wanted, else those traced with, and one of ``N``."""
    return {key: (sizes or {}).get(key, 1 if key == "N" else size) for key, size in traced.items()}


def _at_any_length(
    module: nn.Module,
    inputs: Mapping[str, Any],
    shapes: Mapping[str, Mapping[int, str]],
    program: ForeignProgram,
    paths: Sequence[str],
) -> ForeignProgram:
    """Return the program for any size of the dimensions that loops fix, if there is one; else as it is."""
    from netspec.importer.capture.export import export_module
    from netspec.importer.capture.inputs import by_path, plain_name, with_tensors
    from netspec.importer.lower.rolled.lengths import at_any_length, fixed_lengths, resized
    from netspec.importer.trying import quiet

    fixed = fixed_lengths(program, shapes)

    def trace(lengths: Mapping[str, int]) -> ForeignProgram:
        given = {
            plain_name(path): resized(tensor, {at: lengths[name] for at, name in dims.items() if name in lengths})
            for path, tensor in by_path(inputs).items()
            if (dims := shapes.get(path))
        }
        with quiet():
            exported = export_module(module, with_tensors(inputs, given), shapes)
        return lower(_read(exported, program.name, shapes, paths))

    try:
        return (at_any_length(program, fixed, trace) if fixed else None) or program
    except UsageError:  # the module takes no other length
        return program


def from_exported(
    exported: torch.export.ExportedProgram, *, name: str = "network", verify: bool = True, partial: bool = False
) -> ImportedSpec:
    """Import a program that ``torch.export`` made: ``from_exported(torch.export.load("model.pt2"))``.

    Its symbolic dimensions are those that it was exported with. Raises ``UsageError`` as ``from_torch`` does.
    """
    from netspec.importer.capture.torch_program import symbols_of

    shapes = symbols_of(exported)
    traced: dict[str, int] = {}
    module = exported.module()

    def program_of(rolls: bool) -> ForeignProgram:
        program = _read(exported, snake_case(name), shapes)
        traced.update(program.sizes)
        program.sizes = quoted(traced, None)
        return lower(program, rolls)

    def compare(spec: ImportedSpec) -> Proof:
        from netspec.importer.prove import prove

        call = functools.partial(_call_exported, exported, module)
        return prove(spec.model.graph, spec.weights, call, traced, parameters=exported.parameters())

    weights = {key: value.detach() for key, value in exported.state_dict.items()}
    return first_right(program_of, weights, partial, compare if verify else None)


def _read(
    exported: torch.export.ExportedProgram,
    name: str,
    shapes: Mapping[str, Mapping[int, str]],
    inputs: Sequence[str] = (),
) -> ForeignProgram:
    """Return an exported program's calls. Raises ``UsageError`` for a size that no expression of a spec gives."""
    from netspec.importer.capture.sizes import UnknownFormula
    from netspec.importer.capture.torch_program import read_exported

    try:
        return read_exported(exported, name, shapes, inputs)
    except UnknownFormula as unknown:
        raise UsageError(f"{name} has a tensor with {unknown}, which no spec can write: fix that dimension") from None


def _call_exported(exported: torch.export.ExportedProgram, module: nn.Module, inputs: Mapping[str, Any]) -> Any:
    """Run an exported program, which takes as positional what it was exported with so."""
    values = list(inputs.items())
    count = len(exported.example_inputs[0]) if exported.example_inputs else len(values)
    return module(*(value for _, value in values[:count]), **dict(values[count:]))


def from_onnx(path: str | Path, *, name: str | None = None, verify: bool = True, partial: bool = False) -> ImportedSpec:
    """Import an ONNX file. It is data: nothing in it is run, but for its nodes on onnxruntime to compare.

    Weights have the keys that their names in the file tell, or else the paths of the nodes that read them, in torch's
    layout. Raises ``UsageError`` where the file is damaged, and with all that the language has no words for.
    """
    from netspec.importer.capture.onnx.widened import in_float32

    with in_float32(Path(path)) as (file, remarks):
        try:
            spec = _of_file(file, name, verify, partial)
        except SpecError:  # it lies in its notes about the levels that its nodes stand in
            spec = _of_file(file, name, verify, partial, notes=False)
    spec.notes += remarks
    return spec


def _of_file(path: Path, name: str | None, verify: bool, partial: bool, notes: bool = True) -> ImportedSpec:
    """Return the spec of an ONNX file, compared with it where onnxruntime takes it."""
    import torch

    from netspec.importer.capture.onnx import read_onnx
    from netspec.importer.on_onnxruntime import RefusedFile, session_of

    tried: dict[str, int] = {}
    weights: dict[str, torch.Tensor] = {}

    def program_of(rolls: bool) -> ForeignProgram:
        program = read_onnx(path, notes)
        program.name = snake_case(name or program.name)
        tried.update(program.sizes)
        program.sizes = quoted(tried, program.quoted)
        weights.update((key, torch.from_numpy(each.constant.copy())) for key, each in program.state.items())
        weights.update((key, weights[first]) for key, first in program.tied.items())
        return lower(program, rolls)

    def compare(spec: ImportedSpec) -> Proof:
        from netspec.importer.prove import prove

        return prove(spec.model.graph, spec.weights, session(), tried)

    session = functools.cache(lambda: session_of(path))
    try:
        return first_right(program_of, weights, partial, compare if verify else None)
    except RefusedFile as refused:
        spec = first_right(program_of, weights, partial, None)
        spec.notes.append(f"nothing was compared, as {refused}")
        return spec


def first_right(
    program_of: Callable[[bool], ForeignProgram],
    weights: Mapping[str, torch.Tensor],
    partial: bool,
    compare: Callable[[ImportedSpec], Proof] | None,
) -> ImportedSpec:
    """Return a spec that computes what the original does: with blocks and loops if that is one, else level by level,
    else with each iteration of its scans written out; the first that compiles, where none does.

    ``program_of`` returns the program of ops, whose loops are scans or not; what has no words is an ``opaque`` step in
    a ``partial`` spec. Raises ``UsageError`` with every step that no words say, and the last fault where none compiles.
    """
    program = program_of(True)
    guard_said(program, partial)
    told, fault = "with them, it would compute something else", Exception()
    ways: list[Callable[[], ImportedSpec]] = [
        lambda: spec_of(program, weights),
        lambda: spec_of(program, weights, without=told),
    ]
    if any(step.loop is not None for step in program.steps):
        ways.append(lambda: _written_out(spec_of(program_of(False), weights), told))
    made: list[ImportedSpec] = []
    for way in ways:
        try:
            spec = way()
        except Exception as reason:  # a text that is long is better than none
            told, fault = str(reason).splitlines()[0] if str(reason) else type(reason).__name__, reason
            continue
        if compare is None or spec.left_open:
            return spec
        spec.proof = compare(spec)
        spec.notes += spec.proof.notes
        if spec.proof.holds:
            return spec
        made.append(spec)
    if not made:
        raise fault
    return made[0]


def _written_out(spec: ImportedSpec, reason: str) -> ImportedSpec:
    """Return a spec with a note that its loops are no scans, and why."""
    spec.notes.append(f"each iteration of a loop is written out, as no scan could be found: {reason}")
    return spec


def spec_of(program: ForeignProgram, weights: Mapping[str, torch.Tensor], without: str = "") -> ImportedSpec:
    """Return the spec of a program of ops, level by level if it is ``without`` blocks and loops for a reason."""
    levels = nest(program)
    phrases = phrase(levels) if without else fold(levels)
    graph = ImportedSpec(program.name, write(phrases), weights).model.graph
    if not without:
        guard_keys(graph, weights)
        keep_what_varies(phrases)
    notes = [f"the text has no blocks and no loops, as they could not be found: {without}"] if without else []
    notes += [*program.notes, *empty_buffers(graph, weights)]
    cost = Costs(graph.sizes).of(graph.body)
    phrases.expect = {name: count for name, count in cost._asdict().items() if count}
    left_open = said(program) if program.problems else ""
    return ImportedSpec(program.name, write(phrases), weights, notes, left_open=left_open)


def empty_buffers(graph: Graph, weights: Mapping[str, torch.Tensor]) -> list[str]:
    """Return a note on the buffers whose numbers are too many for a text, so that only weights bring them."""
    found = [
        step.key(path.removesuffix(step.name), "")
        for path, step, _ in walk(graph.body)
        if isinstance(step, Node) and step.op.name == "buffer" and vars(step.op).get("value") is None
    ]
    empty = [key for key in dict.fromkeys(found) if key in weights and weights[key].any()]
    more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
    told = (
        f"{empty[0]}{more}: too many numbers for a text, so that these are zeros until weights are loaded"
        if empty
        else ""
    )
    return [told] if told else []


def guard_keys(graph: Graph, weights: Mapping[str, Any]) -> None:
    """Guard: every tensor of the network is one of the original, counters of batches apart. Raises ``UsageError``."""
    for key, shape in walk_state(graph.body):
        known = weights.get(key)
        if key.endswith("num_batches_tracked"):
            continue
        if known is None or tuple(known.shape) != tuple(shape):
            raise UsageError(f"the original has no tensor `{key}` of shape {list(shape)}")


def batched(inputs: Mapping[str, Any]) -> dict[str, dict[int, str]]:
    """Return the first dimension of every tensor as ``N``, if they are equal and no example that is taken for all."""
    from netspec.importer.capture.inputs import by_path

    tensors = {path: each for path, each in by_path(inputs).items() if hasattr(each, "shape") and len(each.shape)}
    sizes = {each.shape[0] for each in tensors.values()}
    return {path: {0: "N"} for path in tensors} if len(sizes) == 1 and sizes != {1} else {}


def first_sentence(docstring: str) -> str:
    """Return the sentence that a docstring begins with, if it is a plain and a short one."""
    first = " ".join(docstring.strip().split("\n\n")[0].split())
    sentence = re.match(r"[A-Z].*?\.(?= |$)", first)
    plain = sentence is not None and len(sentence[0]) <= LONGEST_DOC and not re.search(r"[`{}\[\]<>|*]|::", sentence[0])
    return sentence[0] if sentence is not None and plain else ""


def _fixed(graph: Graph, shapes: Mapping[str, Mapping[int, str]]) -> list[str]:
    """The dimensions that were to be symbolic, but that the module needs to have the example's size."""
    return [
        f"{wanted} of `{path}` is {size}: the module takes no other size"
        for path, by_number in shapes.items()
        if (tensor := graph.inputs.get(path.replace(".", "_"))) is not None
        for at, wanted in by_number.items()
        if isinstance(size := tensor.shape[at], int)
    ]


def _narrow(inputs: Mapping[str, Any]) -> list[str]:
    """Notes on inputs of integers that the language has not."""
    from netspec.importer.capture.inputs import by_path

    dtypes = {name: str(getattr(each, "dtype", "")).removeprefix("torch.") for name, each in by_path(inputs).items()}
    return [f"`{name}` is {dtype}, which the spec takes as int32" for name, dtype in dtypes.items() if dtype in NARROW]


def _only_in_training(module: nn.Module) -> list[str]:
    """A note on the modules whose name says that they leave out branches at random, but that do not do it as usual."""
    from netspec.importer.capture.stochastic_depth import drop_rates

    kept = drop_rates(module)
    found = [
        path
        for path, each in module.named_modules()
        if re.search(r"DropPath|StochasticDepth", type(each).__name__)
        and path not in kept
        and (getattr(each, "drop_prob", None) or getattr(each, "p", 0.0) or 0.0) > 0
    ]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return [f"{found[0]}{more}: stochastic depth acts in training alone; the spec leaves it out"] if found else []
