"""Our ONNX files on onnxruntime against `torch.onnx.export(dynamo=True)`'s of the same module: runs and loading.

Both are run in turn on one thread, in processor time, on the same input; loading is an `InferenceSession`, weights and
all. `--optimize` takes our files as `netspec export --optimize` writes them.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from export import by_torch
from pairs import Bar, alternate, finish, judge, ratios, seconds, timed

import netspec
from netspec.emit.onnx.runtimes import form_of
from netspec.runtime.onnx.export import export_onnx

NETWORKS = {
    "resnet50": (partial(torch.randn, 2, 3, 224, 224), 11),
    "mobilenet_v2": (partial(torch.randn, 2, 3, 224, 224), 21),
    "vit": (partial(torch.randn, 2, 3, 224, 224), 9),
    "gpt2": (partial(torch.randint, 50257, (2, 128)), 9),
    "lstm_lm": (partial(torch.randint, 28, (2, 128)), 21),
}
"""The input, and the rounds."""
LOADS = 5


def opened(path: Path) -> Any:
    """Return a session of one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compare(name: str, folder: Path, optimize: bool) -> bool:
    """Return whether our file is run in no more time, and loaded in no more."""
    example, rounds = NETWORKS[name]
    model = netspec.load(name)
    module, x = model.module().eval(), example()
    ours, theirs = folder / "ours.onnx", folder / "theirs.onnx"
    export_onnx(model.graph, module, ours, form=form_of(None, None, None, optimize))
    by_torch(module, x, theirs)
    runs = []
    for path in (ours, theirs):
        session = opened(path)
        runs.append(partial(session.run, None, {session.get_inputs()[0].name: x.numpy()}))
        runs[-1]()
    pairs = alternate(*(partial(timed, run) for run in runs), rounds)
    met = judge(f"{name}: run", ratios(pairs), Bar(1.0), seconds(pairs))
    del runs
    loads = alternate(partial(timed, partial(opened, ours)), partial(timed, partial(opened, theirs)), LOADS)
    return judge(f"{name}: load", ratios(loads), Bar(1.0), seconds(loads)) and met


def main() -> None:
    """Compare, and leave with 1 where ours takes longer."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("networks", nargs="*", default=NETWORKS, help=f"of {', '.join(NETWORKS)}")
    options.add_argument("--optimize", action="store_true", help="our optimized files")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print("netspec : torch.onnx.export")
        finish([compare(name, Path(folder), given.optimize) for name in given.networks])


if __name__ == "__main__":
    main()
