"""Entries: the word for each structure, op, block, ingredient, key, function, type and id, with all there is to say."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from netspec import library
from netspec.diagnostics.catalogue import CATALOGUE, PHASES, Explanation
from netspec.elaborate.passes.init_rules import FUNCTIONS as RULES
from netspec.elaborate.steps import STRUCTURES
from netspec.ops import OPS
from netspec.recipes import Ingredient, ingredients
from netspec.recipes import Kind as IngredientKind
from netspec.recipes.base import KEYS
from netspec.recipes.settings import NAMED_PARTS, PARTS
from netspec.reference.examples.forms import BLOCKS, STEPS, form_examples
from netspec.reference.examples.ops import op_example
from netspec.reference.examples.recipes import ingredient_example, keys_of
from netspec.reference.sources.columns import COLUMNS, WIDE
from netspec.reference.sources.expressions import FUNCTIONS, REFERENCES, TYPES, WORDS
from netspec.reference.sources.forms import form_keys
from netspec.reference.sources.ingredients import ingredient_arguments, train_keys
from netspec.reference.sources.library import block_arguments, find_block
from netspec.reference.sources.ops import families, op_arguments, step_keys
from netspec.reference.sources.rules import DOCS, rule_arguments
from netspec.reference.word import Word, WordArgument
from netspec.spec import (
    BlockSpec,
    DimSpec,
    Expect,
    Form,
    InputSpec,
    OutputSpec,
    ParamSpec,
    Spec,
    TrainSpec,
    WeightsSpec,
)
from netspec.text.docstrings import documentation

FORM_TITLES: Mapping[str, type[Form]] = {
    "spec": Spec,
    "parameter": ParamSpec,
    "dimension": DimSpec,
    "input": InputSpec,
    "output": OutputSpec,
    "block": BlockSpec,
    "expect": Expect,
    "train": TrainSpec,
    "weights": WeightsSpec,
}
"""The forms whose keys are words of their own, by what they are the keys of."""

FORM_PLACES: Mapping[str, str] = {
    "spec": "the top of a file",
    "parameter": "a parameter under `params`, in its long form",
    "dimension": "a dimension under `dims`, in its long form",
    "input": "an input under `inputs`, in its long form",
    "output": "an output under `outputs`, in its long form",
    "block": "a block under `blocks`",
    "expect": "`expect`, of a spec or a variant",
    "train": "`train`",
    "weights": "`train.weights`, and `--weights` in braces",
}

INNER: Mapping[tuple[str, str], type[Form]] = {
    ("spec", "params"): ParamSpec,
    ("spec", "dims"): DimSpec,
    ("spec", "inputs"): InputSpec,
    ("spec", "blocks"): BlockSpec,
    ("spec", "outputs"): OutputSpec,
    ("spec", "expect"): Expect,
    ("spec", "train"): TrainSpec,
    ("train", "weights"): WeightsSpec,
    ("block", "params"): ParamSpec,
    ("block", "outputs"): OutputSpec,
}
"""The keys that hold a form, or a mapping from names to such, and that form."""

MOST_RELATED = 8


def structure_word(_: str, name: str) -> Word:
    """Return the entry of a structure."""
    form = STRUCTURES[name]
    return Word(
        name,
        "structure",
        documentation(form),
        place="a step of a body",
        arguments=tuple(form_keys(form).values()),
        examples=tuple(form_examples(form)),
        related=_others(name, list(STRUCTURES)),
    )


def op_word(family: str, name: str) -> Word:
    """Return the entry of an op."""
    op = OPS[name]
    inputs = [f"{port}?" if port in op.optional else port for port in op.ports]
    reads = "any number of tensors: `from: [a, b]`" if op.variadic else ", ".join(f"`{each}`" for each in inputs)
    details = [("reads", reads)] if op.variadic or op.ports else []
    details += [("gives", ", ".join(f"`{each}`" for each in op.outputs))] if len(op.outputs) > 1 else []
    return Word(
        name,
        "op",
        documentation(op),
        group=op.family,
        place="a step of a body",
        arguments=tuple(op_arguments(op).values()),
        details=(*details, ("also", ", ".join(f"`{key}`" for key in step_keys()))),
        examples=(op_example(op),),
        related=_others(name, families().get(op.family, ())),
    )


def block_word(_: str, name: str) -> Word:
    """Return the entry of a block of the library."""
    block = find_block(name)
    inputs = ", ".join(f"`{port}{'?' * may_be_left_out}`" for port, may_be_left_out in block.formal.items())
    return Word(
        name,
        "block",
        block.doc or "",
        place="a step of a body",
        arguments=tuple(block_arguments(block).values()),
        details=(("reads", inputs), *((("gives", ", ".join(block.outputs)),) if block.outputs else ())),
        examples=(BLOCKS[name],) if name in BLOCKS else (),
        related=_others(name, list(library.names())),
    )


def block_parameters(_: str, name: str) -> Sequence[str]:
    """Return the names of a block's parameters."""
    return [*find_block(name).params]


def ingredient_word(kind: IngredientKind, name: str) -> Word:
    """Return the entry of a loss, an optimizer, a schedule, a data set, a transform or a metric."""
    known = ingredients(kind)
    return Word(
        name,
        kind,
        documentation(known[name]),
        place=", ".join(f"`train.{key}`" for key in keys_of(kind, known[name])),
        arguments=tuple(ingredient_arguments(known[name]).values()),
        examples=(ingredient_example(kind, known[name]),),
        related=_others(name, list(known)),
    )


def key_word(title: str, name: str) -> Word:
    """Return the entry of a key of a form, with the keys of what it holds."""
    form = FORM_TITLES[title]
    key = _keys(form)[name]
    part, inner = _part(title, name), INNER.get((title, name))
    arguments = ingredient_arguments(part) if part is not None else _keys(inner) if inner is not None else {}
    return Word(
        name,
        "key",
        f"{key.doc[:1].upper()}{key.doc[1:].rstrip('.')}.",
        group=title,
        place=FORM_PLACES[title],
        arguments=tuple(arguments.values()),
        details=_key_details(title, name),
        examples=(_key_example(form, inner, name),),
        related=_others(name, list(form_keys(form))),
        holds=key.holds,
    )


def step_key_word(_: str, name: str) -> Word:
    """Return the entry of a key that every step takes."""
    key = step_keys()[name]
    return Word(
        name,
        "key",
        f"{key.doc[:1].upper()}{key.doc[1:]}.",
        group="step",
        place="a step, beside its arguments" if name != "tie" else "a step that runs an op",
        examples=(STEPS[name],),
        related=_others(name, list(step_keys())),
        holds=key.holds,
    )


def _keys(form: type[Form]) -> Mapping[str, WordArgument]:
    return train_keys() if form is TrainSpec else form_keys(form)


def _key_example(form: type[Form], inner: type[Form] | None, name: str) -> str:
    """The first example of a form that shows a key; of ``train`` that key alone; of a form within, that form's."""
    if inner not in (None, TrainSpec):
        return form_examples(inner)[0]
    shown = next(text for text in form_examples(form) if re.search(rf"(^|[ {{]){name}:", text, re.MULTILINE))
    if form is not TrainSpec or name in ("group_by_length", "batch_norm", "layer_decay", "lora"):
        return shown
    return "\n".join(line for line in shown.split("\n") if line.startswith(("train:", f"  {name}:")))


def part_keys(title: str, name: str) -> Collection[str]:
    """Return the keys of a part of ``train`` that is no form of its own."""
    part = _part(title, name)
    return () if part is None else part.model_fields


def _part(title: str, name: str) -> type[Ingredient] | None:
    return {**PARTS, **NAMED_PARTS}.get(name) if title == "train" else None


def _key_details(title: str, name: str) -> tuple[tuple[str, str], ...]:
    """The ingredients that a key of ``train`` chooses from."""
    kinds = {key: kind for kind, key in KEYS.items()} | {"augment": "transform"}
    if title != "train" or name not in kinds:
        return ()
    return (("one of", ", ".join(f"`{each}`" for each in ingredients(kinds[name]))),)


def rule_word(_: str, name: str) -> Word:
    """Return the entry of a function that weights start with."""
    arguments = rule_arguments(name)
    needed = "".join(f"{each}: 0.1" for each, argument in arguments.items() if argument.required)
    rule = f"{{{name}: {{{needed}}}}}" if needed else name
    weight, network = "linear", "network: [linear: 8]\n"
    if name == "dirac":
        weight, network = "conv1d", "inputs: {x: [N, 16, 32]}\nnetwork: [conv1d: {out_channels: 8, kernel_size: 3}]\n"
    return Word(
        name,
        "initialisation",
        f"{DOCS[name]} PyTorch's `torch.nn.init.{name}_`.",
        place="`init` of a spec or a step, `train.init`",
        arguments=tuple(arguments.values()),
        examples=(f"{network}init: {{{weight}.weight: {rule}}}",),
        related=_others(name, list(RULES)),
    )


def expression_word(_: str, name: str) -> Word:
    """Return the entry of a word or a function of expressions."""
    doc, example = {**WORDS, **FUNCTIONS}[name]
    return Word(
        name,
        "function" if name in FUNCTIONS else "expression word",
        doc,
        place="an expression: wherever a value may be computed, and in braces inside a string",
        details=(("example", f"`{example}`"),),
        related=_others(name, [*FUNCTIONS] if name in FUNCTIONS else [*WORDS]),
    )


def reference_word(_: str, name: str) -> Word:
    """Return the entry of a word that stands for a step."""
    return Word(name, "expression word", REFERENCES[name], place="`from`, and wherever a step is named")


def type_word(_: str, name: str) -> Word:
    """Return the entry of a type of parameters or of tensors' elements."""
    return Word(name, "type", TYPES[name], related=_others(name, list(TYPES)))


def diagnostic_word(phase: str, name: str) -> Word:
    """Return the entry of a diagnostic's id."""
    entry = CATALOGUE[name]
    return Word(
        name,
        "diagnostic",
        f"{entry.what}\n\n{entry.why}",
        group=phase,
        examples=(f"# wrong\n{entry.wrong}", f"# right\n{entry.right}") if _is_plain(entry) else (),
        details=(("more", f"`netspec explain {name}`"),),
        related=_others(name, list(PHASES[phase])),
    )


def column_word(_: str, name: str) -> Word:
    """Return the entry of a column of the shape table."""
    wide = (("shown", "by `netspec shapes` in a wide terminal: 120 columns have room for most of those"),)
    return Word(name, "column", COLUMNS[name], details=wide if name in WIDE else (), related=_others(name, [*COLUMNS]))


def _is_plain(entry: Explanation) -> bool:
    """Return whether an entry's specs can be shown as they stand."""
    short = max(len(entry.wrong), len(entry.right)) < 600 and entry.wrong.replace("\n", "").isprintable()
    return short and entry.encoding == "utf-8" and entry.repeated == 1 and not entry.beside


def _others(name: str, known: Sequence[str]) -> tuple[str, ...]:
    """Those beside a word in a list: what shares its beginning first, then its neighbours."""
    at = known.index(name) if name in known else 0
    stem = name.rstrip("0123456789d")[:4]
    near = sorted((each for each in known if each != name), key=lambda each: abs(known.index(each) - at))
    akin = [each for each in near if each.startswith(stem) or each.endswith(name[-4:])]
    return tuple(dict.fromkeys([*akin, *near]))[:MOST_RELATED]
