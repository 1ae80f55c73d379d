"""The JSON Schema (draft 2020-12) of a spec, for editors: completion, documentation and a first check while typing.

Ops and their arguments come from the op classes, the keys of every form from the forms in ``spec``; what is added
here is what a key holds, and a line of documentation. The schema takes whatever ``netspec check`` takes: where a
value may be an expression, it may be any text. What it refuses, ``netspec check`` refuses too.
"""

from __future__ import annotations

import json
import re
from typing import Any, get_args

from netspec import library
from netspec.elaborate.passes.init_rules import ALONE, FUNCTIONS, TEXTS
from netspec.ops import OPS, Op
from netspec.ops.core.meanings import meaning
from netspec.recipes import Ingredient, Kind, ingredients
from netspec.recipes.recipe import Checkpoint, EarlyStopping, Settings, WeightDecay
from netspec.spec import (
    DTYPES,
    MERGES,
    RESERVED,
    RESIDUAL_MERGES,
    SHORT_FORM,
    STRUCTURES,
    VERSION,
    BlockSpec,
    DimSpec,
    Expect,
    Form,
    InputSpec,
    OutputSpec,
    ParamSpec,
    Share,
    Spec,
    TrainSpec,
)

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAME = "^[A-Za-z_][A-Za-z0-9_]*$"
ANY: Json = {}


def _reference(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


EXPRESSION = _reference("expression")


def _any_of(*options: Json) -> Json:
    return {"anyOf": list(options)}


def _or_expression(schema: Json) -> Json:
    return _any_of(schema, EXPRESSION)


def _named(schema: Json) -> Json:
    """A mapping from names to ``schema``."""
    return {"type": "object", "propertyNames": _reference("name"), "additionalProperties": schema}


TEXT = {"type": "string"}
TEMPLATE = _reference("template")
FLAG_OR_TEST = _or_expression({"type": "boolean"})
BODY = _reference("body")
PARAMS = _named(_reference("parameter"))
OUTPUTS = _named(_reference("output"))
SOURCE = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]}
NAME_TEXT = {"type": "string", "pattern": NAME}
REFERENCES = _named(TEXT)
BRANCHES = _named(_reference("body"))
COUNT = _or_expression({"type": "integer", "minimum": 0})
SIZE = _or_expression({"type": "integer", "minimum": 1})
STATES = _named(_any_of(TEXT, {"type": "array", "items": SIZE}))
NUMBER_OR_TEXT = {"type": ["number", "string"]}
BOUNDS = {
    "type": "object",
    "properties": {
        "min": {**NUMBER_OR_TEXT, "description": "at least this many"},
        "max": {**NUMBER_OR_TEXT, "description": "at most this many: `12M`"},
    },
    "additionalProperties": False,
}
FACT = _any_of(NUMBER_OR_TEXT, BOUNDS)
TRAINING = {"const": "training"}
TRANSFORMS = _any_of(_reference("transform"), {"type": "array", "items": _reference("transform")})
FREEZE = "whether its parameters stay as they are in training"
INIT = "where its parameters start: one function for its weights, or `{weight: {normal: 0.02}, bias: zeros}`"
MARKS = {"freeze": FREEZE, "init": INIT}
"""What may stand on a step whatever it calls, besides its name and what it reads."""
TIES = {"type": "object", "additionalProperties": TEXT}

KEYS: dict[type[Form], dict[str, tuple[Json, str]]] = {
    Spec: {
        "netspec": ({"const": VERSION}, "the version of the language: `1`"),
        "name": ({"type": "string", "pattern": NAME}, "the name of the network, or of its family"),
        "doc": (TEXT, "one line: the paper, or what the network is for"),
        "import": ({"type": "array", "items": TEXT}, "other spec files, whose blocks this one may call"),
        "params": (
            PARAMS,
            "the parameters of the family: `name: default`, or `{type, default, min, max, choices, doc}`",
        ),
        "require": ({"type": "array", "items": FLAG_OR_TEST}, "boolean expressions that must hold"),
        "variants": (_named(_reference("variant")), "named sets of parameter values"),
        "dims": (_named(_reference("dim")), "the sizes of symbolic dimensions at which costs are quoted"),
        "inputs": (
            {**_named(_reference("input")), "minProperties": 1},
            "what the network reads: `image: [N, 3, H, W]`; a name that is no parameter is a symbolic dimension",
        ),
        "blocks": (_named(_reference("block")), "reusable parts, called like ops"),
        "network": (BODY, "the steps of the network"),
        "outputs": (OUTPUTS, "what the network gives: `logits: fc`; default: the last step, named `output`"),
        "init": (_reference("init"), "initialisation rules: `conv2d.weight: {kaiming_normal: {mode: fan_out}}`"),
        "expect": (_reference("expect"), "facts that `netspec check` verifies"),
        "train": (_reference("train"), "how it is trained: `netspec train`"),
    },
    TrainSpec: {
        "data": (_reference("data"), "what it learns from: a data set of netspec's, or files of your own"),
        "inputs": (REFERENCES, "the column of the data that each input reads, where the names do not say so"),
        "prepare": (TRANSFORMS, "what is done to every row"),
        "augment": (TRANSFORMS, "what varies the training rows"),
        "loss": (_any_of(_reference("loss"), _named(_reference("loss"))), "the loss, or one for each output"),
        "metrics": (_reference("metrics"), "what is measured of the held-back rows; default: what suits the loss"),
        "optimizer": (_reference("optimizer"), "the optimizer: `adam: 0.001`"),
        "weight_decay": (_reference("weight_decay"), "how strongly weights are drawn to zero: `{value, skip}`"),
        "schedule": (_reference("schedule"), "how the learning rate goes on: `cosine`"),
        "epochs": (_reference("epochs"), "how often it sees all rows"),
        "steps": (_reference("steps"), "how many steps it takes, instead of `epochs`"),
        "batch": (_reference("batch"), "rows a step, over all devices; null for all rows"),
        "drop_last": (_reference("drop_last"), "whether an epoch ends without the rows that make no full batch"),
        "group_by_length": (
            _reference("group_by_length"),
            "whether a batch has sequences of like length, and no padding that all of them have",
        ),
        "accumulate": (_reference("accumulate"), "parts that a batch is worked through in, to save memory"),
        "clip": (_reference("clip"), "the largest norm of the gradients"),
        "early_stopping": (_reference("early_stopping"), "an end when nothing gets better: `{patience, metric}`"),
        "validation": (_reference("validation"), "the share of the rows held back to judge by"),
        "folds": (_reference("folds"), "K of K-fold cross-validation"),
        "evaluate_train": (_reference("evaluate_train"), "whether the training rows are judged too, each epoch"),
        "init": (_or_expression({"type": ["string", "object"]}), "the initialisation of all weight matrices"),
        "precision": (_reference("precision"), "`mixed` is bfloat16 by autocast over float32 weights"),
        "compile": (_reference("compile"), "torch.compile: of each repeated block (`regional`), or of the `whole`"),
        "channels_last": (
            _reference("channels_last"),
            "weights of convolutions with their channels last: fast in bfloat16",
        ),
        "devices": (_reference("devices"), "`cuda`, `cpu`, what there is (`auto`), or how many on each machine"),
        "strategy": (_reference("strategy"), "what each of several devices has: the whole network (`ddp`), or a part"),
        "workers": (
            _reference("workers"),
            "how many processes read ahead what lies on disk",
        ),
        "seed": (_reference("seed"), "the seed of the weights, the order and every other chance"),
        "checkpoint": (_reference("checkpoint"), "how often the run is saved: `{minutes, steps, keep}`"),
        "tensorboard": (_reference("tensorboard"), "whether TensorBoard's event files are written too"),
        "published": (_named({"type": "number"}), "numbers of a paper to be held against: `{accuracy: 0.99}`"),
    },
    BlockSpec: {
        "params": (PARAMS, "the parameters of the block; one without a default is `name: int`"),
        "inputs": (
            {"type": "array", "items": TEXT, "minItems": 1},
            "the names of its inputs, `mask?` for one that a call may leave out; default: one, `input`",
        ),
        "body": (BODY, "the steps of the block"),
        "outputs": (OUTPUTS, "what the block gives; default: its last step"),
        "require": (
            {"type": "array", "items": FLAG_OR_TEST},
            "conditions on its parameters, and on `shape`, that of its first input, which every call must meet",
        ),
        "doc": (TEXT, "one line on what the block does"),
    },
    ParamSpec: {
        "type": (
            {"type": "string", "pattern": r"^(list\[)*(int|float|bool|str)\]*$"},
            "`int`, `float`, `bool`, `str` or `list[…]` of one of these",
        ),
        "default": (ANY, "the value that holds unless another is given; its type is the parameter's"),
        "min": (NUMBER_OR_TEXT, "the least value"),
        "max": (NUMBER_OR_TEXT, "the largest value"),
        "choices": ({"type": "array"}, "the values that are allowed"),
        "doc": (TEXT, "what the parameter means"),
    },
    InputSpec: {
        "shape": ({"type": "array", "items": SIZE}, "its sizes: numbers, expressions, names of symbolic dimensions"),
        "below": (SIZE, "whole numbers from 0 up to, not including, this: a vocabulary's size"),
        "range": (
            {"type": "array", "minItems": 2, "maxItems": 2},
            "the least and the largest of real numbers: `[0, 1]`; an export is verified on such",
        ),
        "dtype": ({"enum": list(DTYPES)}, "the type of its elements"),
        "optional": ({"type": "boolean"}, "whether the caller may leave it out, as lengths or a mask"),
    },
    OutputSpec: {
        "from": (TEXT, "the step that gives it"),
        "when": (TRAINING, "`training`: only while training, as an auxiliary head"),
        "if": (FLAG_OR_TEST, "the output exists only where this condition over parameters holds"),
    },
    DimSpec: {
        "default": (SIZE, "the size at which costs are quoted and examples are made"),
        "min": (SIZE, "the least size"),
        "max": (SIZE, "the largest size"),
    },
    Expect: {
        "params": (FACT, "how many parameters: a count (`61_706`, `12M`) or `{min, max}`"),
        "weights": (FACT, "how many bytes the parameters take as float32: `{max: 50MB}`"),
        "macs": (FACT, "how many multiply-accumulates one forward pass takes, at the sizes in `dims`"),
        "outputs": (_named(_or_expression({"type": "array", "items": SIZE})), "the shapes of the outputs"),
    },
    **{
        form: {
            "name": (TEMPLATE, ""),
            "body": (BODY, "its steps"),
            "index": (NAME_TEXT, "the name by which expressions know the turn, from 0"),
            "when": (TRAINING, "`training`: only while training"),
            "freeze": (FLAG_OR_TEST, FREEZE),
            "init": (_reference("start"), INIT),
        }
        for form in STRUCTURES.values()
    },
}
"""What each key of a form holds, and a line on what it is for."""

STRUCTURE_KEYS: dict[tuple[str, str], tuple[Json, str]] = {
    ("repeat", "count"): (COUNT, "how many times"),
    ("for", "each"): (
        _named(_or_expression({"type": "array"})),
        "lists of equal length; each turn sees one item of each by its name",
    ),
    ("parallel", "branches"): (BRANCHES, "named branches, each a list of steps; all read the same value"),
    ("parallel", "merge"): ({"enum": [*MERGES, "none"]}, "how the branches are joined; `none` leaves them apart"),
    ("parallel", "dim"): (_or_expression({"type": "integer"}), "the dimension of `concat` and `stack`"),
    ("residual", "projection"): (BODY, "the shortcut's steps, built only where the body changes the shape"),
    ("residual", "shortcut"): (BODY, "the shortcut's steps, built always"),
    ("residual", "merge"): (
        {"enum": list(RESIDUAL_MERGES)},
        "how the body's result and the shortcut join, in this order; default: `add`",
    ),
    ("scan", "over"): (
        REFERENCES,
        "sequences [N, T, …] by the names that the body has for one step of each; equally long",
    ),
    ("scan", "state"): (
        STATES,
        "what is carried from turn to turn: its first value, or its shape for zeros",
    ),
    ("scan", "next"): (REFERENCES, "the value of the body that each state becomes"),
    ("scan", "collect"): (
        REFERENCES,
        "what is kept of every turn, by output; default: the body's last value as `output`",
    ),
    ("scan", "index"): (NAME_TEXT, "a name for the number of the turn, from 0: an integer tensor without dimensions"),
    ("scan", "reverse"): (
        {"type": "boolean"},
        "whether the last step comes first; what is collected keeps its order",
    ),
    ("share", "step"): (TEXT, "a step that stands before it in the same body"),
    ("share", "from"): (SOURCE, "what it reads; default: the step before it"),
    ("if", "test"): (FLAG_OR_TEST, "a condition over parameters, loop indices and `shape`"),
    ("if", "then"): (BODY, "the steps where the test holds"),
    ("if", "else"): (BODY, "the steps where it does not"),
}
"""The same for the keys that one structure has for itself."""


def form_keys(form: type[Form]) -> dict[str, tuple[Json, str, bool]]:
    """Each key of a form: what it holds, what it is for, and whether it must be there."""
    keys = {}
    for name, field in form.model_fields.items():
        key = field.alias or name
        if key == "span":
            continue
        holds, doc = STRUCTURE_KEYS.get((form.known_as, key)) or KEYS.get(form, {}).get(key) or (ANY, "")
        keys[key] = holds, doc, field.is_required()
    return keys


def argument_schema(op: type[Op], argument: str, written: Json) -> Json:
    """What an argument takes: its own values, or an expression for one."""
    schema = _or_expression(_with_expressions({key: item for key, item in written.items() if key in _CONSTRAINTS}))
    if (doc := meaning(op, argument)) != "":
        schema["description"] = doc
    return {**schema, "default": written["default"]} if "default" in written else schema


_CONSTRAINTS = frozenset(
    ("type", "anyOf", "enum", "const", "items", "minimum", "maximum", "exclusiveMinimum", "minItems", "maxItems")
)


def _with_expressions(schema: Json) -> Json:
    """The same with expressions as the items of lists."""
    made = dict(schema)
    if "items" in made:
        made["items"] = _or_expression(_with_expressions(made["items"]))
    if "anyOf" in made:
        made["anyOf"] = [_with_expressions(option) for option in made["anyOf"]]
    return made


def required_arguments(kind: type[Op] | type[Ingredient]) -> list[str]:
    """The arguments that an op or an ingredient cannot do without."""
    return [name for name, field in kind.model_fields.items() if field.is_required()]


def op_schema(op: type[Op]) -> Json:
    """What stands under an op's key: its arguments, its main argument alone, or nothing."""
    fields = op.model_json_schema().get("properties", {})
    properties = {name: argument_schema(op, name, written) for name, written in fields.items()}
    for port in op.ports:
        properties.setdefault(port, {**TEXT, "description": "the step that this input reads"})
    if op.variadic:
        source: Json = {"type": "array", "items": TEXT, "minItems": 2}
    else:
        source = _any_of(TEXT, {"type": "array", "items": TEXT, "minItems": 1, "maxItems": len(op.ports)})
    properties["from"] = {**source, "description": "what the step reads; default: the step before it"}
    properties["name"] = TEMPLATE
    properties["freeze"] = {**FLAG_OR_TEST, "description": FREEZE}
    properties["init"] = {**_reference("start"), "description": INIT}
    properties["tie"] = {**TIES, "description": "parameters that are another step's: `{weight: wte.weight}`"}
    required = [*required_arguments(op), *(["from"] if op.variadic else [])]
    whole: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    options = [{**whole, "required": required} if required else whole]
    if op.main is not None and set(required) <= {op.main}:
        options.append({key: item for key, item in properties[op.main].items() if key != "default"})
    if not required:
        options.append({"type": "null"})
    return {"description": documentation(op), **_any_of(*options)}


def documentation(kind: type[Op] | type[Form] | type[Ingredient]) -> str:
    """A class's docstring as Markdown."""
    text = re.sub(r"\s*\n    ", "\n", (kind.__doc__ or "").strip())
    return re.sub(r"``([^`]*)``", r"`\1`", text)


def form_schema(form: type[Form]) -> Json:
    """The mapping that a form is read from."""
    keys = form_keys(form)
    properties = {key: {**holds, "description": doc} if doc else holds for key, (holds, doc, _) in keys.items()}
    made: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [key for key, (_, _, needed) in keys.items() if needed]
    return {"description": documentation(form), **made, **({"required": required} if required else {})}


def structure_schema(word: str) -> Json:
    """What stands under a structure's key."""
    whole = form_schema(STRUCTURES[word])
    description = whole.pop("description")
    options = [whole, BODY] if word in SHORT_FORM else [whole, TEXT] if word == Share.known_as else [whole]
    return {"description": description, **(_any_of(*options) if len(options) > 1 else whole)}


def library_schema() -> dict[str, Json]:
    """What stands under the key of each block of the library; a spec's own block of that name takes anything."""
    made: dict[str, Json] = {}
    for name in library.names():
        block = library.find(name)
        assert block is not None
        docs = {key: each.spec.doc for key, each in block.params.items() if each.spec is not None}
        properties: dict[str, Json] = {key: {"description": docs.get(key) or ""} for key in block.params}
        properties |= {key: {"description": "the step that this input reads"} for key in block.formal}
        call = {"properties": {**properties, **CALL}}
        made[name] = {"description": block.doc or "", **call}
    return made


CALL: Json = {
    "name": TEMPLATE,
    "from": SOURCE,
    "freeze": {**FLAG_OR_TEST, "description": FREEZE},
    "init": {**_reference("start"), "description": INIT},
}


def _step_schema() -> Json:
    """A step: a name alone, or a mapping with one key."""
    alone = [name for name, op in OPS.items() if not op.variadic and not required_arguments(op)]
    never = sorted([*STRUCTURES, *(name for name in OPS if name not in alone)])
    words = [{"const": name, "description": documentation(OPS[name])} for name in alone]
    block = {"type": "string", "not": {"enum": never}, "description": "a block"}
    return {
        "description": "an op, a block or a structure",
        "anyOf": [
            *words,
            block,
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {
                    **{word: _reference(f"structure.{word}") for word in STRUCTURES},
                    **{name: _reference(f"op.{name}") for name in OPS},
                    **{name: _reference(f"library.{name}") for name in library.names()},
                },
                "additionalProperties": _reference("call"),
            },
        ],
    }


def _rule_schema() -> Json:
    """An initialisation: the name of a function, or a mapping with one key and its arguments."""
    number = _or_expression({"type": "number"})
    functions = {}
    for function, arguments in FUNCTIONS.items():
        properties = {name: _word_schema(TEXTS[name]) if name in TEXTS else number for name in arguments}
        required = [name for name, default in arguments.items() if default is float]
        whole = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            whole["required"] = required
        functions[function] = _any_of(
            whole,
            *([number] if arguments and ALONE.get(function, "") is not None else []),
            *([] if required else [{"type": "null"}]),
        )
    alone = [name for name, arguments in FUNCTIONS.items() if float not in arguments.values()]
    chosen = {"type": "object", "minProperties": 1, "maxProperties": 1}
    return _any_of({"enum": alone}, {**chosen, "properties": functions, "additionalProperties": False})


def recipe_schema() -> dict[str, Json]:
    """What stands under the keys of ``train:``: the ingredients of each kind, and the numbers of a run."""
    made: dict[str, Json] = {}
    for kind in get_args(Kind):
        known = ingredients(kind)
        alone = [name for name, each in known.items() if not required_arguments(each)]
        words = [{"const": name, "description": documentation(known[name])} for name in alone]
        keyed: Json = {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {name: ingredient_schema(each) for name, each in known.items()},
            "additionalProperties": False,
        }
        made[kind] = _any_of(*words, keyed)
    made["metrics"] = _any_of(_reference("metric"), {"type": "array", "items": _reference("metric")})
    for part in (WeightDecay, EarlyStopping, Checkpoint):
        made[part.name] = ingredient_schema(part)
    return made | _arguments_schema(Settings)


def ingredient_schema(kind: type[Ingredient]) -> Json:
    """What stands under an ingredient's key: its arguments, or its main argument alone."""
    properties, required = _arguments_schema(kind), required_arguments(kind)
    whole: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    options = [{**whole, "required": required} if required else whole]
    if kind.main is not None and set(required) <= {kind.main}:
        options.append({key: item for key, item in properties[kind.main].items() if key != "default"})
    if not required:
        options.append({"type": "null"})
    return {"description": documentation(kind), **_any_of(*options)}


def _arguments_schema(kind: type[Ingredient]) -> dict[str, Json]:
    made = {}
    for name, written in kind.model_json_schema().get("properties", {}).items():
        schema = _or_expression(_with_expressions({key: item for key, item in written.items() if key in _CONSTRAINTS}))
        made[name] = {**schema, "default": written["default"]} if "default" in written else schema
    return made


def _word_schema(words: tuple[str, ...]) -> Json:
    """One of some words, or a text with an expression in braces."""
    return _any_of({"enum": [*words]}, {"type": "string", "pattern": r"\{"})


def spec_schema() -> Json:
    """The schema of a whole spec."""
    parameter = form_schema(ParamSpec)
    long_parameter = {**parameter, **_any_of({"required": ["default"]}, {"required": ["type"]})}
    plain = {"not": {"type": "object"}}
    variant = {
        "type": ["object", "null"],
        "properties": {"expect": _reference("expect"), "doc": TEXT},
        "additionalProperties": ANY,
        "description": "values of the spec's parameters; it may carry `expect` and `doc`",
    }
    call = {
        "description": "a block, or whatever the parameter after `$` names, with its parameters",
        "properties": CALL,
    }
    definitions = {
        "name": {"type": "string", "pattern": NAME, "not": {"enum": sorted(RESERVED)}},
        "template": {
            "type": "string",
            "minLength": 1,
            "description": "the step's name, in references and in `state_dict` keys; braces hold an expression",
        },
        "expression": {"type": "string", "description": "an expression over parameters, loop indices and `shape`"},
        "body": {"type": "array", "items": _reference("step")},
        "step": _step_schema(),
        "call": call,
        "parameter": _any_of(plain, long_parameter),
        "variant": variant,
        "dim": _any_of(form_schema(DimSpec), SIZE),
        "input": _any_of({"type": "array", "items": SIZE}, form_schema(InputSpec)),
        "output": _any_of(TEXT, form_schema(OutputSpec)),
        "block": form_schema(BlockSpec),
        "expect": form_schema(Expect),
        "train": form_schema(TrainSpec),
        **recipe_schema(),
        "init": {"type": "object", "additionalProperties": _reference("rule")},
        "rule": _rule_schema(),
        "start": _any_of(_reference("rule"), {"type": "object", "additionalProperties": _reference("rule")}),
        **{f"structure.{word}": structure_schema(word) for word in STRUCTURES},
        **{f"op.{name}": op_schema(op) for name, op in OPS.items()},
        **{f"library.{name}": schema for name, schema in library_schema().items()},
    }
    whole = form_schema(Spec)
    return {"$schema": DIALECT, "title": "netspec", **whole, "$defs": definitions}


def schema_text() -> str:
    """The schema as the file that editors read: a line for each top-level key and each definition."""
    whole = spec_schema()
    definitions = whole.pop("$defs")
    lines = [f" {json.dumps(key)}: {_json(value)}" for key, value in whole.items()]
    inner = ",\n".join(f"  {json.dumps(key)}: {_json(value)}" for key, value in definitions.items())
    return "{\n" + ",\n".join([*lines, ' "$defs": {\n' + inner + "\n }"]) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
