"""A spec as one file: the same network, from one text, with the comments that it had."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec import zoo
from netspec.cli import main
from netspec.graph import Graph, Node, visits, walk_state
from netspec.pipeline import compile_loaded, compile_spec, load_spec, show_spec
from netspec.sources.showing import show

PARTS = "netspec: 1\nimport: [deeper/more.yaml]\nblocks:\n  # squeezes\n  half: {body: [whole, linear: 3]}  # a third\n"
MORE = "netspec: 1\nblocks: {whole: {body: [use: {network: inner.yaml, params: {width: 5}}]}}\n"
INNER = "netspec: 1\nname: inner\nextends: base.yaml\nparams: {width: 7}\n"
BASE = """\
netspec: 1
name: base
params:
  # how wide
  width: {default: 4, min: 1}
inputs: {x: [N, D]}
network:
  - linear: {name: fc, out_features: width}   # the only one
  - use: {name: last, network: other.yaml}
"""
OTHER = "netspec: 1\nname: inner\ninputs: {x: [N, E]}\nnetwork: [tanh]\n"
MAIN = """\
# What it is for.
netspec: 1
name: main
import: [parts.yaml]
inputs:
  x: [N, 6]
network:
  # the first step
  - half
  - use: {name: again, network: inner}
  - linear: "2 * 3"   # six
networks:
  inner: {netspec: 1, name: inner, inputs: {x: [N, D]}, network: [linear: {name: own, out_features: D}]}
"""


def meaning(graph: Graph) -> list[object]:
    """All that a graph says, but for the places in texts."""
    steps = [
        (each.path, each.step.op if isinstance(each.step, Node) else each.step.body.title, each.training, each.frozen)
        for each in visits(graph.body)
    ]
    rules = [(rule.pattern, rule.function, dict(rule.arguments)) for rule in graph.init]
    placed = [(each.path, [rule.meaning for rule in each.step.init]) for each in visits(graph.body)]
    shapes = {name: value.tensor for name, value in graph.inputs.items()}
    outputs = {name: output.value.tensor for name, output in graph.outputs.items()}
    return [steps, rules, placed, shapes, outputs, [*walk_state(graph.body)], graph.parameters, graph.sizes]


@pytest.mark.slow
def test_the_zoo_is_the_same_when_it_is_written_again(tmp_path: Path):
    for path in zoo.files():
        loaded = load_spec(path)
        copy = tmp_path / path.name
        copy.write_text(show(loaded.source, path))
        again = load_spec(copy)
        assert again.imported == ()
        assert [*again.spec.variants] == [*loaded.spec.variants]
        for variant in loaded.variants[:1]:
            ours, theirs = (compile_loaded(each, variant=variant) for each in (again, loaded))
            assert meaning(ours) == meaning(theirs), path.name


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "deeper").mkdir()
    for name, text in (("parts.yaml", PARTS), ("deeper/more.yaml", MORE), ("deeper/inner.yaml", INNER)):
        (tmp_path / name).write_text(text)
    (tmp_path / "deeper/base.yaml").write_text(BASE)
    (tmp_path / "deeper/other.yaml").write_text(OTHER)
    (tmp_path / "main.yaml").write_text(MAIN)
    return tmp_path / "main.yaml"


def test_imports_uses_and_bases_are_in_one_text_with_comments(spec: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    alone = tmp_path / "elsewhere/alone.yaml"
    alone.write_text(show_spec(spec))
    again = load_spec(alone)
    assert again.imported == ()
    assert meaning(compile_spec(alone)) == meaning(compile_spec(spec))
    for comment in ("# What it is for.", "# squeezes", "# a third", "# the only one", "# six", "# the first step"):
        assert comment in alone.read_text()
    assert show_spec(alone) == alone.read_text()


def test_a_spec_that_needs_no_other_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]):
    main(["show", "resnet50"])
    assert capsys.readouterr().out == (zoo.folder() / "resnet.yaml").read_text()


def test_a_network_of_the_zoo_is_shown_by_its_family(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    head = "netspec: 1\nname: net\ninputs: {x: [N, 3, H, W]}\nnetwork:\n"
    steps = "  - use: {network: resnet18, upto: layer1}\n  - use: {network: resnet34, from: x}\n"
    (tmp_path / "net.yaml").write_text(head + steps)
    main(["show", str(tmp_path / "net.yaml")])
    text = capsys.readouterr().out
    assert text.count("networks:") == text.count("  resnet:\n") == 1
    (tmp_path / "alone.yaml").write_text(text)
    assert meaning(compile_spec(tmp_path / "alone.yaml")) == meaning(compile_spec(tmp_path / "net.yaml"))
