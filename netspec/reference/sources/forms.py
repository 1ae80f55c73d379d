"""The keys of the forms: of a spec, of its parts, and of the structures. Their texts stand beside their fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from netspec.reference.values import (
    ANY,
    BODY,
    BRANCHES,
    COUNT,
    FACT,
    FLAG_OR_TEST,
    NAME_TEXT,
    NUMBER_OR_TEXT,
    OUTPUTS,
    PARAMS,
    REFERENCES,
    SHAPE,
    SIZE,
    SOURCE,
    STATES,
    TEMPLATE,
    TESTS,
    TEXT,
    TEXTS,
    TRAINING,
    TRANSFORMS,
    any_of,
    definition,
    named,
    or_expression,
)
from netspec.reference.word import Json, WordArgument
from netspec.spec import (
    DTYPES,
    MERGES,
    RESIDUAL_MERGES,
    SHORT_FORM,
    STRUCTURES,
    VERSION,
    BlockSpec,
    DimSpec,
    Expect,
    For,
    Form,
    If,
    InputSpec,
    OutputSpec,
    Parallel,
    ParamSpec,
    Repeat,
    Residual,
    Scan,
    Share,
    Spec,
    TrainSpec,
)
from netspec.text.docstrings import field_docs

RECIPE_KEYS = (
    "data",
    "metrics",
    "optimizer",
    "weight_decay",
    "schedule",
    "epochs",
    "steps",
    "batch",
    "drop_last",
    "group_by_length",
    "accumulate",
    "clip",
    "early_stopping",
    "validation",
    "folds",
    "evaluate_train",
    "precision",
    "compile",
    "channels_last",
    "devices",
    "strategy",
    "workers",
    "seed",
    "checkpoint",
    "tensorboard",
)
"""The keys of ``train`` that have a definition of their own, of their name."""

HOLDS: Mapping[type[Form], Mapping[str, Json]] = {
    Spec: {
        "netspec": {"const": VERSION},
        "name": NAME_TEXT,
        "doc": TEXT,
        "import": TEXTS,
        "params": PARAMS,
        "require": TESTS,
        "variants": named(definition("variant")),
        "dims": named(definition("dim")),
        "inputs": {**named(definition("input")), "minProperties": 1},
        "blocks": named(definition("block")),
        "network": BODY,
        "outputs": OUTPUTS,
        "init": definition("init"),
        "expect": definition("expect"),
        "train": definition("train"),
    },
    TrainSpec: {
        **{key: definition(key) for key in RECIPE_KEYS},
        "inputs": REFERENCES,
        "prepare": TRANSFORMS,
        "augment": TRANSFORMS,
        "loss": any_of(definition("loss"), named(definition("loss"))),
        "init": or_expression({"type": ["string", "object"]}),
        "published": named({"type": "number"}),
    },
    BlockSpec: {
        "params": PARAMS,
        "inputs": {**TEXTS, "minItems": 1},
        "body": BODY,
        "outputs": OUTPUTS,
        "require": TESTS,
        "doc": TEXT,
    },
    ParamSpec: {
        "type": {"type": "string", "pattern": r"^(list\[)*(int|float|bool|str)\]*$"},
        "default": ANY,
        "min": NUMBER_OR_TEXT,
        "max": NUMBER_OR_TEXT,
        "choices": {"type": "array"},
        "doc": TEXT,
    },
    InputSpec: {
        "shape": SHAPE,
        "below": SIZE,
        "range": {"type": "array", "minItems": 2, "maxItems": 2},
        "dtype": {"enum": list(DTYPES)},
        "optional": {"type": "boolean"},
    },
    OutputSpec: {"from": TEXT, "when": TRAINING, "if": FLAG_OR_TEST},
    DimSpec: {"default": SIZE, "min": SIZE, "max": SIZE},
    Expect: {
        "params": FACT,
        "weights": FACT,
        "macs": FACT,
        "outputs": named(or_expression(SHAPE)),
    },
    Repeat: {"count": COUNT},
    For: {"each": named(or_expression({"type": "array"}))},
    Parallel: {
        "branches": BRANCHES,
        "merge": {"enum": [*MERGES, "none"]},
        "dim": or_expression({"type": "integer"}),
    },
    Residual: {"projection": BODY, "shortcut": BODY, "merge": {"enum": list(RESIDUAL_MERGES)}},
    Scan: {
        "over": REFERENCES,
        "state": STATES,
        "next": REFERENCES,
        "collect": REFERENCES,
        "reverse": {"type": "boolean"},
    },
    Share: {"step": TEXT, "from": SOURCE},
    If: {"test": FLAG_OR_TEST, "then": BODY, "else": BODY},
}
"""What each key of a form holds; ``STEP_HOLDS`` has those that several structures share."""

STEP_HOLDS: Mapping[str, Json] = {
    "name": TEMPLATE,
    "body": BODY,
    "index": NAME_TEXT,
    "when": TRAINING,
    "freeze": FLAG_OR_TEST,
    "init": definition("start"),
}


@cache
def form_keys(form: type[Form]) -> Mapping[str, WordArgument]:
    """Return every key of a form by its name, in the form's order."""
    docs, keys = field_docs(form), {}
    for name, field in form.model_fields.items():
        key = field.alias or name
        if key == "span":
            continue
        holds = HOLDS.get(form, {}).get(key) or STEP_HOLDS.get(key, ANY)
        if isinstance(field.default, (str, bool)) and field.default != "":
            holds = {**holds, "default": field.default}
        main = SHORT_FORM.get(form.known_as) == key or (form is Share and key == "step")
        keys[key] = WordArgument(key, docs.get(name, ""), holds, field.is_required(), main)
    return keys


def call_keys() -> Mapping[str, WordArgument]:
    """Return the keys that a call of any op or block takes beside its arguments, by their names."""
    group = form_keys(STRUCTURES["sequential"])
    source = form_keys(Share)["from"]
    return {"name": group["name"], "from": source, "freeze": group["freeze"], "init": group["init"]}
