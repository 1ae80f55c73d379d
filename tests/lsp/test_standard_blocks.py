"""The library's blocks in an editor: offered, explained, and gone to."""

from __future__ import annotations

from netspec import library
from netspec.lsp.completion import complete
from netspec.lsp.definition import definition
from netspec.lsp.document import analyse
from netspec.lsp.hover import hover

TEXT = """netspec: 1
name: net
inputs: {x: [N, T, 8]}
network:
  - self_attention: {num_heads: 2, causal: true}
  - additive_attention: {name: it, query: q, key: x, value: x, hidden: 3}
"""


def test_they_are_offered_with_what_they_need() -> None:
    text = TEXT + "  - "
    items = {item.label: item for item in complete(analyse("net.yaml", TEXT), text, 7, 5)}
    assert set(library.names()) <= set(items)
    assert items["self_attention"].insert == "self_attention: {num_heads: $1\\}$0"
    assert items["feed_forward"].documentation.startswith("Two linear layers")


def test_their_arguments_and_inputs_are_offered() -> None:
    text = TEXT + "  - additive_attention: {"
    items = {item.label: item for item in complete(analyse("net.yaml", TEXT), text, 7, 26)}
    assert {
        "hidden",
        "dropout",
        "query",
        "key",
        "value",
        "mask",
        "name",
        "from",
        "freeze",
        "init",
        "recompute",
        "state_key",
    } == set(items)
    assert items["hidden"].documentation == "the width of the small network"


def test_where_weights_start_is_offered_and_explained() -> None:
    line = "  - linear: {out_features: 3, init: "
    items = {item.label: item for item in complete(analyse("net.yaml", TEXT), TEXT + line, 7, len(line) + 1)}
    assert items["kaiming_normal"].detail == "where weights start"
    asked = TEXT + "  - linear: {out_features: 3, init: zeros}\n"
    told = hover(analyse("net.yaml", asked), 7, len("  - linear: {out_features: 3, i"))
    assert told is not None
    assert told.startswith("`init`: where its parameters start: one function for its weights")


def test_hover_explains_a_block_and_its_parameters() -> None:
    document = analyse("net.yaml", TEXT)
    told = hover(document, 5, 8)
    assert told is not None
    assert "Multi-head attention of a sequence to itself" in told
    assert "- `num_heads`: int · how many heads, which divide C" in told
    assert hover(document, 5, 36) == (
        "`causal`: false · whether each place sees itself and those before it only (a parameter of `self_attention`)"
    )


def test_definition_leads_into_the_library() -> None:
    span = definition(analyse("net.yaml", TEXT), 5, 8)
    assert span is not None
    path = library.READ[span.source]
    assert path.name == "self_attention.yaml"
    assert path.read_text(encoding="utf-8").split("\n")[span.line - 1] == "  self_attention:"


def test_their_inputs_are_references() -> None:
    column = TEXT.split("\n")[5].index("key: x") + len("key: x")
    span = definition(analyse("net.yaml", TEXT), 6, column)
    assert span is not None
    assert (span.line, span.column) == (3, 10)
