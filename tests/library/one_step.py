"""One step of the library as a network, and what stands for it: the same keys, numbers and ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import netspec
from netspec.runtime.onnx.verify import compare_onnx

SIZES = ((3, 7, 5), (1, 1, 1), (2, 4, 9))
INPUTS = {
    "x": "[N, T, 8]",
    "y": "[N, S, 8]",
    "z": "[N, S, 6]",
    "q": "[N, 8]",
    "image": "[N, 8, T, S]",
    "padding": "{shape: [N, T], dtype: bool, optional: true}",
    "source_padding": "{shape: [N, S], dtype: bool, optional: true}",
    "shown": "{shape: [N, S], dtype: bool, optional: true}",
    "seen": "{shape: [N, T], dtype: bool, optional: true}",
}


def model(folder: Path, step: str, *inputs: str) -> netspec.Model:
    """A network of one step called ``it``, which reads the first input."""
    path = folder / "net.yaml"
    block, _, arguments = step.partition(": {")
    named = ", ".join(f"{name}: {INPUTS[name]}" for name in inputs)
    dims = ", ".join(f"{dim}: {size}" for dim, size in (("N", 2), ("T", 4), ("S", 5)) if f"{dim}" in named)
    path.write_text(
        f"netspec: 1\nname: net\ndims: {{{dims}}}\ninputs: {{{named}}}\n"
        f"network:\n  - {block}: {{name: it, from: {inputs[0]}, {arguments}\n"
    )
    return netspec.load(path)


def values(inputs: tuple[str, ...], sizes: tuple[int, int, int]) -> list[Tensor]:
    """Real inputs, and masks of every kind: the first of each row is there."""
    count, target, source = sizes
    shapes = {
        "x": (count, target, 8), "y": (count, source, 8), "z": (count, source, 6), "q": (count, 8),
        "image": (count, 8, target, source),
    }  # fmt: skip
    generator = torch.Generator().manual_seed(count)
    made = []
    for name in inputs:
        if name in shapes:
            made.append(torch.randn(shapes[name], generator=generator))
            continue
        length = source if name in ("source_padding", "shown") else target
        mask = torch.rand(count, length, generator=generator) < 0.5
        mask[:, 0] = name in ("shown", "seen")
        made.append(mask)
    return made


def same(ours: nn.Module, theirs: Callable[..., Any], inputs: tuple[str, ...], drop: int = 0) -> None:
    """Both give the same at every size; ``drop`` inputs at the end are left out."""
    for sizes in SIZES:
        given = values(inputs, sizes)
        given = given[: len(given) - drop]
        with torch.no_grad():
            got, want = ours(*given), theirs(*given)
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def onnx_agrees(model: netspec.Model, module: nn.Module, folder: Path) -> None:
    assert compare_onnx(model.graph, module, model.export(folder / "net.onnx", module)).agrees


def check_against(theirs: nn.Module, step: str, reads: str, folder: Path) -> None:
    theirs.eval()
    ours = model(folder, step, reads)
    module = ours.module().eval()
    module.get_submodule("it").load_state_dict(theirs.state_dict(), strict=True)
    same(module, theirs, (reads,))
    onnx_agrees(ours, module, folder)
