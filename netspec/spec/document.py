"""The top of a file: parameters, variants, inputs, blocks, outputs, and the file as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, TypeVar

from netspec.dataclass import dataclass
from netspec.diagnostics import Report, Source, Span
from netspec.spec.parameters import Parameters, check_defaults
from netspec.spec.reading import (
    BLOCK_NAME,
    EMPTY,
    EXAMPLES,
    Entry,
    Flag,
    Form,
    Name,
    Text,
    Value,
    Written,
    fill,
    keyword,
    mapping_entries,
    misfit,
    named_by,
    one_of,
    read_form,
    read_list,
    read_name,
    read_text,
    read_version,
    reader,
)
from netspec.spec.steps import Body, Locals
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode


class OutputSpec(Form):
    """An output in its long form."""

    source: Annotated[Value, keyword("from")]
    """the step that gives it"""
    when: Annotated[str, reader(one_of("training"))] | None = None
    """`training`: only while training, as an auxiliary head"""
    test: Annotated[Value | None, keyword("if")] = None
    """the output exists only where this condition over parameters holds"""


def _read_output(key: ScalarNode, node: SyntaxNode, report: Report) -> OutputSpec | None:
    if isinstance(node, MapNode):
        return read_form(OutputSpec, node, report, f"the output `{key.text}`")
    return fill(OutputSpec, {"from": node}, report)


Outputs = Annotated[
    Mapping[str, OutputSpec], named_by(_read_output, "a mapping from output names to steps", "output_specs")
]


DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "bool")


class InputSpec(Form):
    """An input in its long form."""

    span: Span
    shape: Annotated[tuple[Written, ...], reader(read_list)]
    """its sizes: numbers, expressions, names of symbolic dimensions"""
    below: Value | None = None
    """whole numbers from 0 up to, not including, this: a vocabulary's size"""
    range: Value | None = None
    """the least and the largest of real numbers: `[0, 1]`; an export is verified on such"""
    dtype: Annotated[str, reader(one_of(*DTYPES))] = "float32"
    """the type of its elements"""
    optional: Flag = False
    """let the caller leave it out, as lengths or a mask"""


def _read_input(key: ScalarNode, node: SyntaxNode, report: Report) -> InputSpec | None:
    if isinstance(node, MapNode):
        return read_form(InputSpec, node, report, f"the input `{key.text}`", key.span)
    if isinstance(node, ListNode):
        return fill(InputSpec, {"span": key.span, "shape": node}, report)
    misfit(report, node, "a shape", "an input is a list of sizes: `image: [N, 3, 224, 224]`")
    return None


class DimSpec(Form):
    """A symbolic dimension in its long form."""

    span: Span
    default: Value
    """the size at which costs are quoted and examples are made"""
    min: Value | None = None
    """the least size; 0 for a dimension that may be empty, as of a cache"""
    max: Value | None = None
    """the largest size"""


def _read_dim(key: ScalarNode, node: SyntaxNode, report: Report) -> DimSpec | None:
    if isinstance(node, MapNode):
        return read_form(DimSpec, node, report, f"the dimension `{key.text}`", key.span)
    return fill(DimSpec, {"span": key.span, "default": node}, report)


class BlockSpec(Form):
    """A reusable part."""

    span: Span
    body: Body
    """the steps of the block"""
    params: Parameters = EMPTY
    """the parameters of the block; one without a default is `name: int`"""
    let: Locals = EMPTY
    """names for values, worked out in order from the parameters and `shape`, that of its first input"""
    inputs: Annotated[tuple[Written, ...], reader(read_list)] | None = None
    """the names of its inputs, `mask?` for one that a call may leave out; default: one, `input`"""
    outputs: Outputs | None = None
    """the outputs of the block; default: its last step"""
    require: Annotated[tuple[Written, ...], reader(read_list)] = ()
    """conditions on its parameters, and on `shape`, that of its first input, which every call must meet"""
    doc: Text | None = None
    """one line on what the block does"""

    is_imported: ClassVar[bool] = False
    # What linking adds: a block of another file sees none of this file's parameters.

    @property
    def formal(self) -> dict[str, bool]:
        """The names of its inputs, each with whether a call may leave it out (``mask?``)."""
        if self.inputs is None:
            return {"input": False}
        texts = [node.text for node in self.inputs if isinstance(node, ScalarNode)]
        return {text.removesuffix("?"): text.endswith("?") for text in texts}


def _read_block(key: ScalarNode, node: SyntaxNode, report: Report) -> BlockSpec | None:
    return read_form(BlockSpec, node, report, f"the block `{key.text}`", key.span)


def block_meant(blocks: Mapping[str, BlockSpec], name: str, around: str) -> str | None:
    """Return the whole name of a block that a step in the block ``around`` runs; ``None`` where there is none.

    Blocks with a prefix, as those of a file that is imported under one, call each other by their names without it.
    """
    prefix, dot, _ = around.rpartition(".")
    whole = f"{prefix}{dot}{name}"
    return whole if whole in blocks else None


class Expect(Form):
    """Facts that ``netspec check`` verifies."""

    params: Value | None = None
    """the number of parameters: a count (`61_706`, `12M`) or `{min, max}`"""
    weights: Value | None = None
    """the bytes that the parameters take as float32: `{max: 50MB}`"""
    macs: Value | None = None
    """the multiply-accumulates of one forward pass, at the sizes in `dims`"""
    outputs: (
        Annotated[Mapping[str, Written], named_by(lambda key, value, report: value, "a mapping from outputs to shapes")]
        | None
    ) = None
    """the shapes of the outputs"""


def _read_expect(node: SyntaxNode, report: Report) -> Expect | None:
    return read_form(Expect, node, report, "`expect`")


@dataclass(frozen=True, slots=True)
class Variant:
    """A named set of parameter values."""

    key: ScalarNode
    values: Mapping[str, Entry]
    expect: Expect | None
    doc: str | None


def _read_variant(key: ScalarNode, node: SyntaxNode, report: Report) -> Variant | None:
    if isinstance(node, ScalarNode) and node.value is None:
        return Variant(key, {}, None, None)
    if not isinstance(node, MapNode):
        misfit(report, node, "a mapping from parameters to values")
        return None
    values = {name.text: (name, value) for name, value in node.entries}
    _, expect = values.pop("expect", (None, None))
    _, doc = values.pop("doc", (None, None))
    return Variant(
        key,
        values,
        _read_expect(expect, report) if expect is not None else None,
        read_text(doc, report) if doc is not None else None,
    )


def _read_imports(node: SyntaxNode, report: Report) -> tuple[SyntaxNode, ...] | None:
    """Files, and mappings from prefixes to files."""
    items = (node,) if isinstance(node, MapNode) else read_list(node, report)
    prefixes = (key for item in items or () if isinstance(item, MapNode) for key, _ in item.entries)
    return None if [key for key in prefixes if read_name(key, report) is None] else items


class Spec(Form):
    """A whole file."""

    netspec: Annotated[int, reader(read_version)]
    """the version of the language: `1`"""
    name: Name
    """the name of the network, or of its family"""
    doc: Text = ""
    """one line: the paper, or what the network is for"""
    extends: Annotated[ScalarNode | None, reader(lambda node, report: node)] = None
    """another spec that this one changes: one of the zoo, a variant, or a file; what is not said is as it is there"""
    imports: Annotated[tuple[Written, ...], reader(_read_imports), keyword("import")] = ()
    """other spec files, whose blocks this one may call: a list, or a mapping from prefixes, `{layers: layers.yaml}`
    for `layers.attention`"""
    params: Parameters = EMPTY
    """the parameters of the family: `name: default`, or `{type, default, min, max, choices, doc}`"""
    let: Locals = EMPTY
    """names for values, worked out in order from the parameters and the symbolic dimensions"""
    require: Annotated[tuple[Written, ...], reader(read_list)] = ()
    """boolean expressions that must hold"""
    variants: Annotated[
        Mapping[str, Variant], named_by(_read_variant, "a mapping from variants to parameter values")
    ] = EMPTY
    """named sets of parameter values"""
    dims: Annotated[Mapping[str, DimSpec], named_by(_read_dim, "a mapping from dimensions to sizes")] = EMPTY
    """the sizes of symbolic dimensions at which costs are quoted"""
    inputs: Annotated[Mapping[str, InputSpec], named_by(_read_input, "a mapping from inputs to shapes")]
    """the inputs of the network: `image: [N, 3, H, W]`; a name that is no parameter is a symbolic dimension"""
    blocks: Annotated[
        Mapping[str, BlockSpec], named_by(_read_block, "a mapping from names to blocks", names=BLOCK_NAME)
    ] = EMPTY
    """reusable parts, called like ops"""
    networks: Annotated[
        Mapping[str, Written],
        named_by(lambda key, node, report: node, "a mapping from names to specs", "", "write `networks: {stem: {…}}`"),
    ] = EMPTY
    """other networks, each a spec of its own, which steps `use` by their names"""
    network: Body
    """the steps of the network"""
    outputs: Outputs | None = None
    """the outputs of the network: `logits: fc`; default: the last step, named `output`"""
    init: Annotated[
        tuple[Entry, ...],
        reader(lambda node, report: mapping_entries(node, report, "a mapping from parameters to functions")),
    ] = ()
    """initialisation rules: `conv2d.weight: {kaiming_normal: {mode: fan_out}}`"""
    expect: Annotated[Expect | None, reader(_read_expect)] = None
    """facts that `netspec check` verifies"""
    train: Value | None = None
    """how it is trained: `netspec train`"""

    uses: ClassVar[Mapping[tuple[Source, str], UsedSpec]] = EMPTY
    # What linking adds: the networks that steps run, by the text that names one and the name.


@dataclass(frozen=True, slots=True)
class UsedSpec:
    """A spec whose network is a step of another: the whole file, and the variant that its name means."""

    spec: Spec
    variant: str | None


def read_spec(node: SyntaxNode, report: Report) -> Spec | None:
    """The whole document. ``None`` where the report got anything; the caller raises it."""
    if not isinstance(node, MapNode):
        misfit(report, node, "a spec", "a spec starts with `netspec: 1`, `name:`, `inputs:` and `network:`")
        return None
    for key, empty in (("network", ListNode), ("inputs", MapNode)):
        value = node.get(key)
        if isinstance(value, empty) and not (value.items if isinstance(value, ListNode) else value.entries):
            what = "a step" if key == "network" else "an input"
            report.error("missing-key", f"`{key}` needs {what}", value.span, help=EXAMPLES[key])
    return _checked(read_form(Spec, node, report, "a spec"), report)


class Library(Spec):
    """A file that is imported: its blocks count, and it need not be a network."""

    name: Name = ""
    inputs: Annotated[Mapping[str, InputSpec], named_by(_read_input, "a mapping from inputs to shapes")] = EMPTY
    network: Body = ()


def read_library(node: SyntaxNode, report: Report) -> Library | None:
    """An imported document. ``None`` where the report got anything."""
    return _checked(read_form(Library, node, report, "a spec"), report)


File = TypeVar("File", bound=Spec)


def _checked(made: File | None, report: Report) -> File | None:
    """The document, unless the defaults of its parameters say what they cannot mean."""
    if made is None:
        return None
    faults = report.count
    check_defaults(made.params, made.params, report)
    for block in made.blocks.values():
        check_defaults(block.params, {**made.params, **block.params}, report)
    return made if report.count == faults else None
