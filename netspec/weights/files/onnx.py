"""ONNX files of netspec's: initializers have the keys of the spec, and those of recurrent layers are taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from netspec.dims import Shape
from netspec.emit.onnx.names import key_in_form, whole
from netspec.ops.recurrent.sequence import GRU, LSTM, RNN
from netspec.weights.files.base import TensorFile
from netspec.weights.files.onnx_file import OnnxFile

if TYPE_CHECKING:
    from torch import Tensor

PRODUCER = "netspec"
JOINED = re.compile(r"(?P<path>.+)\.(?P<letter>[WRBP])_l(?P<layer>\d+)")
RECURRENT = {kind.onnx_type: kind for kind in (GRU, LSTM, RNN)}


class OnnxWeights(TensorFile):
    """An ONNX file that netspec has written."""

    @cached_property
    def state(self) -> Mapping[str, Any]:
        """The tensors by the spec's keys, as numpy has them."""
        file = OnnxFile(self.path)
        if PRODUCER not in file.model.producer_name:
            raise self.wrong(
                "was not written by netspec, so its tensors have other names: "
                f"`netspec import {self.path} -o net.yaml --weights net.safetensors` reads it"
            )
        held = {each.name: file.tensor(each) for each in _initializers(file.model.graph)}
        joined: dict[tuple[str, str], dict[str, Any]] = {}
        for name, array in held.items():
            if (parts := JOINED.fullmatch(name)) is not None:
                joined.setdefault((parts["path"], parts["layer"]), {})[parts["letter"]] = array
        for (path, layer), arrays in joined.items():
            kind = _kind(file.model.graph, f"{path}.W_l{layer}")
            if kind is not None and {"W", "R"} <= arrays.keys():
                held |= {f"{path}.{name}": array for name, array in kind.torch_parameters(arrays, int(layer)).items()}
                for letter in arrays:
                    del held[f"{path}.{letter}_l{layer}"]
        keys = dict.fromkeys(key for name in held if (key := key_in_form(name)))
        return {key: whole(key, held) for key in keys}

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each tensor by its key."""
        return {key: tuple(array.shape) for key, array in self.state.items()}

    def tensors(self, keys: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
        """Yield these tensors."""
        import torch

        yield from ((key, torch.from_numpy(np.array(self.state[key]))) for key in keys)


def _initializers(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """The tensors of a graph, and of those inside it."""
    yield from graph.initializer
    for node in graph.node:
        for inner in (attribute.g for attribute in node.attribute if attribute.HasField("g")):
            yield from _initializers(inner)


def _kind(graph: onnx.GraphProto, initializer: str) -> Any:
    """The class of the recurrent layer that reads an initializer; ``None`` where none does."""
    for node in graph.node:
        if initializer in node.input:
            return RECURRENT.get(node.op_type)
        for inner in (attribute.g for attribute in node.attribute if attribute.HasField("g")):
            if (kind := _kind(inner, initializer)) is not None:
                return kind
    return None
