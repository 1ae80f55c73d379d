"""How nodes, values and initializers are named, and how attributes are typed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import AttributeProto, TensorProto, helper

from netspec.emit.onnx.builder import GraphBuilder
from netspec.emit.onnx.versions import USUAL


def test_names_are_paths() -> None:
    builder = GraphBuilder()
    x = builder.input("x", ["N", 4])
    builder.begin("head.fc", {"weight": np.ones((4, 3), np.float32)})
    made = builder.op("MatMul", x, builder.parameter("weight"))
    made = builder.op("Add", made, builder.constant([1.0, 2.0, 3.0], "float32"))
    made = builder.op("Add", made, builder.constant(1.0, "float32"))
    assert [node.name for node in builder.nodes] == ["head.fc", "head.fc/Add", "head.fc/Add_1"]
    assert [node.outputs[0].name for node in builder.nodes] == ["head.fc", "head.fc/Add", "head.fc/Add_1"]
    assert list(builder.initializers) == ["head.fc.weight", "head.fc/const", "head.fc/const_1"]
    model = builder.model(builder.graph("main", [x], [made]), 11)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", USUAL)]
    assert builder.initializers["head.fc/const_1"].shape == ()


def test_inputs_left_out() -> None:
    builder = GraphBuilder()
    builder.begin("up")
    x = builder.input("x", [1])
    builder.op("Resize", x, None, None, x)
    builder.op("Conv", x, x, None)
    assert [len(node.inputs) for node in builder.nodes] == [4, 2]
    assert builder.nodes[0].inputs[1] is None
    assert builder.parameter("bias") is None


def test_several_outputs() -> None:
    builder = GraphBuilder()
    builder.begin("gate")
    first, second = builder.op("Split", builder.input("x", [4]), outputs=2, num_outputs=2)
    assert (first.name, second.name) == ("gate/0", "gate/1")


def test_a_parameter_is_one_initializer() -> None:
    builder = GraphBuilder()
    weight = np.ones(3, np.float32)
    builder.begin("a", {"weight": weight})
    first = builder.parameter("weight")
    assert builder.parameter("weight") is first
    builder.begin("b", {"weight": first})
    assert builder.parameter("weight") is first
    assert list(builder.initializers) == ["a.weight"]


def test_names_do_not_clash_within_a_nested_graph() -> None:
    outer = GraphBuilder()
    outer.begin("cell")
    inner = GraphBuilder(outer)
    inner.begin("cell")
    x = outer.input("x", [1])
    assert [made.name for made in (outer.op("Relu", x), inner.op("Relu", x))] == ["cell", "cell_1"]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (3, AttributeProto.INT),
        (0.5, AttributeProto.FLOAT),
        ("CRD", AttributeProto.STRING),
        ([1, 2], AttributeProto.INTS),
        ((1, 2), AttributeProto.INTS),
        ([0.5, 2.0], AttributeProto.FLOATS),
        (["Tanh", "Relu"], AttributeProto.STRINGS),
        ([], AttributeProto.INTS),
    ],
)
def test_attributes_have_the_type_of_their_value(value: Any, kind: int) -> None:
    builder = GraphBuilder()
    builder.begin("layer")
    builder.op("Anything", builder.input("x", [1]), given=value)
    attribute = builder.nodes[0].attributes["given"]
    assert attribute.type == kind
    held = helper.get_attribute_value(attribute)
    assert held == helper.get_attribute_value(helper.make_attribute("given", value, attr_type=kind))


def test_a_list_of_mixed_numbers_is_refused() -> None:
    builder = GraphBuilder()
    builder.begin("layer")
    with pytest.raises(TypeError, match="values of several types"):
        builder.op("Anything", builder.input("x", [1]), given=[1, 0.5])


def test_a_parameter_without_a_name_is_called_as_its_op() -> None:
    builder = GraphBuilder()
    builder.begin("class_token", {"": np.ones(3, np.float32)})
    assert builder.parameter("").name == "class_token"


def test_gates_are_reordered_joined_and_stacked_once() -> None:
    parameters = {"a": np.arange(6.0), "b": -np.arange(6.0)}
    builder = GraphBuilder()
    builder.begin("first", parameters)
    made = builder.gates("B", [["a", "b"], ["b", "a"]], (0, 2, 1))
    ordered = [0.0, 1.0, 4.0, 5.0, 2.0, 3.0]
    wanted = [[*ordered, *(-value for value in ordered)], [*(-value for value in ordered), *ordered]]
    assert made.array.tolist() == wanted
    builder.begin("again", {name: builder.initializer(f"first.{name}", array) for name, array in parameters.items()})
    assert builder.gates("B", [["a", "b"], ["b", "a"]], (0, 2, 1)) is made
    assert builder.gates("B", [["a"]], (0, 1)) is not made


def test_what_is_not_read() -> None:
    builder = GraphBuilder()
    builder.begin("rnn", unread={1})
    assert [builder.reads(output) for output in range(3)] == [True, False, True]
    builder.begin("next")
    assert builder.reads(1)


def test_cast() -> None:
    builder = GraphBuilder()
    builder.begin("cast")
    builder.cast(builder.input("x", [1]), "int64")
    assert builder.nodes[0].attributes["to"].i == TensorProto.INT64
