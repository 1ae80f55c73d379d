"""What stands at the top of a file: parameters, variants, inputs, blocks, outputs, and the file as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import Field

from netspec.diagnostics import Report, Span
from netspec.spec.parameters import Parameters, check_defaults
from netspec.spec.reading import (
    EXAMPLES,
    Entry,
    Flag,
    Form,
    Name,
    Text,
    Value,
    Written,
    fill,
    mapping_entries,
    misfit,
    named_by,
    one_of,
    read_form,
    read_list,
    read_text,
    read_version,
    reader,
)
from netspec.spec.steps import Body
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode

COLUMNS = "a mapping from inputs to columns of the data"


class OutputSpec(Form):
    """An output in its long form."""

    source: Value = Field(alias="from")
    when: Annotated[str, reader(one_of("training"))] | None = None
    test: Value | None = Field(default=None, alias="if")


def _read_output(key: ScalarNode, node: SyntaxNode, report: Report) -> OutputSpec | None:
    if isinstance(node, MapNode):
        return read_form(OutputSpec, node, report, f"the output `{key.text}`")
    return fill(OutputSpec, {"from": node}, report)


Outputs = Annotated[Mapping[str, OutputSpec], named_by(_read_output, "a mapping from output names to steps")]


DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "bool")


class InputSpec(Form):
    """An input in its long form."""

    span: Span
    shape: Annotated[tuple[Written, ...], reader(read_list)]
    below: Value | None = None
    range: Value | None = None
    dtype: Annotated[str, reader(one_of(*DTYPES))] = "float32"
    optional: Flag = False


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
    min: Value | None = None
    max: Value | None = None


def _read_dim(key: ScalarNode, node: SyntaxNode, report: Report) -> DimSpec | None:
    if isinstance(node, MapNode):
        return read_form(DimSpec, node, report, f"the dimension `{key.text}`", key.span)
    return fill(DimSpec, {"span": key.span, "default": node}, report)


class BlockSpec(Form):
    """A reusable part."""

    span: Span
    body: Body
    params: Parameters = Field(default_factory=dict)
    inputs: Annotated[tuple[Written, ...], reader(read_list)] | None = None
    outputs: Outputs | None = None
    require: Annotated[tuple[Written, ...], reader(read_list)] = ()
    doc: Text | None = None

    @property
    def formal(self) -> dict[str, bool]:
        """The names of its inputs, each with whether a call may leave it out (``mask?``)."""
        if self.inputs is None:
            return {"input": False}
        texts = [node.text for node in self.inputs if isinstance(node, ScalarNode)]
        return {text.removesuffix("?"): text.endswith("?") for text in texts}


def _read_block(key: ScalarNode, node: SyntaxNode, report: Report) -> BlockSpec | None:
    return read_form(BlockSpec, node, report, f"the block `{key.text}`", key.span)


class Expect(Form):
    """Facts that ``netspec check`` verifies."""

    params: Value | None = None
    weights: Value | None = None
    macs: Value | None = None
    outputs: (
        Annotated[Mapping[str, Written], named_by(lambda key, value, report: value, "a mapping from outputs to shapes")]
        | None
    ) = None


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


class Spec(Form):
    """A whole file."""

    netspec: Annotated[int, reader(read_version)]
    name: Name
    doc: Text = ""
    imports: Annotated[tuple[Written, ...], reader(read_list)] = Field(default=(), alias="import")
    params: Parameters = Field(default_factory=dict)
    require: Annotated[tuple[Written, ...], reader(read_list)] = ()
    variants: Annotated[
        Mapping[str, Variant], named_by(_read_variant, "a mapping from variants to parameter values")
    ] = Field(default_factory=dict)
    dims: Annotated[Mapping[str, DimSpec], named_by(_read_dim, "a mapping from dimensions to sizes")] = Field(
        default_factory=dict
    )
    inputs: Annotated[Mapping[str, InputSpec], named_by(_read_input, "a mapping from inputs to shapes")]
    blocks: Annotated[Mapping[str, BlockSpec], named_by(_read_block, "a mapping from names to blocks")] = Field(
        default_factory=dict
    )
    network: Body
    outputs: Outputs | None = None
    init: Annotated[
        tuple[Entry, ...],
        reader(lambda node, report: mapping_entries(node, report, "a mapping from parameters to functions")),
    ] = ()
    expect: Annotated[Expect | None, reader(_read_expect)] = None
    train: Value | None = None


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
    inputs: Annotated[Mapping[str, InputSpec], named_by(_read_input, "a mapping from inputs to shapes")] = Field(
        default_factory=dict
    )
    network: Body = ()


def read_library(node: SyntaxNode, report: Report) -> Library | None:
    """An imported document. ``None`` where the report got anything."""
    return _checked(read_form(Library, node, report, "a spec"), report)


class TrainSpec(Form):
    """How the network is trained. Its values wait for the parameters: ``elaborate`` reads them."""

    span: Span
    data: Value
    inputs: Annotated[Mapping[str, str], named_by(lambda key, node, report: read_text(node, report), COLUMNS)] = Field(
        default_factory=dict
    )
    prepare: Value | None = None
    augment: Value | None = None
    loss: Value
    metrics: Value | None = None
    optimizer: Value
    weight_decay: Value | None = None
    schedule: Value | None = None
    epochs: Value | None = None
    steps: Value | None = None
    batch: Value | None = None
    drop_last: Value | None = None
    group_by_length: Value | None = None
    accumulate: Value | None = None
    clip: Value | None = None
    early_stopping: Value | None = None
    validation: Value | None = None
    folds: Value | None = None
    evaluate_train: Value | None = None
    init: Value | None = None
    precision: Value | None = None
    compile: Value | None = None
    channels_last: Value | None = None
    devices: Value | None = None
    strategy: Value | None = None
    workers: Value | None = None
    seed: Value | None = None
    checkpoint: Value | None = None
    tensorboard: Value | None = None
    published: Annotated[
        Mapping[str, Written], named_by(lambda key, node, report: node, "a mapping from metrics to numbers")
    ] = Field(default_factory=dict)


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
