"""Mermaid text: the same items as the diagram's, and nothing in it but text."""

from __future__ import annotations

import re

import pytest

from netspec.emit.diagram.mermaid import mermaid_text
from netspec.pipeline import compile_spec
from netspec.text.quoting import mermaid
from netspec.view.folding import fold, size

NODE = re.compile(r"\s+(n\d+)[(\[]")
EDGE = re.compile(r"\s+(n\d+) (?:-->|-\.->|-\. \"same weights\" \.-)(?:\|\"[^\"]*\"\|)? (n\d+)")


@pytest.mark.parametrize("name", ["lenet", "resnet50", "googlenet", "unet", "gpt2", "rnn_attention", "densenet121"])
def test_every_card_is_a_node_and_every_edge_has_two(name: str) -> None:
    graph = compile_spec(name)
    text = mermaid_text(graph)
    nodes = NODE.findall(text)
    groups = text.count("subgraph ")
    assert len(set(nodes)) == len(nodes)
    assert len(nodes) + groups == size(fold(graph)) + len(graph.inputs) + len(graph.outputs)
    assert {end for edge in EDGE.findall(text) for end in edge} == set(nodes)
    assert groups == sum(line.strip() == "end" for line in text.split("\n"))


def test_a_shortcut_is_dotted() -> None:
    assert "-.->" in mermaid_text(compile_spec("resnet18"))
    assert "-.->" not in mermaid_text(compile_spec("vgg11"))


def test_a_tie_is_told_apart_from_a_shortcut() -> None:
    text = mermaid_text(compile_spec("gpt2"))
    links = [line for line in text.split("\n") if re.match(r"  n\d+ (--|-\.)", line)]
    styles = dict(re.findall(r"linkStyle ([\d,]+) stroke:(#\w+)", text))
    ((place, _),) = [(place, colour) for place, colour in styles.items() if colour == "#15803D"]
    assert re.fullmatch(r'  n\d+ -\. "same weights" \.- n\d+', links[int(place)])
    ((places, _),) = [(places, colour) for places, colour in styles.items() if colour == "#F59E0B"]
    assert all("-.->" in links[int(place)] for place in places.split(","))


def test_direction_and_expanded_levels() -> None:
    graph = compile_spec("resnet18")
    assert mermaid_text(graph).startswith("flowchart TB\n")
    assert mermaid_text(graph, direction="LR").startswith("flowchart LR\n")
    assert mermaid_text(graph, expand=["layer4"]).count("subgraph") == mermaid_text(graph).count("subgraph") + 1


@pytest.mark.parametrize("hostile", ['"]; click n1 href "x"', "<script>", "end", "a|b", "%% c", "`md`", "&lt;"])
def test_hostile_text_is_text(hostile: str) -> None:
    assert re.fullmatch(r"(?:[\w ×.,+\-]|#\d+;)*", mermaid(hostile))
