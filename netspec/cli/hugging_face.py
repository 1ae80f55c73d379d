"""``netspec export --as hf DIR``: a network as a folder that ``transformers`` load."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.cli.given_weights import GivenWeights
from netspec.cli.option_values import graph_of, weights_of
from netspec.cli.output import fitted, status, warn
from netspec.diagnostics import UsageError, did_you_mean
from netspec.targets import WriteOptions, Written
from netspec.text.quantities import short_bytes
from netspec.weights.hugging_face.folder import GENERATION
from netspec.weights.hugging_face.target import write, write_module
from netspec.weights.runs import run_behind

if TYPE_CHECKING:
    from torch import nn

    from netspec.graph import Graph
    from netspec.train.data import Meaning
    from netspec.train.predict.trained_run import TrainedRun

FORM = "hf"
ONNX_ONLY: Mapping[str, Any] = {
    "--output": None,
    "--cached": None,
    "--for": None,
    "--opset": None,
    "--ir": None,
    "--optimize": False,
    "--verify-on": "onnxruntime",
    "--keep-lora": False,
    "--with-prepare": False,
    "--precision": "float32",
    "--keep-float": [],
    "--agree": None,
    "--calibrate": [],
    "--accuracy-budget": None,
}
"""The options that are for ONNX files, with what they are where nobody gives them."""


def guard_form(options: Namespace) -> None:
    """Guard: the form is known, and no option is given that is for ONNX files."""
    form, _ = options.form
    if form != FORM:
        hint = did_you_mean(form, (FORM,)) or f"`--as {FORM} DIR` writes what transformers load"
        raise UsageError(f"--as knows no form `{form}`: {hint}")
    for option, default in ONNX_ONLY.items():
        name = {"--for": "runtime"}.get(option, option.lstrip("-").replace("-", "_"))
        if getattr(options, name, default) != default:
            raise UsageError(f"{option} is for ONNX files: leave it out beside --as {FORM}")


def export_folder(options: Namespace, trained: tuple[TrainedRun, Graph, nn.Module] | None) -> int:
    """Write the folder for a spec, or for a run with its network; give 1 where transformers give other outputs.

    Raises ``UsageError`` where the network is none of Hugging Face's.
    """
    from netspec.train.store.folder import RunFolder
    from netspec.train.store.metadata import read_meaning

    source, folder = weights_of(options), Path(options.form[1])
    how = WriteOptions(options.device, options.verify, origin="" if source is None else source.origin)
    doing = "writing, and running the network and transformers side by side"
    if trained is not None:
        with status(doing):
            written = write_module(*trained[1:], folder, how)
    else:
        graph = graph_of(options)
        given = None if source is None else GivenWeights(graph, source).fill
        with status(doing):
            written = write(graph, folder, replace(how, fill=given))
    meaning = None if trained is None else trained[0].meaning()
    if meaning is None and source is not None and (run := run_behind(source, Path())) is not None:
        meaning = read_meaning(RunFolder(run))
    own = () if meaning is None else _own_words(meaning, folder, written)
    for file in (*written.files, *own):
        print(f"{file}  {short_bytes(file.stat().st_size)}")
    for note in written.notes:
        print(fitted(note, sys.stdout))
    if written.failure is not None:
        warn(written.failure)
    return 0 if written.failure is None else 1


def _own_words(meaning: Meaning, folder: Path, written: Written) -> tuple[Path, ...]:
    """Write the words of a run whose network writes, unless a tokenizer is there already; return the files."""
    from netspec.train.predict.own_tokenizer import write_own_tokenizer

    names = {file.name for file in written.files}
    words = {*map(tuple, meaning.words.values())}
    if GENERATION not in names or "tokenizer.json" in names or len(words) != 1:
        return ()
    return write_own_tokenizer(next(iter(words)), folder)
