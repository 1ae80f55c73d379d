"""The text of a network without folding compiles to the network that it was."""

from __future__ import annotations

import pytest
from importer.trees import meaning, tree_of

from netspec.diagnostics import Source
from netspec.graph import Graph
from netspec.importer.fold.phrasing import phrase
from netspec.importer.write import write
from netspec.pipeline import compile_loaded, compile_spec, load_source


def compiled(text: str) -> Graph:
    return compile_loaded(load_source(Source("written.yaml", text)))


@pytest.mark.parametrize(
    "name",
    ["resnet18", "googlenet", "inception_v3", "unet", "densenet121", "gpt2", "vit_b_16", "llama", "seq2seq",
     "deeplabv3", "siamese", "lstm_lm", "yolov8"],
)  # fmt: skip
def test_a_network_level_by_level_is_what_it_was(name: str):
    graph = compile_spec(name)
    text = write(phrase(tree_of(graph)))
    assert [*meaning(compiled(text)).values()] == [*meaning(graph).values()]
    assert all(len(line) <= 120 or line.startswith("doc:") for line in text.splitlines())
