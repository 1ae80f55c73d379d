"""Every network of the zoo by name, compiled, and built without memory on torch's meta device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

import torch
from torch import Tensor, nn

from netspec import zoo
from netspec.dims import evaluate_shape
from netspec.emit.source import Program, emit_source
from netspec.graph import Graph
from netspec.pipeline import compile_spec, load_spec
from netspec.runtime.module import load_source
from netspec.syntax import ListNode, ScalarNode, SyntaxNode

torch.set_num_threads(1)


BUILDS = {variant or each.spec.name: each for each in map(load_spec, zoo.files()) for variant in each.variants}
"""Every build of every family: its defaults by its own name, and each variant."""


def words_of(node: SyntaxNode) -> tuple[str | bool, ...]:
    """Return what stands in a value that is no number."""
    if isinstance(node, ListNode):
        return tuple(word for item in node.items for word in words_of(item))
    return (node.value,) if isinstance(node, ScalarNode) and isinstance(node.value, (str, bool)) else ()


def forms(names: Iterable[str]) -> list[str]:
    """Return the first build of each family with these values for all parameters that are words, or true or false."""
    found: dict[object, str] = {}
    for name in names:
        spec = BUILDS[name].spec
        variant = spec.variants.get(name)
        nodes = {} if variant is None else {key: node for key, (_, node) in variant.values.items()}
        words = {key: words_of(node) for key, node in nodes.items()}
        form = frozenset((key, word) for key, word in words.items() if word)
        found.setdefault((spec.name, form), name)
    return [*found.values()]


FORMS = forms(BUILDS)
"""One build for each form of a family: others differ from one of these in numbers alone."""
SEQUENCES = [name for name, loaded in BUILDS.items() if "T" in loaded.spec.dims]
"""The builds that take sequences of any length."""


@cache
def compiled(name: str) -> tuple[Graph, Program]:
    """The graph of a zoo entry and its source."""
    graph = compile_spec(name)
    return graph, emit_source(graph)


def on_meta(name: str) -> nn.Module:
    """A zoo entry's module with shapes and no values."""
    _, program = compiled(name)
    with torch.device("meta"):
        made: nn.Module = getattr(load_source(program.text), program.class_name)()
    return made


def meta_inputs(graph: Graph, sizes: Mapping[str, int]) -> list[Tensor | None]:
    """Inputs of these sizes with no values, in the order that ``forward`` takes them.

    Without lengths, which torch reads where it packs a batch: here are no numbers to read.
    """
    made: list[Tensor | None] = []
    for name, value in graph.inputs.items():
        if name == "lengths":
            assert value.optional
            made.append(None)
            continue
        dtype = getattr(torch, value.tensor.dtype)
        made.append(torch.empty(evaluate_shape(value.shape, sizes), dtype=dtype, device="meta"))
    return made


def batch_of_two(graph: Graph) -> dict[str, int]:
    """The graph's sizes with at least two samples, which normalisation in training needs."""
    first = {name for value in graph.inputs.values() for name in getattr(value.shape[0], "symbols", ())}
    return {name: max(size, 2) if name in first else size for name, size in graph.sizes.items()}
