"""What a network requires of its symbolic dimensions, and what only its training does."""

from __future__ import annotations

import pytest

from netspec.diagnostics import Source, SpecError
from netspec.elaborate import ElaborationCache
from netspec.graph import Graph
from netspec.pipeline import compile_loaded, load_source

HEAD = """\
netspec: 1
name: net
inputs: {image: [N, 3, H, W]}
params: {first: true}
blocks:
  small: {body: [{max_pool2d: {kernel_size: 4}}]}
  beside: {body: [{side: {when: training, body: [small]}}]}
network:
"""


def compiled(network: str, shared: ElaborationCache | None = None, **sizes: int) -> Graph:
    return compile_loaded(load_source(Source("net.yaml", HEAD + network)), sizes=sizes, shared=shared)


def required(graph: Graph) -> dict[str, bool]:
    """What is required, and whether by training alone."""
    return {f"{each.left} {each.relation} {each.right}": each.training for each in graph.requirements}


SMALL = ("⌊H/4⌋ >= 1", "⌊W/4⌋ >= 1")


@pytest.mark.parametrize(
    ("network", "training"),
    [
        ("- small", False),
        ("- side: {when: training, body: [small]}", True),
        ("- side: {when: training, body: [{sequential: {name: head, body: [small]}}]}", True),
        ("- side: [small]", False),
        ("- beside", True),
        ("- side: {when: training, body: [{side: [small]}]}", True),
        ("- side: {when: training, body: [small]}\n- small", False),
        ("- side: [small]\n- side: {when: training, body: [small]}", False),
        ("- side: {when: training, body: [{max_pool2d: 4}]}\n- max_pool2d: 4", False),
        ("- side: [beside]\n- side: {when: training, body: [beside]}", True),
    ],
)
def test_a_requirement_is_of_training_where_no_inference_needs_it(network: str, training: bool):
    graph = compiled(network)
    assert required(graph) == dict.fromkeys(SMALL, training)
    if training:
        assert compiled(network, H=3, W=1).sizes == {"N": 1, "H": 3, "W": 1}
    else:
        with pytest.raises(SpecError, match="max_pool2d has an empty output: ⌊H/4⌋ is 0"):
            compiled(network, H=3, W=4)


def test_what_variants_share_keeps_its_mark():
    """Whichever is worked out first."""
    text = HEAD.replace("params:", "variants: {other: {first: false}}\nparams:")
    text += "- side: {when: training, body: [{if: {test: first, then: [small], else: [relu]}}]}\n"
    text += "- if: {test: first, then: [relu], else: [small]}\n"
    loaded = load_source(Source("net.yaml", text))
    for order in ([None, "other"], ["other", None]):
        shared = ElaborationCache()
        found = {variant: required(compile_loaded(loaded, variant=variant, shared=shared)) for variant in order}
        assert found == {None: dict.fromkeys(SMALL, True), "other": dict.fromkeys(SMALL, False)}


def test_a_fixed_size_that_training_cannot_take_is_refused():
    text = HEAD.replace("H, W", "3, 3") + "- side: {when: training, body: [small]}"
    with pytest.raises(SpecError, match="a window of 4 does not fit into 3"):
        compile_loaded(load_source(Source("net.yaml", text)))


INSIDE = """\
networks:
  halved: {netspec: 1, name: halved, inputs: {x: [N, 3, H, W]}, network: [max_pool2d: 4]}
network:
  - if:
      test: first
      then: [{sequential: {body: [INNER]}}, {sequential: {from: image, body: [around]}}]
      else: [around]
"""


@pytest.mark.parametrize("inner", ["small", "use: halved"])
def test_what_a_block_requires_is_known_to_the_blocks_around_it(inner: str):
    """Also where it was worked out for another step before, in another variant."""
    text = HEAD.replace("params:", "variants: {other: {first: false}}\nparams:").replace("network:\n", "")
    text += f"  around: {{body: [{{sequential: [{inner}]}}]}}\n" + INSIDE.replace("INNER", inner)
    loaded = load_source(Source("net.yaml", text))
    shared = ElaborationCache()
    for variant in (None, "other"):
        assert required(compile_loaded(loaded, variant=variant, shared=shared)) == dict.fromkeys(SMALL, False)
