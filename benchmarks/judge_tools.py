"""Tools that change ONNX files, for `judge.py`: each takes a file, and what it makes of it is run."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

Run = Callable[[Mapping[str, Any]], Sequence[Any]]
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)


def on_onnxruntime(model: onnx.ModelProto | str) -> Run:
    """Open what a tool has made on onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    held = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(held, options, providers=["CPUExecutionProvider"])
    taken = {each.name for each in session.get_inputs()}
    return lambda inputs: session.run(None, {name: each for name, each in inputs.items() if name in taken})


def slimmed(path: str) -> Run:
    """Have onnxslim shorten a file."""
    import onnxslim

    made = onnxslim.slim(path)
    assert made is not None, "onnxslim gives nothing"
    return on_onnxruntime(made)


def simplified(path: str) -> Run:
    """Have onnxsim shorten a file."""
    import onnxsim

    made, _ = onnxsim.simplify(onnx.load(path))
    return on_onnxruntime(made)


def in_torch(path: str) -> Run:
    """Have onnx2torch make a module of a file."""
    from netspec.train.names import import_torchvision

    import_torchvision()
    import torch
    from onnx2torch import convert

    model = onnx.load(path)
    module, held = convert(model).eval(), {each.name for each in model.graph.initializer}
    names = [each.name for each in model.graph.input if each.name not in held]

    def run(inputs: Mapping[str, Any]) -> Sequence[Any]:
        with torch.no_grad():
            made = module(*(torch.from_numpy(np.array(inputs[name])) for name in names))
        return [each.numpy() for each in (made if isinstance(made, (tuple, list)) else [made])]

    return run


def halved(path: str) -> Run:
    """Have onnxconverter-common write a file in float16, but for its inputs and outputs."""
    from onnxconverter_common import float16

    return on_onnxruntime(float16.convert_float_to_float16(onnx.load(path), keep_io_types=True))


def quantized(path: str) -> Run:
    """Have onnxruntime write the weights of a file in int8."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        made = str(Path(folder) / "int8.onnx")
        quantize_dynamic(path, made, weight_type=QuantType.QInt8)
        return on_onnxruntime(made)


def calibrated(path: str) -> Run:
    """Have onnxruntime prepare a file, and write it in int8 by the inputs that lie beside it."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Rows(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            with np.load(Path(path).with_name("0.npz")) as held:
                taken = {each.name for each in onnx.load(path).graph.input}
                rows = {name[3:]: held[name] for name in held.files if name[3:] in taken}
            self.rows = iter([rows])

        def get_next(self) -> Any:
            return next(self.rows, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared, made = (str(Path(folder) / name) for name in ("prepared.onnx", "int8.onnx"))
        quant_pre_process(path, prepared, auto_merge=True)
        quantize_static(prepared, made, Rows())
        return on_onnxruntime(made)


def in_later_opset(path: str) -> Run:
    """Have onnx's version converter write a file in opset 22."""
    from onnx import version_converter

    return on_onnxruntime(version_converter.convert_version(onnx.load(path), 22))


TOOLS: Mapping[str, Callable[[str], Run]] = {
    "onnxslim": slimmed,
    "onnxsim": simplified,
    "onnx2torch": in_torch,
    "float16": halved,
    "dynamic-int8": quantized,
    "static-int8": calibrated,
    "opset-22": in_later_opset,
}
