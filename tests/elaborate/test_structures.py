"""A structure is its form and its function: reading, elaboration, schema and editor follow from these."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netspec.diagnostics import SpecError
from netspec.elaborate.building.inner import grouped
from netspec.elaborate.building.merge import merge
from netspec.elaborate.building.references import previous
from netspec.elaborate.context import HANDLERS, Context, Frame, elaborates
from netspec.elaborate.steps import STRUCTURES
from netspec.graph import Node, Value, walk
from netspec.lsp.document import analyse
from netspec.lsp.hover import hover
from netspec.pipeline import compile_spec, load_spec
from netspec.reference.sources.forms import form_keys
from netspec.schema.steps import structure_schema
from netspec.spec.steps import Body, GroupStructure

SPEC = """\
netspec: 1
name: toy
inputs: {x: [N, 16]}
network:
  - gated: {name: g, body: [linear: 8, relu], gate: [linear: 8, sigmoid]}
  - linear: 4
"""


@pytest.fixture(autouse=True)
def gated() -> Iterator[type[GroupStructure]]:
    """A structure that netspec does not have."""

    class Gated(GroupStructure):
        """The body's result, let through by a gate."""

        known_as = "gated"
        main = "body"

        body: Body
        gate: Body = ()

    @elaborates(Gated)
    def elaborate(context: Context, frame: Frame, step: Gated, prev: Value | None, given: str | None) -> Value | None:
        def fill(inner: Frame, value: Value) -> Value:
            values = [previous(context, context.run(inner, body, value), step.span) for body in (step.body, step.gate)]
            return merge(context, inner, "multiply", {}, values, step.span, "parallel", ())

        return grouped(context, frame, step, prev, fill)

    yield Gated
    del STRUCTURES["gated"], HANDLERS[Gated]


def written(folder: Path, text: str) -> Path:
    path = folder / "toy.yaml"
    path.write_text(text)
    return path


def test_it_is_elaborated(tmp_path):
    graph = compile_spec(written(tmp_path, SPEC))
    assert [str(size) for size in graph.outputs["output"].value.shape] == ["N", "4"]
    ops = {path: step.op.name for path, step, _ in walk(graph.body) if isinstance(step, Node)}
    assert ops["g.multiply"] == "multiply"
    assert graph.body.parameter_count == 2 * (16 * 8 + 8) + 8 * 4 + 4


def test_its_main_key_stands_alone(tmp_path):
    graph = compile_spec(
        written(
            tmp_path, SPEC.replace("{name: g, body: [linear: 8, relu], gate: [linear: 8, sigmoid]}", "[linear: 16]")
        )
    )
    assert [step.op.name for step in graph.body.steps] == ["linear", "multiply", "linear"]


def test_a_wrong_key_is_reported(tmp_path):
    with pytest.raises(SpecError) as caught:
        load_spec(written(tmp_path, SPEC.replace("gate:", "gatee:")))
    (found,) = caught.value.diagnostics
    assert (found.id, found.help) == ("unknown-key", "did you mean `gate`?")


def test_the_schema_and_the_editor_know_it(gated):
    assert [*form_keys(gated)] == ["body", "gate", "name", "state_key", "freeze", "init", "recompute", "from"]
    mapping, alone = structure_schema("gated")["anyOf"]
    assert mapping["required"] == ["body"]
    assert alone == {"$ref": "#/$defs/body"}
    document = analyse("toy.yaml", SPEC)
    assert "let through by a gate" in hover(document, 5, 6)
    assert "16" in hover(document, 5, 30)
