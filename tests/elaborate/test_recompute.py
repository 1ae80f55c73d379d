"""``recompute``: which levels it marks, what says so, and that it changes nothing that is computed."""

from __future__ import annotations

import pytest
import torch
from places import CASES
from torch import Tensor, nn

from netspec.emit.diff import Diff
from netspec.emit.diff.text import diff_text
from netspec.emit.source import emit_source
from netspec.graph import Call, Graph, walk
from netspec.graph.recomputed import with_recomputed
from netspec.pipeline import compile_spec
from netspec.runtime.examples import example_inputs
from netspec.runtime.module import build_module

SPEC = CASES / "passing" / "recompute.yaml"
MARKED = ["h.0", "h.1", "late0", "late1", "part3", "part3.0", "part5", "part5.0", "unit", "first", "again", "cell"]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return compile_spec(SPEC)


def marked(graph: Graph) -> list[str]:
    """The paths of the levels that are recomputed."""
    return [path for path, step, _ in walk(graph.body) if isinstance(step, Call) and step.recompute]


def without(graph: Graph) -> Graph:
    """The same graph with nothing that is recomputed."""
    return with_recomputed(graph, (), only=True)


def test_levels_are_marked_one_by_one_and_the_iterations_of_a_loop(graph: Graph) -> None:
    assert marked(graph) == MARKED
    assert marked(compile_spec(SPEC, overrides={"early": 0, "layers": 2})) == [
        path for path in MARKED if path not in ("late0", "late1", "unit")
    ]


def test_the_source_runs_them_by_a_function_that_it_brings_along(graph: Graph) -> None:
    text = emit_source(graph).text
    assert 'x = recompute(getattr(self, "0"), x)' in text
    assert "x, _ = recompute(self.cell, words, x)" in text
    assert text.count("recompute(") == 1 + text.count(" = recompute(") == 12
    assert "recompute(" not in emit_source(without(graph)).text


def test_a_difference_says_it(graph: Graph) -> None:
    text = diff_text(Diff(graph, compile_spec(SPEC, overrides={"early": 1})), 80, colour=False)
    assert "no longer recomputed" in text


def test_a_graph_is_marked_by_paths(graph: Graph) -> None:
    plain = without(graph)
    assert marked(plain) == []
    more = with_recomputed(plain, ["late1", "late2", "part5.0"])
    assert marked(more) == ["late1", "late2", "part5.0"]
    bodies = {path: step.body for path, step, _ in walk(more.body) if isinstance(step, Call)}
    assert len({bodies[f"late{number}"] for number in range(4)}) == 1
    assert bodies["part3"] is not bodies["part5"]


def learned(model: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """The gradients and buffers of a network after two passes in training, and the random number that comes next."""
    torch.manual_seed(3)
    for _ in range(2):
        outputs: list[Tensor] = [*model.train()(*inputs).values()]
        torch.stack([each.square().sum() for each in outputs]).sum().backward()
    gradients = [each.grad for each in model.parameters() if each.grad is not None]
    return [*gradients, *model.buffers(), torch.rand(1)]


def test_gradients_statistics_and_random_numbers_are_the_same_bit_for_bit(graph: Graph) -> None:
    inputs = tuple(example_inputs(graph, {"N": 3, "H": 5, "W": 6, "T": 4}).values())
    own, plain = (learned(build_module(each), inputs) for each in (graph, without(graph)))
    for ours, theirs in zip(own, plain, strict=True):
        assert ours.equal(theirs)


def test_batch_norms_count_a_batch_once(graph: Graph) -> None:
    model = build_module(graph)
    inputs = tuple(example_inputs(graph, {"N": 2, "H": 4, "W": 4, "T": 2}).values())
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    statistics = [norm.running_mean for norm in norms]
    learned(model, inputs)
    runs = {2: len(norms) - 1, 4: 1}  # `again` shares one
    assert {count: [int(norm.num_batches_tracked) for norm in norms].count(count) for count in runs} == runs
    assert all(norm.running_mean is mean for norm, mean in zip(norms, statistics))


@pytest.mark.slow  # torch traces the network
def test_a_compiled_network_recomputes_and_counts_once(graph: Graph) -> None:
    inputs = tuple(example_inputs(graph, {"N": 2, "H": 4, "W": 4, "T": 2}).values())
    compiled, plain = build_module(graph), build_module(graph)
    torch._dynamo.reset()
    compiled.compile(backend="aot_eager")
    for ours, theirs in zip(learned(compiled, inputs), learned(plain, inputs), strict=True):
        torch.testing.assert_close(ours, theirs)
