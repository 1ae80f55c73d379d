"""Hover: what the word under the cursor means, and what the step there was built as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PureWindowsPath

from netspec.analysis.costs import Costs
from netspec.dims import pretty_shape
from netspec.elaborate.steps import STRUCTURES
from netspec.lsp.document import Document, Instance
from netspec.lsp.mention import Block, Mention
from netspec.lsp.networks import other_network
from netspec.lsp.words import word_at
from netspec.ops import OPS
from netspec.recipes import ingredients
from netspec.reference.sources.forms import call_keys, form_keys
from netspec.reference.sources.ingredients import ingredient_arguments
from netspec.reference.sources.ops import described_arguments
from netspec.reference.word import WordArgument
from netspec.text.docstrings import documentation
from netspec.text.quoting import code, markdown


def hover(document: Document, line: int, column: int) -> str | None:
    """Return Markdown on the word at a place (counted from 1), or on the step of its line; ``None`` for neither."""
    mention = document.outline.at(line, column) if document.read else None
    if mention is not None:
        text = describe(document, mention, line, column)
        if text:
            return text
    steps = document.outline.steps_on(line) if document.read else []
    return describe(document, steps[0], line, column) if steps else None


def describe(document: Document, mention: Mention, line: int, column: int) -> str | None:
    match mention.role:
        case "step":
            return _join(_step_doc(document, mention.word), built_text(document, mention))
        case "argument":
            return _argument(document, mention)
        case "key" if mention.form is not None:
            key = form_keys(mention.form).get(mention.word)
            return f"`{mention.word}`: {key.doc}" if key is not None and key.doc else None
        case "ingredient":
            return _ingredient(mention)
        case "network":
            return _network(document, mention.word)
        case "variant" | "inner":
            return _inside(document, mention)
        case "parameter" if mention.owner:
            return _inside(document, mention)
        case "reference":
            return _reference(document, mention)
        case "expression" | "parameter":
            word = word_at(document.source.line(line), column - 1)
            return _value(document, mention, word) if word else None
        case "definition":
            block = document.blocks.get(mention.word) if mention.owner == "blocks" else None
            return _block_doc(block) if block is not None else None
    return None


def _join(*parts: str | None) -> str | None:
    return "\n\n".join(part for part in parts if part) or None


def _step_doc(document: Document, word: str) -> str | None:
    if word in OPS:
        return f"**{word}** · {documentation(OPS[word])}\n\n{arguments_text(described_arguments(OPS[word]))}".rstrip()
    if word in STRUCTURES:
        return f"**{word}** · {documentation(STRUCTURES[word])}"
    block = document.blocks.get(word)
    return _block_doc(block) if block is not None else None


def arguments_text(arguments: Mapping[str, WordArgument]) -> str:
    """Return a line of Markdown for each argument."""
    return "\n".join(f"- `{name}` ({needed(argument)}): {argument.doc}" for name, argument in arguments.items())


def needed(argument: WordArgument) -> str:
    """Return `required`, or an argument's default, as Markdown."""
    return "required" if argument.required else f"default `{argument.default or 'null'}`"


def _block_doc(block: Block) -> str:
    params = "".join(f"\n- {_parameter_doc(block, name)}" for name in block.params)
    return (
        f"**{block.name}**, a block"
        + (f" · {markdown(block.doc)}" if block.doc else "")
        + (f"\n{params}" if params else "")
    )


def _parameter_doc(block: Block, name: str) -> str:
    meaning = block.meanings.get(name)
    return f"`{name}`: {markdown(block.params[name][1])}" + (f" · {markdown(meaning)}" if meaning else "")


def _argument(document: Document, mention: Mention) -> str | None:
    owner, word = mention.owner, mention.word
    if word in call_keys():
        return f"`{word}`: {call_keys()[word].doc}"
    if owner in OPS and word in OPS[owner].model_fields:
        argument = described_arguments(OPS[owner])[word]
        return f"`{word}` of `{owner}` ({needed(argument)}): {argument.doc}"
    block = document.blocks.get(owner)
    if block is not None and word in block.params:
        return f"{_parameter_doc(block, word)} (a parameter of `{owner}`)"
    return None


def _ingredient(mention: Mention) -> str | None:
    """Return the documentation of an ingredient of training, or of an argument of one."""
    known = ingredients(mention.kind) if mention.kind is not None else {}
    kind = known.get(mention.owner or mention.word)
    if kind is None:
        return None
    arguments = ingredient_arguments(kind)
    if not mention.owner:
        return f"**{mention.word}** · {documentation(kind)}\n\n{arguments_text(arguments)}".rstrip()
    argument = arguments.get(mention.word)
    if argument is None:
        return None
    return f"`{mention.word}` of `{mention.owner}` ({needed(argument)}): {argument.doc}"


def _value(document: Document, mention: Mention, word: str) -> str | None:
    if word in document.outline.params and mention.scope.value(word) == document.outline.params[word][0]:
        built = document.built
        text = f"`{word}`, a parameter of the spec: {code(document.outline.params[word][1])}"
        if built is not None and word in built.graph.parameters:
            text += f"; here {code(str(built.graph.parameters[word]))}"
        return text
    declared = mention.scope.value(word)
    if declared is not None:
        return f"`{word}`, declared in line {declared.line}"
    block = document.blocks.get(word)
    return _block_doc(block) if block is not None else None


def _reference(document: Document, mention: Mention) -> str | None:
    name = mention.word
    declared = mention.scope.at(name)
    if declared is None:
        return "`prev`: the step before this one" if name == "prev" else None
    for step in document.outline.steps_on(declared.line):
        text = built_text(document, step)
        if text:
            return f"`{name}`, line {declared.line}\n\n{text}"
    return f"`{name}`, line {declared.line}"


def _network(document: Document, name: str) -> str | None:
    """Return the documentation of another network, with its parameters and variants."""
    other = other_network(document.source, name, document.outline.networks)
    if other is None:
        return None
    params = [f"- `{name}`: {markdown(default)}" for name, (_, default) in other.outline.params.items()]
    variants = ", ".join(f"`{name}`" for name in other.outline.variants)
    title = f"**{markdown(other.title)}**, a network" + (f" · {markdown(other.doc)}" if other.doc else "")
    return _join(title, "\n".join(params), f"variants: {variants}" if variants else None)


def _inside(document: Document, mention: Mention) -> str | None:
    """Return where a word of another network stands; of a parameter its default, too."""
    other = other_network(document.source, mention.owner, document.outline.networks)
    if other is None:
        return None
    inside, word = other.outline, mention.word
    if mention.role == "parameter":
        default = inside.params.get(word)
        return f"`{word}`, a parameter of `{other.title}`: {code(default[1])}" if default else None
    found = inside.variants.get(word) if mention.role == "variant" else None
    found = found or other.place(word)
    if found is None:
        return None
    return f"`{word}` of `{other.title}`, {PureWindowsPath(found.source.name).name}, line {found.line}"


def built_text(document: Document, mention: Mention) -> str | None:
    """Return the shapes, parameters and MACs that a step was built with, for the first of its instances."""
    then = document.line_then(mention.span.line)
    if document.built is None or then is None:
        return None
    variant, instances = document.built.at((then, mention.span.column))
    if not instances:
        return None
    graph = document.built.graphs[variant]
    first = instances[0]
    cost = Costs(graph.sizes).of(first.step, first.executions)
    shapes = f"{_shapes([value.shape for value in first.step.inputs])} → "
    shapes += _shapes([value.shape for value in first.step.outputs])
    sizes = ", ".join(f"{name} = {size}" for name, size in graph.sizes.items())
    macs = f"{cost.macs:,} MACs" + (f" at {sizes}" if sizes and cost.macs else "")
    return f"{shapes}\n\n{cost.params:,} parameters · {macs}\n\n{_where(instances, variant)}"


def _shapes(shapes: Sequence[tuple[object, ...]]) -> str:
    return ", ".join(f"`{pretty_shape(shape)}`" for shape in shapes)  # type: ignore[arg-type]


def _where(instances: Sequence[Instance], variant: str | None) -> str:
    text = f"`{instances[0].path}`"
    if len(instances) > 1:
        text += f", the first of {len(instances)}"
    if instances[0].training:
        text += ", in training only"
    return text + (f" (variant {variant})" if variant else "")
