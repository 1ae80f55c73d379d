"""The runtimes that a file may be written for: the versions of ONNX that they read, and what they lack of it.

What stands here of onnxruntime from 1.15 on and of OpenVINO was found by running the zoo on them, and by loading the
file of every case of every op (`benchmarks/targets.py`); of older onnxruntimes and of TensorRT it is what they say
themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from netspec.diagnostics import UsageError
from netspec.diagnostics.suggest import did_you_mean
from netspec.emit.onnx.parts import OnnxNode
from netspec.emit.onnx.precision.half import Half
from netspec.emit.onnx.precision.int8 import Int8
from netspec.emit.onnx.versions import NEWEST

Version = tuple[int, ...]


class Lack(NamedTuple):
    """Nodes that a runtime does not have, or has wrong: those for which ``when`` holds; ``way`` is the way round."""

    way: str
    when: Callable[[OnnxNode], bool] = lambda node: True


class Runtime(NamedTuple):
    """A runtime of a version: the newest opset and format that it reads, and what it lacks by the kinds of nodes.

    One is given a page's address of ``one_file``, and looks for no weights beside it.
    """

    name: str
    opset: int
    ir: int
    lacks: Mapping[str, Lack] = {}
    one_file: bool = False


class OnnxForm(NamedTuple):
    """The version of ONNX that a file is to be in; ``None`` is the lowest in which the network loses nothing.

    Of a ``runtime`` it is at most what that reads, even if something is said worse. ``int8`` has the
    layers that are in 8 bits, and ranges; ``half`` says that it is in 16. An ``optimized`` one has
    fewer nodes.
    """

    opset: int | None = None
    ir: int | None = None
    runtime: Runtime | None = None
    optimized: bool = False
    int8: Int8 | None = None
    half: Half | None = None


ANY_FORM = OnnxForm()


def _reads(at: int) -> Callable[[OnnxNode], bool]:
    return lambda node: len(node.inputs) > at and node.inputs[at] is not None


LENGTHS = Lack("it runs every sequence to its end: leave `lengths` out, and give it sequences of one length", _reads(4))
OPENVINO: Mapping[str, Lack] = {kind: LENGTHS for kind in ("GRU", "LSTM", "RNN")}
TENSORRT: Mapping[str, Lack] = {
    kind: Lack("take the step out of the network, or write a plugin of TensorRT's for it")
    for kind in ("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "Col2Im", "DeformConv", "Det", "MaxRoiPool")
}
ONNXRUNTIME: Mapping[Version, tuple[int, int]] = {
    (1, 10): (15, 8),
    (1, 11): (16, 8),
    (1, 12): (17, 8),
    (1, 14): (18, 8),
    (1, 15): (18, 9),
    (1, 16): (19, 9),
    (1, 17): (20, 9),
    (1, 18): (21, 10),
    (1, 21): (22, 10),
    (1, 23): (23, 11),
}
"""The opset and the format of the first version that has them; 1.15 has not all of opset 19, as no Pad."""
VERSIONS: Mapping[str, Mapping[Version, tuple[int, int]]] = {
    "onnxruntime": ONNXRUNTIME,
    "onnxruntime-web": ONNXRUNTIME,
    "coreml": ONNXRUNTIME,
    "openvino": {(2024, 0): (17, 9), (2025, 0): (21, 10)},
    "tensorrt": {(8, 4): (13, 8), (8, 6): (17, 8), (10, 0): (20, 9), (10, 8): (22, 10)},
}
"""The versions of the runtimes; `coreml` is onnxruntime's provider, whose other nodes run on the CPU."""
KERNELS: Mapping[str, Version] = {"DeformConv": (1, 25)}
"""The onnxruntimes that nodes run on from a later version on than their opset is read."""
ONE_FILE = ("onnxruntime-web",)
LACKS: Mapping[str, Mapping[str, Lack]] = {"openvino": OPENVINO, "tensorrt": TENSORRT}


def form_of(opset: int | None, ir: int | None, runtime: str | None, optimized: bool = False) -> OnnxForm:
    """Return the form that options ask for. Raises ``UsageError`` for what the runtime does not read."""
    if runtime is None:
        return OnnxForm(opset, ir, optimized=optimized)
    found = runtime_named(runtime)
    for name, asked, most in (("--opset", opset, found.opset), ("--ir", ir, found.ir)):
        if asked is not None and asked > most:
            raise UsageError(f"{found.name} reads no more than `{name} {most}`")
    return OnnxForm(opset, ir, found, optimized)


def runtime_named(text: str) -> Runtime:
    """Return the runtime of a text such as ``onnxruntime==1.20``; without a version, the newest.

    Raises ``UsageError`` for one that is not known, and for a version before the first known.
    """
    name, equals, said = (part.strip() for part in text.partition("=="))
    if name not in VERSIONS:
        raise UsageError(f"no runtime `{name}`: {did_you_mean(name, VERSIONS) or ', '.join(VERSIONS)}")
    versions = VERSIONS[name]
    if equals and not re.fullmatch(r"\d+(\.\d+)*", said):
        raise UsageError(f"`{said}` is no version: write `{name}=={spelled(max(versions))}`")
    version = tuple(map(int, said.split("."))) if said else max(versions)
    known = [each for each in versions if each <= version]
    if not known:
        raise UsageError(f"{name} {said} is older than {spelled(min(versions))}, the oldest that files are written for")
    opset, ir = versions[max(known)]
    lacks = {**LACKS.get(name, {})}
    if versions is ONNXRUNTIME and said:
        later = {kind: since for kind, since in KERNELS.items() if version < since}
        lacks |= {kind: Lack(f"write the file for {spelled(since)}, which has it") for kind, since in later.items()}
    return Runtime(f"{name} {said}".strip(), min(opset, NEWEST), ir, lacks, one_file=name in ONE_FILE)


def spelled(version: Version) -> str:
    """Return a version as it is written."""
    return ".".join(map(str, version))
