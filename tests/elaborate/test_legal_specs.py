"""What ``check`` allows is built: any names at any place, any dtype through any op, any structure in another.

``NETSPEC_MANY=100`` tries a hundred times as many examples.
"""

from __future__ import annotations

import ast
import builtins
import os
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import yaml
from elaborate.legal import STEPS, VARIABLES, Writer
from elaborate.samples import SAMPLES, Sample

import netspec
from netspec.diagnostics import SpecError
from netspec.emit.source import emit_source
from netspec.emit.source.names import BUILTINS
from netspec.graph import Graph, walk_state
from netspec.ops import OPS
from netspec.runtime.examples import example_inputs
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import verify_onnx

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "bool")


def loaded(spec: Mapping[str, Any], folder: Path) -> netspec.Model:
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(dict(spec), sort_keys=False))
    return netspec.load(path)


def check_built(model: netspec.Model, folder: Path) -> None:
    """Everything that is made of a spec: source, module, ONNX, pictures and tables."""
    graph = model.graph
    assert called_builtins(emit_source(graph).text) <= BUILTINS, "a variable may hide one of these"
    module = build_module(graph).eval()
    assert {key: tuple(held.shape) for key, held in module.state_dict().items()} == dict(walk_state(graph.body))
    check_dtypes(graph, module)
    parity = verify_onnx(graph, module, export_onnx(graph, module, folder / "spec.onnx"))
    assert parity.agrees, parity.worst
    for ending in ("dot", "mmd"):
        model.diagram(folder / f"spec.{ending}")
    model.explorer(folder / "spec.html")
    shapes = model.shapes()
    assert str(shapes)
    assert shapes.to_json()


def called_builtins(text: str) -> set[str]:
    """The builtins that a source reads, but for those that it has given another meaning."""
    nodes = [*ast.walk(ast.parse(text))]
    own = {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    names = [node for node in nodes if isinstance(node, ast.Name)]
    own |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return {node.id for node in names if hasattr(builtins, node.id)} - own


def check_dtypes(graph: Graph, module: torch.nn.Module) -> None:
    with torch.no_grad():
        made = module(*example_inputs(graph, graph.sizes).values())
    made = [*made.values()] if isinstance(made, dict) else [made]
    wanted = [output.value.tensor.dtype for output in graph.outputs.values() if not output.training]
    assert [str(tensor.dtype) for tensor in made] == [f"torch.{dtype}" for dtype in wanted]


@pytest.mark.parametrize("seed", range(12 * MANY))
def test_random_specs_are_built(seed: int, tmp_path: Path) -> None:
    check_built(loaded(Writer(seed).spec(), tmp_path), tmp_path)


READ = "add: {from: [HERE, prev]}"
WORDS = "inputs: {inp: [N, T, 4]}\nnetwork: [scan: {name: s"
PLACES = {
    "a step": f"network: [linear: {{name: HERE, out_features: 4}}, relu, {READ}, {READ}]",
    "a step without a module": f"network: [add: {{name: HERE, from: [inp, inp]}}, linear: 4, {READ}]",
    "a parameter": f"network: [parameter: {{name: HERE, shape: [4]}}, add: {{from: [inp, HERE]}}, {READ}]",
    "a group": f"network: [sequential: {{name: HERE, body: [linear: {{name: HERE, out_features: 3}}, relu, {READ}]}}]",
    "a branch": "network: [parallel: {branches: {HERE: [linear: 4], other: [linear: 4, relu]}, merge: add}]",
    "parts": "network: [chunk: {name: HERE, chunks: 2, dim: 1}, relu, add: {from: [HERE.1, prev]}]",
    "an input": f"inputs: {{HERE: [N, 4]}}\nnetwork: [linear: 4, linear: 4, {READ}]\noutputs: {{result: prev}}",
    "an output": """
        network: [parameter: {name: w, shape: [4]}, add: {from: [inp, w]}]
        outputs: {HERE: prev, w2: w}""",
    "a parameter's output": "network: [parameter: {name: other, shape: [4]}]\noutputs: {HERE: other}",
    "a block": """
        blocks: {HERE: {params: {k: 1}, body: [linear: k]}}
        network: [{HERE: 3}, {HERE: {name: step, k: 4}}]""",
    "a block's input": """
        blocks: {b: {inputs: [HERE, o], body: [relu, add: {from: [HERE, o]}]}}
        network: [b: {HERE: inp, o: inp}]""",
    "a block's outputs": """
        blocks: {b: {body: [linear: 4], outputs: {HERE: prev, other: prev}}}
        network: [b: {name: two}, add: {from: [two.HERE, two.other]}]""",
    "a block's parameter": """
        blocks: {b: {params: {HERE: {type: int}}, body: [linear: HERE, relu, linear: {name: l, out_features: HERE}]}}
        network: [b: {HERE: 3}, b: {HERE: 4}]""",
    "the network": "name: HERE\nblocks: {HERE: {body: [linear: 4, relu]}}\nnetwork: [linear: 4, {HERE: {}}]",
    "a sequence": WORDS
    + """, over: {HERE: inp}, state: {h: [N, 4]}, next: {h: prev},
        body: [add: {from: [HERE, h]}, linear: 4, tanh]}]""",
    "a state": WORDS
    + """, over: {word: inp}, state: {HERE: [N, 4]}, next: {HERE: prev},
        body: [add: {from: [HERE, word]}, tanh, add: {from: [HERE, prev]}]}]
outputs: {o: s, last: s.HERE}""",
    "what is collected": WORDS
    + """, over: {word: inp}, state: {h: [N, 4]}, next: {h: prev},
        body: [add: {name: HERE, from: [h, word]}, tanh], collect: {HERE: HERE, other: prev}}]""",
}
"""Where a name may stand."""

TRAPS = """as class clas i a pas F f nn torch self super none None True _ __ __x x y range zip float weight output add
linear __debug__ type items add_1 concat T N word other inp step l two h s""".split()  # noqa: SIM905


def put(name: str, part: Any) -> Any:
    """The part of a spec with the name in all places."""
    if isinstance(part, dict):
        return {put(name, key): put(name, value) for key, value in part.items()}
    if isinstance(part, list):
        return [put(name, item) for item in part]
    return part.replace("HERE", name) if isinstance(part, str) else part


def names_at(place: str) -> list[str]:
    random = Random(place)
    return [*random.sample(TRAPS, 5), *random.sample([*STEPS, *VARIABLES], 2 * MANY)]


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_any_name_that_is_allowed_is_built(place: str, tmp_path: Path) -> None:
    built = 0
    for name in names_at(place):
        head = {"name": "net", "inputs": {"inp": ["N", 4]}}
        spec = {"netspec": 1, **head, **yaml.safe_load(PLACES[place])}
        try:
            model = loaded(put(name, spec), tmp_path)
        except SpecError:
            continue
        built += 1
        try:
            check_built(model, tmp_path)
        except Exception as found:
            raise AssertionError(f"{place} called `{name}`") from found
    assert built


@pytest.mark.parametrize("name", ["class", "None", "_modules", "__init__", "forward"])
def test_a_name_that_is_refused_is_told_with_one_that_is_not(name: str, tmp_path: Path) -> None:
    def spec(name: str) -> dict[str, Any]:
        step = {"linear": {"name": name, "out_features": 3}}
        return {"netspec": 1, "name": "net", "inputs": {"inp": ["N", 4]}, "network": [step]}

    with pytest.raises(SpecError) as found:
        loaded(spec(name), tmp_path)
    (fault,) = found.value.diagnostics
    assert fault.id == "bad-name"
    assert fault.help is not None
    loaded(spec(fault.help.rpartition("write ")[2].strip("`")), tmp_path)


def test_every_op_has_a_sample() -> None:
    assert {sample.op for sample in SAMPLES} == OPS.keys()


def pairs() -> list[tuple[Sample, str]]:
    everything = [(sample, dtype) for sample in SAMPLES for dtype in DTYPES]
    return Random(1).sample(everything, min(40 * MANY, len(everything)))


@pytest.mark.parametrize(("sample", "dtype"), pairs(), ids=str)
def test_any_dtype_that_is_allowed_is_built(sample: Sample, dtype: str, tmp_path: Path) -> None:
    try:
        model = loaded(sample.spec(dtype), tmp_path)
    except SpecError as found:
        refused = found
    else:
        check_built(model, tmp_path)
        return
    assert {each.id for each in refused.diagnostics} == {"shape-mismatch"}
    assert dtype != "float32" or "booleans" in str(refused) or "is bfloat16, which onnxruntime" in str(refused)


WEIGHTED = ("linear", "conv2d", "lstm", "layer_norm", "rms_norm", "group_norm", "prelu", "batch_norm2d")


@pytest.mark.parametrize("op", WEIGHTED)
@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_weights_take_their_own_precision(op: str, dtype: str, tmp_path: Path) -> None:
    sample = next(each for each in SAMPLES if each.op == op)
    with pytest.raises(SpecError) as found:
        loaded(sample.spec(dtype), tmp_path)
    assert [each.message for each in found.value.diagnostics] == [
        f"{op} has weights of float32, but its input is {dtype}"
    ]
