"""Our ONNX files on onnxruntime against `torch.onnx.export(dynamo=True)`'s of the same module: runs and loading.

Both are run in turn on one thread, in processor time, on the same input, with batch norms whose statistics are those of
data; loading is an `InferenceSession`, weights and all. `gpt2_cached` reads one word with what was kept of 511 before.
Files are as `netspec export` writes them, and as `netspec export --optimize` does, which is for loading.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from pairs import Bar, alternate, finish, judge, ratios, seconds, timed

import netspec
from netspec.cached import cached_form
from netspec.emit.onnx.runtimes import form_of
from netspec.runtime.module import part_of
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.probing import probing_copy

Inputs = tuple[torch.Tensor, ...]
Made = tuple[Any, torch.nn.Module, Inputs]
LAYERS, HEADS, WIDTH, KEPT = 12, 12, 64, 511
AT_MOST = Bar(1.0)


def images(name: str) -> Made:
    """A network of images, with the statistics that its batch norms would have."""
    model = netspec.load(name)
    return model.graph, probing_copy(model.graph, model.module()).eval(), (torch.randn(2, 3, 224, 224),)


def words(name: str, count: int) -> Made:
    """A network of words."""
    model = netspec.load(name)
    return model.graph, model.module().eval(), (torch.randint(count, (2, 128)),)


def cached_word(name: str, count: int) -> Made:
    """The form of a decoder that reads a word with what was kept of those before."""
    model = netspec.load(name)
    step = cached_form(model.graph).step
    kept = (torch.randn(2, HEADS, KEPT, WIDTH) for _ in range(2 * LAYERS))
    return step, part_of(step, model.module().state_dict()).eval(), (torch.randint(count, (2, 1)), *kept)


NETWORKS: dict[str, tuple[Callable[[], Made], int]] = {
    "resnet50": (partial(images, "resnet50"), 15),
    "mobilenet_v2": (partial(images, "mobilenet_v2"), 41),
    "vit": (partial(images, "vit"), 11),
    "gpt2": (partial(words, "gpt2", 50257), 11),
    "gpt2_cached": (partial(cached_word, "gpt2", 50257), 41),
    "lstm_lm": (partial(words, "lstm_lm", 28), 41),
}
"""The networks that are run, and the rounds of each."""
LOADS = 9


def by_torch(module: torch.nn.Module, inputs: Inputs, path: Path) -> None:
    """Write torch's file; its sizes are symbolic where the inputs' are not 1."""
    shapes = tuple(dict.fromkeys(range(each.ndim), torch.export.Dim.AUTO) for each in inputs)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(module, inputs, path, dynamo=True, dynamic_shapes=shapes, verbose=False)


def opened(path: Path) -> Any:
    """Return a session of one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compare(name: str, folder: Path) -> bool:
    """Return whether our file is run in no more time, and our optimized one loaded in no more."""
    make, rounds = NETWORKS[name]
    graph, module, inputs = make()
    ours, optimized, theirs = (folder / f"{each}.onnx" for each in ("ours", "optimized", "theirs"))
    export_onnx(graph, module, ours)
    export_onnx(graph, module, optimized, form=form_of(None, None, None, optimized=True))
    by_torch(module, inputs, theirs)
    runs = []
    for path in (ours, theirs):
        session = opened(path)
        taken = [each.name for each in session.get_inputs()]
        runs.append(partial(session.run, None, dict(zip(taken, (each.numpy() for each in inputs), strict=True))))
        runs[-1]()
    pairs = alternate(*(partial(timed, run) for run in runs), rounds)
    met = judge(f"{name}: run", ratios(pairs), AT_MOST, seconds(pairs))
    del runs, session
    for what, path, bar in (("load", ours, None), ("load, optimized", optimized, AT_MOST)):
        loads = alternate(partial(timed, partial(opened, path)), partial(timed, partial(opened, theirs)), LOADS)
        met = judge(f"{name}: {what}", ratios(loads), bar, seconds(loads)) and met
    return met


def main() -> None:
    """Compare, and leave with 1 where ours takes longer."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("networks", nargs="*", default=NETWORKS, help=f"of {', '.join(NETWORKS)}")
    given = options.parse_args()
    print("netspec : torch.onnx.export")
    results = []
    for name in given.networks:
        with tempfile.TemporaryDirectory() as folder:
            results.append(compare(name, Path(folder)))
    finish(results)


if __name__ == "__main__":
    main()
