"""Random specs, held against the running module and onnxruntime: what examples do not find."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import yaml
from hypothesis import HealthCheck, assume, given, settings
from zoo.test_zoo_shapes import Watch, tracing

import netspec
from netspec.diagnostics import SpecError
from netspec.elaborate.passes.sizes import other_sizes
from netspec.emit.source import emit_source
from netspec.runtime.examples import example_inputs
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import compare_onnx
from netspec.runtime.probing import probing_copy

Step = Any

LEAVES: list[Step] = [
    "relu",
    "batch_norm2d",
    "identity",
    {"leaky_relu": 0.2},
    {"dropout": 0.3},
    {"group_norm": 1},
    {"max_pool2d": {"kernel_size": 2, "ceil_mode": True}},
    {"avg_pool2d": {"kernel_size": 3, "stride": 1, "padding": 1}},
    {"upsample": {"scale_factor": 2}},
    {"pad": [1, 0, 0, 2]},
    {"conv_transpose2d": {"out_channels": 3, "kernel_size": 2, "stride": 2}},
    {"gelu": {"approximate": "tanh"}},
]


class Writer:
    """Draws steps; every named structure gets a name of its own."""

    def __init__(self, draw: st.DrawFn):
        self.draw, self.numbers = draw, count()

    def name(self, prefix: str) -> str:
        return f"{prefix}{next(self.numbers)}"

    def conv(self, kernel: int, stride: int = 1) -> Step:
        width = self.draw(st.integers(1, 4))
        return {"conv2d": {"out_channels": width, "kernel_size": kernel, "stride": stride, "padding": kernel // 2}}

    def body(self, depth: int) -> list[Step]:
        return [self.step(depth) for _ in range(self.draw(st.integers(1, 3)))]

    def step(self, depth: int) -> Step:
        kinds = ["leaf", "leaf", "conv", "strided"]
        kinds += ["residual", "projected", "parallel", "repeat", "sequential", "for"] if depth else []
        kind = self.draw(st.sampled_from(kinds))
        if kind == "leaf":
            return self.draw(st.sampled_from(LEAVES))
        if kind == "conv":
            return self.conv(self.draw(st.sampled_from([1, 3])))
        if kind == "strided":
            return self.conv(self.draw(st.sampled_from([1, 3, 5])), self.draw(st.integers(2, 3)))
        if kind == "residual":
            return {"residual": ["batch_norm2d", "relu", {"dropout": 0.5}]}
        if kind == "projected":
            stride, main = self.draw(st.integers(1, 2)), self.conv(3)
            main["conv2d"]["stride"] = stride
            width = main["conv2d"]["out_channels"]
            projection = {"conv2d": {"out_channels": width, "kernel_size": 1, "stride": stride}}
            return {"residual": {"name": self.name("r"), "body": [main, "relu"], "shortcut": [projection]}}
        if kind == "parallel":
            left, right = self.name("a"), self.name("b")
            branches = {left: [self.conv(1)], right: [self.conv(3), "relu"], self.name("c"): []}
            return {"parallel": {"merge": "concat", "branches": branches}}
        if kind == "repeat":
            times = self.draw(st.integers(1, 3))
            return {"repeat": {"name": self.name("t"), "count": times, "body": self.body(depth - 1)}}
        if kind == "for":
            widths = self.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
            conv = {"conv2d": {"out_channels": "w + i", "kernel_size": 1}}
            return {"for": {"each": {"w": widths}, "index": "i", "body": [conv, "relu"]}}
        return {"sequential": {"name": self.name("s"), "body": self.body(depth - 1)}}


@st.composite
def specs(draw: st.DrawFn) -> str:
    return yaml.safe_dump(
        {
            "netspec": 1,
            "name": "random",
            "dims": {"N": 2, "H": draw(st.integers(9, 20)), "W": draw(st.integers(9, 20))},
            "inputs": {"x": ["N", draw(st.integers(1, 3)), "H", "W"]},
            "network": Writer(draw).body(3),
        },
        sort_keys=False,
    )


def compiled(text: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.yaml"
        path.write_text(text)
        try:
            return netspec.load(path).graph
        except SpecError as found:
            # The only thing that a spec drawn here can get wrong is to leave nothing of an image.
            if {each.id for each in found.diagnostics} != {"shape-mismatch"}:
                raise
            assume(False)


SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@settings(SETTINGS, max_examples=60)
@given(specs())
def test_every_inferred_shape_is_the_running_module_s(text: str):
    graph = compiled(text)
    module, program = build_module(graph).eval(), emit_source(graph)
    assert sum(parameter.numel() for parameter in module.parameters()) == graph.body.parameter_count
    for sizes in other_sizes(graph, 2):
        watch = Watch(graph, sizes)
        with tracing(module, program, watch):
            module(*example_inputs(graph, sizes).values())


@settings(SETTINGS, max_examples=30)
@given(specs())
def test_onnxruntime_agrees(text: str):
    graph = compiled(text)
    probe = probing_copy(graph, build_module(graph))
    with tempfile.TemporaryDirectory() as folder:
        path = export_onnx(graph, probe, Path(folder) / "random.onnx")
        assert compare_onnx(graph, probe, path).worst < 1e-4
