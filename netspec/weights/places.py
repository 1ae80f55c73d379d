"""The places that weights come from: files, folders of a run or of Hugging Face, and what libraries keep."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import EnvironmentFault, UsageError, clipped, did_you_mean
from netspec.dims import Shape
from netspec.graph import Graph
from netspec.recipes.weights import WeightsSource
from netspec.weights.files.base import TensorFile
from netspec.weights.files.index import FOLDER_FILES, INDEX, shards_of
from netspec.weights.files.safetensors import SafetensorsFile
from netspec.weights.keys import tensors_of
from netspec.weights.report import WeightsReport
from netspec.weights.runs import placed

if TYPE_CHECKING:
    from torch import Tensor

TORCHVISION, HUGGING_FACE = "torchvision:", "hf:"
BEST = "best.safetensors"
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".tar", ".pkl")


class OpenedWeights:
    """The weights of a source, found but not yet read. ``told`` is what it is called, ``facts`` what a record adds."""

    def __init__(self, told: str, files: Sequence[TensorFile], facts: Mapping[str, Any] = {}):
        self.told, self.files, self.facts = told, files, facts

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of each tensor by its key. Raises ``UsageError`` where two files have the same one."""
        return {key: file.shapes[key] for key, file in self._owners.items()}

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """Keys under which a tensor stands once more, with its own."""
        return {key: own for file in self.files for key, own in file.aliases.items()}

    @cached_property
    def _owners(self) -> Mapping[str, TensorFile]:
        owners: dict[str, TensorFile] = {}
        for file in self.files:
            for key in file.shapes:
                if key in owners:
                    raise UsageError(f"{owners[key].path} and {file.path} both hold `{clipped(key)}`")
                owners[key] = file
        return owners

    def tensors(self, keys: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
        """Yield these tensors with their keys, file by file."""
        for file in self.files:
            yield from file.tensors([key for key in keys if self._owners[key] is file])

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the file; of several, that of their digests."""
        digests = [file.digest for file in self.files]
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def report_on(graph: Graph, source: WeightsSource, here: Path = Path()) -> tuple[WeightsReport, OpenedWeights]:
    """Return how the tensors of a source match those of a network, and the source, opened.

    Raises ``UsageError`` where there is no such source, or it is not what it should be.
    """
    opened = open_weights(source.origin, graph.name, here)
    return WeightsReport.of(opened.told, tensors_of(graph), opened.shapes, source, opened.aliases), opened


def open_weights(origin: str, network: str = "", here: Path = Path()) -> OpenedWeights:
    """Find the weights that a text names: a file, a folder, ``torchvision:NAME`` or ``hf:owner/name``.

    ``network`` is the name of the spec's network, by which torchvision's weights are found; paths are relative to
    ``here``. Raises ``UsageError`` where there is nothing like that.
    """
    if origin.startswith((TORCHVISION, HUGGING_FACE)):
        from netspec.weights import hubs

        if origin.startswith(TORCHVISION):
            fetched = hubs.from_torchvision(origin.removeprefix(TORCHVISION), network)
        else:
            fetched = hubs.from_hugging_face(origin.removeprefix(HUGGING_FACE))
        return open_files([fetched.path], fetched.told, fetched.facts)
    path = placed(origin, here)
    if path.is_dir():
        return open_folder(path)
    if not path.exists():
        raise UsageError(f"there is no file {path}{_meant(path)}")
    return open_files([path], str(path))


def open_files(paths: Sequence[Path], told: str, facts: Mapping[str, Any] = {}) -> OpenedWeights:
    """Open files of weights; an index stands for the files that it names."""
    return OpenedWeights(told, [file for path in paths for file in _files_at(path)], facts)


def open_folder(folder: Path) -> OpenedWeights:
    """Open the weights in the folder of a run, or one as Hugging Face lays it out."""
    if (folder / "run.json").is_file() or (folder / BEST).is_file():
        return open_run(folder)
    found = [folder / name for name in FOLDER_FILES if (folder / name).is_file()]
    if found:
        return open_files(found[:1], str(found[0]))
    raise UsageError(f"{folder} is neither the folder of a run nor one with {FOLDER_FILES[1]} or the like: name a file")


def open_run(folder: Path) -> OpenedWeights:
    """Open the best weights of a run. Raises ``UsageError`` where it has none, or those of several folds."""
    best = folder / BEST
    if best.is_file():
        return open_files([best], str(best))
    folds = sorted(path.parent.name for path in folder.glob(f"fold-*/{BEST}"))
    if folds:
        raise UsageError(f"{folder} has the weights of {len(folds)} folds: name one, as {folder / folds[0]}")
    raise UsageError(f"the run in {folder} has saved no weights yet")


def _files_at(path: Path) -> list[TensorFile]:
    """The file at a path, or those that it is the index of; by what is in it, which its name must say too."""
    if path.name.endswith(INDEX):
        return [file for each in shards_of(path) for file in _files_at(each)]
    kind = kind_of(path)
    suffix = path.suffix.lower()
    named = {".safetensors": "safetensors", ".onnx": "onnx"} | dict.fromkeys(PICKLES, "pickle")
    if suffix in named and kind and kind != named[suffix]:
        raise UsageError(f"{path} ends in {suffix}, but holds {WORDS[kind]}: give it the ending {ENDINGS[kind]}")
    kind = kind or named.get(suffix, "")
    if kind == "safetensors":
        return [SafetensorsFile(path)]
    if kind == "pickle":
        from netspec.weights.files.pickled import PickledFile

        return [PickledFile(path)]
    if kind == "onnx":
        from netspec.weights.files.onnx import OnnxWeights

        return [OnnxWeights(path)]
    raise UsageError(f"{path} is no file of weights: such are .safetensors, .pth (or .pt, .bin, .ckpt) and .onnx")


WORDS = {"safetensors": "safetensors", "pickle": "what torch.save writes", "onnx": "ONNX"}
ENDINGS = {"safetensors": ".safetensors", "pickle": ".pth", "onnx": ".onnx"}
ONNX_FIRST = re.compile(rb"\x08[\x03-\x20]\x12")
"""The version of an ONNX file's form, then the name of who has written it."""


def kind_of(path: Path) -> str:
    """Return the format that a file's first bytes are of; nothing where they tell none."""
    try:
        with path.open("rb") as file:
            first = file.read(16)
    except OSError as fault:
        raise EnvironmentFault(f"cannot read {path}: {fault.strerror or fault}") from None
    if not first:
        raise UsageError(f"{path} is empty")
    if first.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "pickle"
    if ONNX_FIRST.match(first):
        return "onnx"
    return "safetensors" if first[8:9] == b"{" and first[6:8] == b"\0\0" else ""


def _meant(path: Path) -> str:
    """The files that are there instead."""
    if not path.parent.is_dir():
        return ""
    endings = (".safetensors", ".onnx", *PICKLES)
    names = [each.name for each in path.parent.iterdir() if each.is_dir() or each.name.endswith(endings)]
    hint = did_you_mean(path.name, names)
    return f": {hint}" if hint else ""
