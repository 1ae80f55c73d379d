"""Specs that say what they change of another: what is merged, which steps a path leads to, where faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec.checks.check import check_loaded
from netspec.diagnostics import Diagnostic, SpecError
from netspec.graph import Graph, Node, walk, walk_state
from netspec.pipeline import compile_spec, load_spec

BASE = """\
netspec: 1
name: base
doc: the base
params: {width: {default: 8, min: 1, max: 64}, deep: false}
require: [width % 2 == 0]
variants: {wide: {width: 32, expect: {params: 0}}, deep: {deep: true}}
inputs: {x: [N, 6]}
blocks:
  part:
    params: {size: int}
    body:
      - linear: {name: first, out_features: size}
      - residual: {body: [linear: {name: second, out_features: size, bias: false}, relu]}
network:
  - part: {name: one, size: width}
  - repeat: {name: "layer{1}", count: 2, body: [linear: {name: inner, out_features: 4}, tanh]}
  - dropout: 0.5
  - linear: {name: fc, out_features: 3}
  - relu
  - relu
outputs: {logits: fc, last: prev}
init: {linear.weight: ones, linear.bias: zeros}
expect: {params: 0}
"""


def write(folder: Path, own: str, base: str = BASE) -> Path:
    (folder / "base.yaml").write_text(base)
    path = folder / "own.yaml"
    path.write_text(f"netspec: 1\nname: own\nextends: base.yaml\n{own}\n")
    return path


def faults(path: Path) -> list[Diagnostic]:
    try:
        return list(check_loaded(load_spec(path)).diagnostics)
    except SpecError as found:
        return found.diagnostics


def ops(graph: Graph) -> list[str]:
    nodes = [(path, step.op) for path, step, _ in walk(graph.body) if isinstance(step, Node)]
    return [f"{path} {op.name} {op.detail()}".strip() for path, op in nodes]


def test_what_is_not_said_is_as_it_is_in_the_base(tmp_path: Path):
    path = write(tmp_path, "")
    spec = load_spec(path).spec
    assert (spec.name, spec.doc, [*spec.variants], spec.expect) == ("own", "the base", [], None)
    assert ops(compile_spec(path)) == ops(compile_spec(tmp_path / "base.yaml"))


def test_values_of_parameters_keep_their_type_and_bounds(tmp_path: Path):
    path = write(tmp_path, "params: {width: 16, more: 2}")
    assert dict(compile_spec(path).parameters) == {"width": 16, "deep": False, "more": 2}
    (fault,) = faults(write(tmp_path, "params: {width: 128}"))
    assert fault.message == "`width` is 128, but must be at most 64"
    assert fault.primary.span.source.name.endswith("own.yaml")
    (fault,) = faults(write(tmp_path, "params: {width: 5}"))
    assert fault.message == "`width % 2 == 0` does not hold"


def test_a_variant_is_extended_with_its_values():
    graph = compile_spec("resnext")
    assert (graph.parameters["block"], graph.parameters["depths"]) == ("bottleneck", [3, 4, 6, 3])


@pytest.mark.parametrize(
    ("change", "gone", "made"),
    [
        ("fc: {out_features: 5}", {"fc linear 3"}, {"fc linear 5"}),
        ("dropout: {p: 0.1}", {"2 dropout 0.5"}, {"2 dropout 0.1"}),
        ("dropout: []", {"2 dropout 0.5", "5 relu"}, {"3 relu"}),
        ("fc: {after: [tanh]}", {"4 relu"}, {"4 tanh", "6 relu"}),
        ("fc: {before: [tanh], bias: false}", {"4 relu"}, {"3 tanh", "6 relu"}),
        ("fc: [sigmoid, linear: {name: fc, out_features: 9}]", {"fc linear 3"}, {"3 sigmoid", "fc linear 9"}),
        ("layer{1}.inner: {out_features: 2}", {"layer1.0.inner linear 4"}, {"layer1.0.inner linear 2"}),
        ("inner: {out_features: 2}", {"layer1.0.inner linear 4"}, {"layer1.0.inner linear 2"}),
        ("layer{1}: {count: 1}", {"layer1.1.inner linear 4"}, set()),
        ("layer{1}: {body: {tanh: [elu]}}", {"layer1.0.1 tanh"}, set()),
    ],
)
def test_steps_are_changed_by_their_paths(tmp_path: Path, change: str, gone: set[str], made: set[str]):
    base = BASE.replace("outputs: {logits: fc, last: prev}", "")
    before = {*ops(compile_spec(write(tmp_path, "", base)))}
    after = {
        *ops(compile_spec(write(tmp_path, f'network:\n  "{change.split(":")[0]}":{change.partition(":")[2]}', base)))
    }
    assert gone <= before - after
    assert made <= after


def test_blocks_are_changed_and_replaced(tmp_path: Path):
    own = "params: {bias: true}\nblocks: {part: {body: {second: {bias: bias}, relu: {after: [tanh]}}}}"
    graph = compile_spec(write(tmp_path, own))
    assert "one.second.bias" in [key for key, _ in walk_state(graph.body)]
    assert any(line.endswith("tanh") and line.startswith("one.") for line in ops(graph))
    own = "blocks: {part: {params: {size: int}, body: [linear: {name: only, out_features: size}]}}"
    assert ops(compile_spec(write(tmp_path, own)))[0] == "one.only linear 8"


def test_a_whole_network_takes_the_place_of_the_base(tmp_path: Path):
    graph = compile_spec(write(tmp_path, "network: [part: width]\noutputs: {made: prev}"))
    assert [*graph.outputs] == ["made"]
    assert ops(graph)[0] == "0.first linear 8"


def test_rules_of_the_spec_come_behind_those_of_the_base(tmp_path: Path):
    graph = compile_spec(write(tmp_path, "init: {linear.weight: zeros, fc.weight: ones}"))
    assert [(rule.pattern, rule.function) for rule in graph.init] == [
        ("linear.bias", "zeros"),
        ("linear.weight", "zeros"),
        ("fc.weight", "ones"),
    ]


def test_null_removes_rules_of_the_base(tmp_path: Path):
    graph = compile_spec(write(tmp_path, "init: {linear.weight: null, fc.weight: ones}"))
    assert [(rule.pattern, rule.function) for rule in graph.init] == [("linear.bias", "zeros"), ("fc.weight", "ones")]
    assert compile_spec(write(tmp_path, "init: null")).init == ()
    (found,) = faults(write(tmp_path, "init: {linear.weigth: null}"))
    assert (found.message, found.help) == (
        "the base has no rule `linear.weigth` to remove",
        "did you mean `linear.weight`?",
    )


def test_a_rule_of_the_base_for_a_step_that_is_gone_can_be_removed(tmp_path: Path):
    base = BASE.replace("linear.bias: zeros}", "linear.bias: zeros, fc.bias: ones, 'layer*.bias': ones}")
    own = "network: {fc: [{linear: {name: head, out_features: 2}}]}\noutputs: {logits: head}"
    (found,) = faults(write(tmp_path, own, base))
    assert found.primary.span.source.name.endswith("base.yaml")
    assert found.help is not None
    assert found.help.startswith("`init: {fc.bias: null}` in ")
    graph = compile_spec(write(tmp_path, f"{own}\ninit: {{fc.bias: null}}", base))
    assert "fc.bias" not in [rule.pattern for rule in graph.init]


def test_a_base_may_extend_another_and_import_beside_itself(tmp_path: Path):
    (tmp_path / "lower").mkdir()
    (tmp_path / "lower/blocks.yaml").write_text("netspec: 1\nblocks: {half: {body: [linear: 3]}}\n")
    (tmp_path / "lower/lowest.yaml").write_text(BASE.replace("params: {", "import: [blocks.yaml]\nparams: {", 1))
    middle = "netspec: 1\nname: middle\nextends: lowest.yaml\nnetwork: {fc: [half]}\n"
    (tmp_path / "lower/middle.yaml").write_text(middle)
    path = tmp_path / "top.yaml"
    path.write_text("netspec: 1\nname: top\nextends: lower/middle.yaml\noutputs: {out: prev}\nparams: {width: 4}\n")
    assert ops(compile_spec(path))[0] == "one.first linear 4"
    assert len(load_spec(path).imported) == 3


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ("network: {fd: {out_features: 2}}", "there is no step `fd` to change"),
        ("network: {relu: []}", "`relu` is not one step: 2 are called so"),
        ("network: {fc: 5}", "expected the changed arguments of a step, or a list of steps, found the number `5`"),
        ("network: {fc: {before: relu}}", "expected a list of steps, found the string `relu`"),
        ("network: {fc: {out_feature: 2}}", "`linear` has no argument `out_feature`"),
        ("blocks: {part: {body: {third: []}}}", "there is no step `third` to change"),
        ("extra: 1", "a spec has no key `extra`"),
        ("variants: {wide: {widht: 3}}", "the spec has no parameter `widht`"),
    ],
)
def test_changes_that_miss_are_told_where_they_stand(tmp_path: Path, own: str, told: str):
    (fault,) = faults(write(tmp_path, own))
    assert fault.message == told
    assert fault.primary.span.source.name.endswith("own.yaml")


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("resnet51", "there is no network `resnet51`"),
        ("none.yaml", "there is no file `none.yaml`"),
        ("../base.yaml", "the path leads outside the project"),
        ("own.yaml", "the files extend each other: own.yaml -> own.yaml"),
        ("[resnet]", "expected the name of a network, or the path of a spec file, found a list"),
    ],
)
def test_what_cannot_be_extended_is_told(tmp_path: Path, base: str, told: str):
    path = tmp_path / "own.yaml"
    path.write_text(f"netspec: 1\nname: own\nextends: {base}\n")
    (fault,) = faults(path)
    assert fault.message == told


def test_a_fault_of_the_base_is_told_in_its_file(tmp_path: Path):
    (fault,) = faults(write(tmp_path, "", BASE.replace("dropout: 0.5", "dropuot: 0.5")))
    assert fault.primary.span.source.name.endswith("base.yaml")
    assert fault.message == "there is no op or block named `dropuot`"
