"""Notes on nodes, and those of steps without nodes, as they stand in the metadata of a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import onnx

from netspec.emit.onnx.notes import KEY, SILENT, SIZES
from netspec.importer.capture.onnx.own.sizes import size_of
from netspec.ops.registry import OPS

LONGEST = 4_000_000
LONGEST_NAME = 100
LARGEST = 2**31 - 1
PATH = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, SyntaxError, ArithmeticError)


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


class SilentOps(NamedTuple):
    """The steps without nodes of a graph, by each value that they give; the file's names of these, and of outputs."""

    makers: Mapping[str, NotedOp]
    values: Mapping[str, str]
    outputs: Mapping[str, str]


def noted_op(node: onnx.NodeProto) -> NotedOp | None:
    """Return what a node's note says; ``None`` where it has none, or one that cannot be read."""
    try:
        note = _note(_said(node.metadata_props, KEY))
    except MALFORMED:
        return None
    return note if note.nodes > 0 else None


def silent_ops(graph: onnx.GraphProto) -> SilentOps:
    """Return the steps of a graph that have no nodes; none where it says of none, or what cannot be read."""
    try:
        said = _said(graph.metadata_props, SILENT)
        notes = [_note(each) for each in said["ops"]]
        makers = {name: note for note in notes for name in note.outputs if name is not None and note.nodes == 0}
        values, outputs = ({str(name): str(of) for name, of in said[part].items()} for part in ("values", "outputs"))
        return SilentOps({name: note for name, note in makers.items() if name in values}, values, outputs)
    except MALFORMED:
        return SilentOps({}, {}, {})


def quoted_sizes(model: onnx.ModelProto) -> dict[str, int]:
    """Return the sizes that a file says costs are quoted at; none where it does not say."""
    try:
        said = _said(model.metadata_props, SIZES)
        return {str(name): size for name, size in said.items() if type(size) is int and 0 < size <= LARGEST}
    except MALFORMED:
        return {}


def _said(metadata: Iterable[onnx.StringStringEntryProto], key: str) -> Any:
    text = next((each.value for each in metadata if each.key == key), "")
    if not text or len(text) > LONGEST:
        raise ValueError("there is no note")
    return json.loads(text)


def _note(said: Any) -> NotedOp:
    arguments = {str(name): _argument(value) for name, value in said["arguments"].items()}
    names = [tuple(_name(each) for each in said[part]) for part in ("inputs", "outputs")]
    state = {str(name): _path(key) for name, key in said["state"].items()}
    blocks = {_path(path): _block_name(block) for path, block in said.get("blocks", {}).items()}
    op = OPS[str(said["op"])].name
    return NotedOp(op, _path(said["path"]), arguments, int(said["nodes"]), names[0], names[1], state, blocks)


def _path(value: Any) -> str:
    """Return a path of steps, or the key of a tensor."""
    if not isinstance(value, str) or not PATH.fullmatch(value):
        raise ValueError("a path is names with dots between them")
    return value


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
