"""Random trees of levels: folding changes how a network is written, never what it is."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from importer.trees import meaning, tree_of
from random_blocks import MANY

from netspec.diagnostics import Source
from netspec.graph import Graph
from netspec.importer.fold import fold, phrase
from netspec.importer.write import write
from netspec.pipeline import compile_loaded, load_source


class RandomNetwork:
    """Writes a network level by level, of channels first, in which levels come again with the same or other numbers."""

    def __init__(self, seed: int):
        self.random = Random(seed)
        self.kinds: list[Any] = [self.kind(depth) for depth in (0, 0, 1, 1, 2)]

    def kind(self, depth: int) -> list[Any]:
        """Return the steps of a level: what they are, not their numbers."""
        draw = self.random
        steps: list[Any] = []
        for _ in range(draw.randint(1, 4)):
            what = draw.choice(["conv", "norm", "relu", "residual", "project", "branches", "aside", *["level"] * depth])
            if what in ("residual", "project"):
                steps.append((what, [draw.choice(["conv", "norm", "relu"]) for _ in range(draw.randint(1, 3))]))
            elif what == "level":
                steps.append((what, draw.randrange(2 if depth == 1 else 4), draw.randint(1, 4)))
            else:
                steps.append((what,))
        return steps

    def body(self, kind: list[Any], width: int, numbered: bool) -> list[Any]:
        """Return the steps of a level, all of whose widths are multiples of ``width``."""
        made: list[Any] = []

        def add(word: str, keyed: bool = True, **arguments: Any) -> str:
            name = str(len(made)) if numbered else f"s{len(made)}"
            made.append({word: {**({"name": name} if keyed or self.random.random() < 0.5 else {}), **arguments}})
            return name

        def simple(word: str, **arguments: Any) -> str:
            if word == "conv":
                size = self.random.choice([1, 3])
                return add("conv2d", out_channels=width, kernel_size=size, padding=size // 2, **arguments)
            return add("batch_norm2d", **arguments) if word == "norm" else add("relu", **arguments)

        for step in kind:
            first = add("identity")
            if step[0] in ("conv", "norm", "relu"):
                simple(step[0])
            elif step[0] == "level":
                for _ in range(step[2]):
                    inner = self.body(self.kinds[step[1]], self.random.choice([width, width, 2]), numbered)
                    add("sequential", body=inner)
            elif step[0] == "branches":
                left = add("conv2d", out_channels=2, kernel_size=1)
                right = add("conv2d", out_channels=width, kernel_size=1, **{"from": first})
                add("concat", **{"from": [left, right]})
            elif step[0] == "aside":
                add("sigmoid")
                add("multiply", **{"from": [first, "prev"]})
            else:
                result = [simple(word) for word in ("conv", *step[1])][-1]
                other = add("conv2d", out_channels=width, kernel_size=1, **{"from": first})
                add("add", **{"from": [result, other]})
        return made

    def spec(self) -> dict[str, Any]:
        """Return the whole spec."""
        body: list[Any] = []
        for at in range(self.random.randint(1, 5)):
            kind, width = self.random.choice(self.kinds), self.random.choice([2, 4, 8])
            numbered = self.random.random() < 0.5
            body.append({"sequential": {"name": f"l{at}", "body": self.body(kind, width, numbered)}})
        return {"netspec": 1, "name": "drawn", "inputs": {"x": ["N", 2, 8, 8]}, "network": body}


def compiled(text: str) -> Graph:
    return compile_loaded(load_source(Source("drawn.yaml", text)))


@settings(max_examples=25 * MANY, deadline=None, derandomize=MANY == 1)
@given(st.integers(0, 10**9))
def test_a_folded_tree_is_the_same_network(seed: int):
    import json

    graph = compiled(json.dumps(RandomNetwork(seed).spec()))
    for way in (phrase, fold):
        text = write(way(tree_of(graph)))
        assert meaning(compiled(text)) == meaning(graph), text
    assert len(text.splitlines()) <= len(write(phrase(tree_of(graph))).splitlines()) * 1.2 + 20


@pytest.mark.parametrize("count", [3, 30])
def test_a_run_is_one_loop(count: int):
    steps = ", ".join("{linear: 8}, relu" for _ in range(count))
    text = write(fold(tree_of(compiled(f"{{netspec: 1, name: run, inputs: {{x: [N, 8]}}, network: [{steps}]}}"))))
    assert f"repeat: {{count: {count}, body: [linear: 8, relu]}}" in text
