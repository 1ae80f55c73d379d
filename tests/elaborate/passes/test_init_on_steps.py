"""``init`` on steps: which parameters it reaches, over which other rules it wins, and what says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from places import CASES
from torch import Tensor

from netspec.elaborate import ElaborationCache
from netspec.emit.diff import Diff
from netspec.emit.diff.text import diff_text
from netspec.emit.source import emit_source
from netspec.graph import Call, walk
from netspec.pipeline import compile_loaded, compile_spec, load_spec
from netspec.runtime.module import build_module

SPEC = CASES / "passing" / "init_on_steps.yaml"


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return build_module(compile_spec(SPEC), seed=3).state_dict()


def constant(tensor: Tensor) -> float | None:
    """The number that fills a tensor; none where there are several."""
    first = tensor.flatten()[0]
    return first.item() if bool((tensor == first).all()) else None


@pytest.mark.parametrize(
    ("key", "number", "why"),
    [
        ("stem.bias", 7.0, "one function is for weights alone: the rest is up to the rules at the top"),
        ("stage.3.bn.weight", 0.0, "in a block, and over the rules at the top"),
        ("stage.3.bn.bias", 7.0, "nobody else names it"),
        ("outer.bn.weight", 0.0, "a block is the same wherever it is called"),
        ("outer.conv.bias", 3.0, "of one step's rules the last wins"),
        ("outer.bn.bias", 3.0, "a pattern reaches all that is in the block"),
        ("mixed.weight", 0.0, "the inner step wins over the structure around it"),
        ("mixed.bias", 4.0, "paths of a structure that is no level start around it"),
        ("turn.1.weight", 5.0, "paths of a named structure start in it"),
        ("head.weight", 0.0, ""),
        ("head.bias", 7.0, ""),
    ],
)
def test_what_wins(state: dict[str, Tensor], key: str, number: float, why: str):
    assert constant(state[key]) == number, why


def test_expressions_see_what_the_step_sees(state: dict[str, Tensor]):
    for path in ("stage.0", "stage.7", "outer"):
        assert state[f"{path}.conv.weight"].std().item() == pytest.approx(0.05, rel=0.1)
    assert not torch.equal(state["stage.0.conv.weight"], state["stage.7.conv.weight"])


def test_the_standalone_source_does_the_same(state: dict[str, Tensor]):
    text = emit_source(compile_spec(SPEC)).text
    assert 'name.endswith(".bn.weight")' in text  # what all blocks have needs no list
    namespace: dict = {}
    exec(text, namespace)
    made = namespace["InitOnSteps"]().state_dict()
    assert [*made] == [*state]
    for key, tensor in state.items():
        if constant(tensor) is not None:
            assert torch.equal(made[key], tensor), key


def test_what_a_recipe_starts_from_is_last(tmp_path: Path):
    """One start is held against another: `--over train.init=…` is for every weight matrix, whatever else is said."""
    train = "train: {data: digits, loss: cross_entropy, optimizer: sgd, epochs: 1, init: {constant: 9}}\n"
    path = tmp_path / "it.yaml"
    path.write_text(SPEC.read_text().replace("image: [N, 3, 8, 8]", "image: [N, 1, 8, 8]") + train)
    state = build_module(compile_spec(path)).state_dict()
    assert [constant(state[key]) for key in ("head.weight", "mixed.weight", "outer.bn.weight")] == [9.0, 9.0, 0.0]


def test_levels_that_start_alike_are_one():
    graph = compile_spec(SPEC)
    parts = [step for path, step, _ in walk(graph.body) if isinstance(step, Call) and path.startswith("stage.")]
    assert len({part.body for part in parts}) == 1


@pytest.mark.parametrize("key", ["init", "freeze"])
def test_variants_that_differ_in_it_alone_share_no_level(key: str, tmp_path: Path):
    """A block's level is kept for other variants by the words in it: those of its marks count too."""
    marks = {"init": "init: {weight: {constant: 0 if quiet else 1}}", "freeze": "freeze: quiet"}
    path = tmp_path / "it.yaml"
    path.write_text(
        "netspec: 1\nname: it\nparams: {quiet: true}\nvariants: {it: {}, loud: {quiet: false}}\n"
        f"inputs: {{x: [N, 8]}}\nblocks: {{part: {{body: [{{linear: {{out_features: 8, {marks[key]}}}}}]}}}}\n"
        "network: [{part: {name: a}}]\n"
    )
    loaded, shared = load_spec(str(path)), ElaborationCache()
    found = []
    for variant in ("it", "loud"):
        (weight, _) = build_module(compile_loaded(loaded, variant=variant, shared=shared)).parameters()
        found.append(constant(weight) if key == "init" else weight.requires_grad)
    assert found == ([0.0, 1.0] if key == "init" else [False, True])


def test_what_is_shared_starts_where_the_original_does(tmp_path: Path):
    path = tmp_path / "it.yaml"
    path.write_text(
        "netspec: 1\nname: it\ninputs: {x: [N, 8]}\n"
        "network: [{linear: {name: a, out_features: 8, init: ones}}, {share: a}]\n"
    )
    assert constant(build_module(compile_spec(path)).state_dict()["a.weight"]) == 1.0
    assert emit_source(compile_spec(path)).text.count("nn.init.ones_") == 1


def test_a_difference_says_it():
    loaded = load_spec(str(SPEC))
    quiet, loud = (compile_loaded(loaded, variant=variant) for variant in (None, "loud"))
    text = diff_text(Diff(quiet, loud), 100, colour=False)
    assert "*.bn.weight" in text
