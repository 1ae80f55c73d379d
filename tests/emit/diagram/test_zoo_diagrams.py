"""The diagrams of the whole zoo: nothing of the network is missing, and everything drawn is joined to the rest."""

from __future__ import annotations

import re

import pytest
from clock import at_most
from diagram_text import groups, ids

from netspec import zoo
from netspec.emit.diagram.dot import dot_text
from netspec.graph import parameter_count
from netspec.pipeline import compile_loaded, load_spec
from netspec.view.folding import ROOM, Box, fold, size

LOADED = {path.stem: load_spec(path) for path in zoo.files()}
VARIANTS = [(name, variant) for name, loaded in LOADED.items() for variant in loaded.variants or [None]]


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda pair: ":".join(filter(None, pair)))
def drawing(request):
    """A graph and its diagram."""
    name, variant = request.param
    graph = compile_loaded(LOADED[name], variant=variant)
    return graph, dot_text(graph)


def learned(items, times=1):
    """Learned numbers of what is drawn: a card's or an open level's, as often as it stands for."""
    for item in items:
        if isinstance(item, Box):
            yield from learned(item.items, times * item.count * (not item.call.shares))
        else:
            yield times * item.count * sum(parameter_count(step) for step in item.steps)


def test_it_fits_a_page(drawing):
    graph, _ = drawing
    assert size(fold(graph)) <= ROOM


def test_the_cards_hold_all_parameters(drawing):
    graph, _ = drawing
    assert sum(learned(fold(graph))) == graph.body.parameter_count


def test_every_card_has_a_path_of_its_own(drawing):
    _, text = drawing
    paths = list(ids(text).values())
    assert len(paths) == len(set(paths))


def test_everything_drawn_is_joined_to_an_input(drawing):
    graph, text = drawing
    drawn = set(ids(text).values())
    assert drawn >= {f"input:{name}" for name in graph.inputs} | {f"output:{name}" for name in graph.outputs}
    levels = set(re.findall(r'subgraph cluster_n\d+ {\n +graph \[id="([^"]*)"', text))
    for joined in groups(text):
        assert any(name.startswith("input:") for name in joined) or joined <= levels, joined


def test_no_link_and_no_absolute_path_is_written(drawing):
    _, text = drawing
    assert "URL" not in text


@pytest.mark.timing
@pytest.mark.parametrize("name", LOADED)
def test_a_diagram_takes_no_time(name):
    for variant in LOADED[name].variants or [None]:
        graph = compile_loaded(LOADED[name], variant=variant)
        with at_most(30):  # most take less than one
            dot_text(graph)
