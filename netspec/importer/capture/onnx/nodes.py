"""Nodes of ONNX by the names that its schemas have: inputs, attributes, and their defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, defs

from netspec.diagnostics import UsageError
from netspec.ops.core.foreign import ForeignCall, exactly
from netspec.weights.files.onnx_file import DTYPES, OnnxFile

LATEST = 10**9


class NodeReader:
    """Reads nodes; ``versions`` has the version of each domain that the file is written in."""

    def __init__(self, file: OnnxFile, versions: Mapping[str, int]):
        self.file, self.versions = file, dict(versions)
        self.given: Mapping[str, AttributeProto] = {}
        self.schemas: dict[tuple[str, str, int], Any] = {}

    @property
    def version(self) -> int:
        """The version of ONNX's own nodes."""
        return self.versions.get("", self.versions.get("ai.onnx", 1))

    @contextmanager
    def inside(self, function: onnx.FunctionProto, given: Mapping[str, AttributeProto]) -> Iterator[None]:
        """Read the nodes of a function, whose attributes are ``given``."""
        before = self.given, self.versions
        self.given = {name: self._resolved(each) for name, each in given.items()}
        self.versions = {**self.versions, **{each.domain: each.version for each in function.opset_import}}
        yield
        self.given, self.versions = before

    def _resolved(self, attribute: AttributeProto) -> AttributeProto:
        return self.given.get(attribute.ref_attr_name, attribute) if attribute.ref_attr_name else attribute

    def schema(self, node: onnx.NodeProto) -> Any:
        """Return ONNX's schema of a node; ``None`` for one that is not ONNX's."""
        domain = "" if node.domain == "ai.onnx" else node.domain
        key = node.op_type, domain, min(self.versions.get(domain, 1), defs.onnx_opset_version())
        if key not in self.schemas:
            try:
                self.schemas[key] = defs.get_schema(key[0], key[2], key[1])
            except (defs.SchemaError, TypeError, ValueError):
                self.schemas[key] = None
        return self.schemas[key]

    def input_names(self, node: onnx.NodeProto) -> list[str]:
        """Return the schema's name of each input of a node; those of a list have the list's."""
        schema = self.schema(node)
        names = [each.name for each in schema.inputs] if schema is not None else []
        last = names[-1] if names and schema.inputs[-1].option == defs.OpSchema.FormalParameterOption.Variadic else None
        return [
            names[at] if at < len(names) else last if last is not None else f"input{at}"
            for at in range(len(node.input))
        ]

    def call(
        self, node: onnx.NodeProto, inputs: Sequence[Any], attributes: Mapping[str, Any], outputs: tuple[Any, ...]
    ) -> ForeignCall:
        """Return a node as a call. Of attributes that are the schema's defaults it has none."""
        schema = self.schema(node)
        arguments: dict[str, Any] = {}
        listed = (
            schema is not None
            and schema.inputs
            and (schema.inputs[-1].option == defs.OpSchema.FormalParameterOption.Variadic)
        )
        for name, value in zip(self.input_names(node), inputs):
            if listed and name == schema.inputs[-1].name:
                arguments.setdefault(name, []).append(value)
            elif value is not None:
                arguments[name] = value
        for name, value in attributes.items():
            default = (
                schema.attributes[name].default_value if schema is not None and name in schema.attributes else None
            )
            if default is None or not default.type or self.attribute(default) != value:
                arguments[name] = value
        own = node.domain in ("", "ai.onnx")
        return ForeignCall(node.op_type if own else f"{node.domain}.{node.op_type}", arguments, outputs)

    def attributes(self, node: onnx.NodeProto) -> dict[str, Any]:
        """Return the attributes of a node by name; of a node that is not ONNX's, those that can be read."""
        made = {}
        for each in node.attribute:
            found = self._resolved(each)
            if found.ref_attr_name:
                continue
            try:
                made[each.name] = self.attribute(found)
            except UsageError:
                if self.schema(node) is not None:
                    raise
        if node.op_type == "Cast" and "to" in made:
            kind = DTYPES.get(made["to"])
            made["dtype"] = None if kind is None or kind[0] == "bfloat16" else kind[1]
        return made

    def attribute(self, proto: AttributeProto) -> Any:
        """Return the value of an attribute: a number, a text, an array, a graph, or a list of them."""
        kind = AttributeProto.AttributeType.Name(proto.type) if proto.type in KINDS else ""
        if kind == "FLOAT":
            return exactly(proto.f)
        if kind in ("INT", "GRAPH"):
            return getattr(proto, KINDS[proto.type])
        if kind == "FLOATS":
            return [*map(exactly, proto.floats)]
        if kind in ("INTS", "GRAPHS"):
            return list(getattr(proto, KINDS[proto.type]))
        if kind == "STRING":
            return self.text(proto.s)
        if kind == "STRINGS":
            return [self.text(each) for each in proto.strings]
        if kind == "TENSOR":
            return self.file.tensor(proto.t)
        raise self.file.wrong(f"attribute `{proto.name[:80]}` is of a kind that no node here has")

    def text(self, value: bytes) -> str:
        """Return a text. Raises ``UsageError`` where it is none."""
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise self.file.wrong(f"the text {value[:40]!r} is not UTF-8") from None

    def constant(self, attributes: Mapping[str, Any]) -> Any:
        """Return the value of a node ``Constant``."""
        for name, kind in (("value_int", np.int64), ("value_ints", np.int64)):
            if name in attributes:
                return np.array(attributes[name], kind)
        for name in ("value_float", "value_floats"):
            if name in attributes:
                return np.array(attributes[name], np.float32)
        if not isinstance(attributes.get("value"), np.ndarray):
            raise self.file.wrong("a node Constant holds text, or nothing")
        return attributes["value"]


KINDS = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.GRAPH: "g",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
    AttributeProto.STRINGS: "strings",
    AttributeProto.GRAPHS: "graphs",
}
"""The fields of attributes by their types."""
