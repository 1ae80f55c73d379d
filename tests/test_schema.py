"""The JSON Schema is one, takes whatever `netspec check` takes, and is what the editor is given."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from places import CASES

from netspec import zoo
from netspec.checks.check import check_loaded
from netspec.cli import main
from netspec.diagnostics import Report, Source, SpecError
from netspec.elaborate.steps import STRUCTURES
from netspec.ops import OPS
from netspec.ops.core.meanings import MEANINGS, SPECIAL, meaning
from netspec.pipeline import load_source
from netspec.reference.sources.forms import HELD, HOLDS, form_keys
from netspec.schema import schema_text, spec_schema
from netspec.spec.reading import form_fields
from netspec.syntax import ListNode, MapNode, ScalarNode, parse

SCHEMA = spec_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
COMMITTED = zoo.folder() / "netspec.schema.json"


def plain(node: Any) -> Any:
    """A syntax tree as the JSON that an editor's validator sees."""
    match node:
        case ScalarNode():
            return node.value
        case ListNode():
            return [plain(item) for item in node.items]
        case MapNode():
            return {key.text: plain(value) for key, value in node.entries}


def tree(text: str) -> Any:
    return plain(parse(Source("spec.yaml", text), Report()))


def accepted(text: str) -> bool:
    """Whether `netspec check` takes it."""
    try:
        return not check_loaded(load_source(Source("spec.yaml", text))).diagnostics
    except SpecError:
        return False


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_beside_the_zoo_is_this_one(snapshot):
    snapshot(COMMITTED, schema_text())


def test_the_command_prints_and_writes_it(tmp_path, capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA
    assert main(["schema", "-o", str(tmp_path / "made.json")]) == 0
    assert (tmp_path / "made.json").read_text(encoding="utf-8") == schema_text()


@pytest.mark.slow
def test_check_jsonschema_takes_the_zoo():
    command = [sys.executable, "-m", "check_jsonschema"]
    files = list(map(str, zoo.files()))
    for arguments in (["--check-metaschema", str(COMMITTED)], ["--schemafile", str(COMMITTED), *files]):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_zoo_file_names_the_schema():
    for path in zoo.files():
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        assert first == "# yaml-language-server: $schema=netspec.schema.json", path


@pytest.mark.parametrize("path", zoo.files(), ids=lambda path: path.stem)
def test_our_own_reading_of_the_zoo_is_taken(path):
    assert list(VALIDATOR.iter_errors(tree(path.read_text(encoding="utf-8")))) == []


def test_every_argument_has_a_meaning():
    missing = [(op.name, name) for op in OPS.values() for name in op.model_fields if not meaning(op, name)]
    assert missing == [], "say what it means in netspec/ops/core/meanings.py"
    used = {name for op in OPS.values() for name in op.model_fields}
    assert MEANINGS.keys() <= used
    assert [key for key in SPECIAL if key[0] not in OPS or key[1] not in OPS[key[0]].model_fields] == []


def test_every_key_of_a_form_is_described():
    for form in {*HOLDS, *STRUCTURES.values()}:
        keys = form_keys(form)
        assert [key for key, each in keys.items() if each.holds == {} and key != "default"] == []
        assert [key for key, each in keys.items() if not each.doc] == [], form
        assert HOLDS.get(form, {}).keys() <= keys.keys(), form
    kinds = {field.holds for form in {*HOLDS, *STRUCTURES.values()} for field in form_fields(form).values()}
    assert HELD.keys() <= kinds


@pytest.mark.parametrize("path", sorted(CASES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_what_the_schema_refuses_of_the_cases_check_refuses(path):
    try:
        text = path.read_text(encoding="utf-8")
        value = tree(text)
    except (UnicodeDecodeError, SpecError):
        return
    if value is not None and not VALIDATOR.is_valid(value):
        assert not accepted(text)


REFUSED = {
    "an unknown key": "network: [relu]\nnetwrok: []",
    "an op's unknown argument": "network: [{conv2d: {out_channels: 4, kernel_sise: 3}}]",
    "an argument too few": "network: [{conv2d: {out_channels: 4}}]",
    "an op that needs an argument": "network: [linear]",
    "a structure without a body": "network: [residual]",
    "two keys in a step": "network: [{relu: , name: a}]",
    "a number below its least": "network: [{conv2d: {out_channels: 0, kernel_size: 3}}]",
    "a list of the wrong length": "network: [{max_pool2d: {kernel_size: [2, 2, 2]}}]",
    "a flag that is a number": "network: [{conv2d: {out_channels: 4, kernel_size: 3, bias: 0}}]",
    "a main argument where there is none": "network: [{sigmoid: 3}]",
    "no input of concat": "network: [{concat: {dim: 1}}]",
    "an unknown merge": "network: [{parallel: {branches: {a: [], b: []}, merge: joint}}]",
    "an unknown structure key": "network: [{repeat: {count: 2, body: [relu], times: 3}}]",
    "an unknown initialisation": "network: [relu]\ninit: {conv2d.weight: {normale: {std: 1}}}",
    "an unknown initialisation of a step": "network: [{linear: {out_features: 4, init: {weight: {normale: 1}}}}]",
    "a bound that is none": "network: [relu]\nexpect: {params: {mx: 3}}",
    "an unknown dtype": "network: [relu]\ninputs: {x: {shape: [N, 3], dtype: float}}",
}


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse(name):
    text = "netspec: 1\nname: it\n" + ("" if "inputs" in REFUSED[name] else "inputs: {x: [N, 3, 8, 8]}\n")
    text += REFUSED[name]
    assert not VALIDATOR.is_valid(tree(text))
    assert not accepted(text)


TAKEN = [
    "- linear: 120",
    "- linear: 4 * width",
    "- linear: {out_features: width, bias: width > 3, name: 'fc{width}'}",
    "- relu",
    "- relu:",
    "- relu: {}",
    "- relu: {inplace: true}",
    "- conv2d: {out_channels: width, kernel_size: [3, 'width - 1'], padding: same}",
    "- conv2d: {out_channels: width, kernel_size: 3, padding: 'width // 4'}",
    "- $block: {width: 3}",
    "- part",
    "- part: 3",
    "- residual: [relu, part: 8]",
    "- residual: {body: [relu], merge: multiply}",
    "- sequential: {name: s, body: [tanh]}",
    "- if: {test: 'shape[1] == 3', then: [relu], else: [tanh]}",
    "- side: [flatten, linear: 3]",
    "- repeat: {count: width // 2, body: [relu]}",
    "- for: {each: {w: '[width, 8]', v: [1, 2]}, body: [part: w]}",
    "- parallel: {merge: none, branches: {a: [relu], b: [], c: [tanh]}}\n- concat: {from: [a, c]}",
    "- parallel: {merge: concat, dim: 1 + 0, branches: {a: [relu], b: []}}",
    "- gelu: {approximate: how}",
    "- adaptive_avg_pool2d: [null, 4]",
    "- matmul: {input: x, other: prev}",
    "- upsample: 2",
    "- linear: {out_features: 8, init: zeros, freeze: width > 3}",
    "- part: {width: 8, init: {conv2d.weight: {normal: 1 / width}, '*.bias': zeros}}",
    "- residual: {init: orthogonal, body: [part: 8]}",
]


@pytest.mark.parametrize("steps", TAKEN)
def test_both_take(steps):
    text = f"""
netspec: 1
name: it
params: {{width: 8, block: part, how: tanh, long: {{type: int, default: 3, min: 1, max: 2 + 3, doc: what it is}}}}
variants: {{it: , other: {{width: 6, doc: narrow}}}}
dims: {{N: {{default: 2, max: width}}}}
inputs: {{x: [N, 8, width * 0 + 8, 8]}}
blocks:
  part: {{params: {{width: 8}}, doc: a part, body: [conv2d: {{out_channels: width, kernel_size: 1}}]}}
network:
{steps}
init: {{conv2d.weight: {{trunc_normal: {{std: 1 / width}}}}, '*.bias': zeros, linear.weight: {{normal: 0.5}}}}
"""
    assert list(VALIDATOR.iter_errors(tree(text))) == []
    assert check_loaded(load_source(Source("spec.yaml", text))).diagnostics == ()


BASE: dict[str, Any] = {
    "netspec": 1,
    "name": "made",
    "params": {"width": 4, "deep": {"type": "int", "default": 2, "min": 1}},
    "dims": {"N": 2},
    "inputs": {"x": ["N", 4, 8, 8]},
    "blocks": {"part": {"params": {"out": "int"}, "body": [{"conv2d": {"out_channels": "out", "kernel_size": 1}}]}},
    "network": [
        {"conv2d": {"name": "c", "out_channels": "width", "kernel_size": 3, "padding": 1, "bias": False}},
        {"batch_norm2d": {"eps": 0.001}},
        "relu",
        {"residual": {"body": [{"part": {"out": 4}}, {"part": 4}], "merge": "add"}},
        {"repeat": {"count": "deep", "index": "i", "body": [{"max_pool2d": {"kernel_size": 2, "stride": 1}}]}},
        {"parallel": {"merge": "concat", "branches": {"a": [{"dropout": 0.5}], "b": ["tanh"]}}},
        {"for": {"each": {"w": [4, 2]}, "body": [{"part": "w"}]}},
        {"sequential": {"name": "head", "body": ["flatten", {"linear": 3}, {"softmax": {"dim": 1}}]}},
    ],
    "outputs": {"scores": "head"},
    "init": {"conv2d.weight": {"normal": {"std": 0.02}}},
    "expect": {"params": {"max": "1M"}, "outputs": {"scores": ["N", 3]}},
}

JUNK = st.one_of(
    # Made anew each time: a list or mapping is changed afterwards.
    st.builds(
        copy.deepcopy,
        st.sampled_from(
            [None, True, False, 0, 1, -1, 2, 3, 2.5, "width", "relu", "add", "", "a b", [], {}, [1, 2], ["N"]]
        ),
    ),
    st.dictionaries(st.sampled_from(["name", "from", "dim", "body", "out"]), st.sampled_from([1, "relu"]), max_size=2),
)
WORDS = st.sampled_from(["name", "from", "dim", "bias", "body", "when", "merge", "kernel_size", "doc", "linear", "x y"])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """A sound document with one to three changes anywhere in it."""
    made = copy.deepcopy(BASE)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(made)[1:]))
        holder = made
        for key in path[:-1]:
            holder = holder[key]
        key = path[-1]
        match draw(st.sampled_from(["replace", "remove", "insert", "rename"])):
            case "remove":
                del holder[key]
            case "insert" if isinstance(holder[key], dict):
                holder[key][draw(WORDS)] = draw(JUNK)
            case "insert" if isinstance(holder[key], list):
                holder[key].append(draw(JUNK))
            case "rename" if isinstance(holder, dict):
                holder[draw(WORDS)] = holder.pop(key)
            case _:
                holder[key] = draw(JUNK)
        if not places(made)[1:]:
            break
    return made


def test_the_base_document_is_sound():
    assert VALIDATOR.is_valid(BASE)
    assert accepted(json.dumps(BASE))


@pytest.mark.slow
@given(documents())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_the_schema_refuses_check_refuses(document):
    if not VALIDATOR.is_valid(document):
        assert not accepted(json.dumps(document))
