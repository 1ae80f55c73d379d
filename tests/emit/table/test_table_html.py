"""What notebooks show: the numbers of the text table, and hostile text as text."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

import netspec
from netspec.emit.table import ShapeTable
from netspec.pipeline import compile_spec


class Seen(HTMLParser):
    """The tags, the attributes and the cells of an HTML text, as a browser's parser finds them."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


TAGS = {"div", "b", "span", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}


def test_the_rows_are_those_of_the_text():
    seen = Seen(netspec.load("lenet")._repr_html_())
    assert seen.rows[0] == ["layer", "op", "output", "params", "MACs"]
    assert seen.rows[2] == ["0", "conv2d 5×5, 6", "N×6×28×28", "156", "117,600"]
    assert seen.rows[3] == ["1", "sigmoid", "″", "", ""]
    assert len(seen.rows) == 14
    text = netspec.load("lenet").shapes().text(width=200)
    for line in text.split("\n")[-3:]:
        assert line in seen.text


def test_repeats_and_levels_are_folded_as_in_the_text():
    seen = Seen(netspec.load("resnet50").shapes()._repr_html_())
    assert set(seen.tags) <= TAGS
    assert seen.attributes == {"style", "title"}
    assert ["1–2 ×2", "bottleneck", "″", "70,400", "218,365,952"] in seen.rows


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '" onmouseover="alert(1)',
        "&lt;b&gt;",
        "</td></table>",
    ],
)
def test_hostile_text_stays_text(hostile: str):
    graph = compile_spec("lenet")
    steps = (replace(graph.body.steps[0], name=hostile, named=True), *graph.body.steps[1:])
    body = replace(graph.body, steps=steps)
    graph = replace(graph, name=hostile, doc=hostile, body=body, inputs={hostile: graph.inputs["image"]})
    seen = Seen(ShapeTable(graph)._repr_html_())
    assert set(seen.tags) <= TAGS
    assert seen.attributes == {"style", "title"}
    assert hostile in seen.text
    assert [row[0] for row in seen.rows[1:3]] == [hostile, hostile]
