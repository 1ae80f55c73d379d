"""ONNX export against `torch.onnx.export(dynamo=True)`: the same module, a dynamic batch, processor time.

Wall time would tell of the disk that both write to. Ours includes `onnx.checker`; neither includes a run of the result.
torch's exporter takes minutes for ResNet-1202: that pair is measured with `--full`, once, and ResNet-110 stands for it
otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import warnings
from functools import partial
from pathlib import Path

import torch
from pairs import Bar, alternate, finish, judge, ratios, seconds, timed

import netspec

NETWORKS = {
    "resnet50": (partial(torch.randn, 2, 3, 224, 224), 3, Bar(20, least=True)),
    "resnet110": (partial(torch.randn, 2, 3, 32, 32), 3, Bar(100, least=True)),
    "gpt2": (partial(torch.randint, 50257, (2, 128)), 3, Bar(20, least=True)),
    "resnet1202": (partial(torch.randn, 2, 3, 32, 32), 1, Bar(100, least=True)),
}
"""The input, the rounds, and the bar."""
QUICK = ("resnet50", "resnet110", "gpt2")


def by_torch(module: torch.nn.Module, x: torch.Tensor, path: Path) -> None:
    batch = ({0: torch.export.Dim("N")},)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x,), path, dynamo=True, dynamic_shapes=batch, verbose=False)


def compare(name: str, folder: Path) -> bool:
    example, rounds, bar = NETWORKS[name]
    model = netspec.load(name)
    module, x = model.module().eval(), example()
    ours = partial(model.export, folder / "ours.onnx", module)
    theirs = partial(by_torch, module, x, folder / "theirs.onnx")
    ours()
    pairs = alternate(partial(timed, theirs), partial(timed, ours), rounds)
    return judge(name, ratios(pairs), bar, seconds(pairs))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("networks", nargs="*", default=QUICK, help=f"of {', '.join(NETWORKS)}")
    options.add_argument("--full", action="store_true", help="ResNet-1202 too, which takes torch minutes")
    given = options.parse_args()
    names = [*given.networks, *(["resnet1202"] if given.full else [])]
    with tempfile.TemporaryDirectory() as folder:
        by_torch(torch.nn.Linear(2, 2).eval(), torch.randn(2, 2), Path(folder) / "warm.onnx")
        print("torch.onnx.export : netspec")
        finish([compare(name, Path(folder)) for name in names])


if __name__ == "__main__":
    main()
