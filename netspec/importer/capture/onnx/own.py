"""Nodes that netspec wrote, as the ops that their notes say; a note is proven by its shapes as any reading is."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx

from netspec.dims import Dim, Size, ceil_div, floor_div
from netspec.emit.onnx.notes import KEY
from netspec.ops.core.foreign import ForeignTensor
from netspec.ops.registry import OPS

LONGEST = 1_000_000
LONGEST_SIZE = 4_000
LONGEST_NAME = 100
COUNTED = "num_batches_tracked"


class NotedOp(NamedTuple):
    """The content of a note: an op, its module's path, its arguments, its nodes, names of values and tensors, and the
    blocks of the levels around it by their paths.
    """

    op: str
    path: str
    arguments: dict[str, Any]
    nodes: int
    inputs: tuple[str | None, ...]
    outputs: tuple[str | None, ...]
    state: dict[str, str]
    blocks: dict[str, str]


def noted_op(node: onnx.NodeProto) -> NotedOp | None:
    """Return what a node's note says; ``None`` where it has none, or one that cannot be read."""
    text = next((each.value for each in node.metadata_props if each.key == KEY), "")
    if not text or len(text) > LONGEST:
        return None
    try:
        said = json.loads(text)
        arguments = {str(name): _argument(value) for name, value in said["arguments"].items()}
        names = [tuple(_name(each) for each in said[part]) for part in ("inputs", "outputs")]
        state = {str(name): str(key) for name, key in said["state"].items()}
        blocks = {str(path): _block_name(block) for path, block in said.get("blocks", {}).items()}
        own = str(said["op"]), str(said["path"]), arguments, int(said["nodes"])
        note = NotedOp(*own, names[0], names[1], state, blocks)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SyntaxError, ArithmeticError):
        return None
    return note if note.op in OPS and note.nodes > 0 else None


def held_tensors(note: NotedOp, names: Mapping[str, Any]) -> dict[str, ForeignTensor] | None:
    """Return the tensors that an op holds by torch's names; ``None`` where the file lacks one."""
    made: dict[str, ForeignTensor] = {}
    for name, key in note.state.items():
        tensor = names.get(key)
        if tensor is None and name == COUNTED:
            tensor = ForeignTensor((), "int64", constant=np.zeros((), np.int64))
        if tensor is None:
            tensor = _from_gates(note, name, key.removesuffix(f".{name}"), names)
        if tensor is None or tensor.constant is None:
            return None
        tensor.key = key
        tensor.learned = tensor.dtype.startswith("float") and not name.startswith("running_")
        made[name] = tensor
    return made


def _from_gates(note: NotedOp, name: str, home: str, names: Mapping[str, Any]) -> ForeignTensor | None:
    """A parameter of a recurrent layer, out of ONNX's, which has the gates in another order."""
    order: Sequence[int] = getattr(OPS[note.op], "onnx_order", ())
    kind, _, rest = name.rpartition("_l")
    layer, _, reverse = rest.partition("_")
    letter = {"weight_ih": "W", "weight_hh": "R", "bias_ih": "B", "bias_hh": "B"}.get(kind)
    whole = names.get(f"{home}.{letter}_l{layer}")
    if not order or whole is None or whole.constant is None:
        return None
    rows = whole.constant[1 if reverse else 0]
    if letter == "B":
        rows = np.split(rows, 2)[0 if kind == "bias_ih" else 1]
    blocks = np.split(rows, len(order))
    made = np.concatenate([blocks[list(order).index(gate)] for gate in range(len(order))])
    return ForeignTensor(made.shape, str(made.dtype), constant=made)


def _block_name(value: Any) -> str:
    """Return the name of a block, if a spec could have it."""
    if not isinstance(value, str) or not value.isidentifier() or len(value) > LONGEST_NAME:
        raise ValueError("a block's name is a short identifier")
    return value


def _name(value: Any) -> str | None:
    return None if value is None else str(value)


def _argument(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_argument, value))
    if isinstance(value, dict):
        return size_of(value["size"])
    return value


def size_of(text: str) -> Size:
    """Return the size that a text spells, as files have them: ``4*floor(H/16)``. Raises ``ValueError`` for others."""
    if len(text) > LONGEST_SIZE:
        raise ValueError("a size of so many letters is none")
    made: Size = _evaluated(ast.parse(text, mode="eval").body)
    return made


def _evaluated(node: Any) -> Any:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return Dim.symbol(name)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_evaluated(inner)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))) if 0 < power < 9:
            made = base = _evaluated(left)
            for _ in range(power - 1):
                made = made * base
            return made
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _evaluated(left) + _evaluated(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _evaluated(left) - _evaluated(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _evaluated(left) * _evaluated(right)
        case ast.Call(
            func=ast.Name(id="floor" | "ceil" as way),
            args=[ast.BinOp(left=left, op=ast.Div(), right=ast.Constant(value=int(divisor)))],
        ):
            return (floor_div if way == "floor" else ceil_div)(_evaluated(left), divisor)
    raise ValueError("this is no size")
