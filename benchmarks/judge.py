"""Runs ONNX files on a runtime and compares their outputs with those expected; `targets.py` begins it.

Each line of the input names a folder with `model.onnx` and `0.npz`, `1.npz`, …: the inputs, `in.NAME`, and the outputs
in their order, `out.NUMBER`. The answer is a line of JSON: the largest difference, or an error. It needs numpy and the
runtime, of any version, and nothing of netspec.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[Mapping[str, Any]], Sequence[Any]]


def main() -> None:
    """Answer lines until there are no more."""
    runtimes = {"onnxruntime": onnxruntime, "onnxruntime-web": web, "openvino": openvino, "reference": reference}
    opened = runtimes[sys.argv[1]] if sys.argv[1] in runtimes else tools()[sys.argv[1]]
    for line in sys.stdin:
        try:
            answer: dict[str, Any] = {"difference": difference(opened, Path(line.strip()))}
        except Exception as reason:  # whatever it is, it is the answer
            answer = {"error": f"{type(reason).__name__}: {reason}"[:1500]}
        print(json.dumps(answer), flush=True)


def difference(opened: Callable[[str], Run], folder: Path) -> float:
    """Return the largest difference over all outputs and sizes, relative to the largest output."""
    run, worst = opened(str(folder / "model.onnx")), 0.0
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as held:
            inputs = {name[3:]: held[name] for name in held.files if name.startswith("in.")}
            wanted = [held[f"out.{at}"] for at in range(sum(name.startswith("out.") for name in held.files))]
        for want, made in zip(wanted, run(inputs)):
            if tuple(made.shape) != want.shape:
                raise ValueError(f"gives the shape {list(made.shape)} in place of {list(want.shape)}")
            finite = np.isfinite(want)
            if not np.array_equal(np.isfinite(made), finite):
                raise ValueError("gives numbers that are not finite where they should be, or the other way round")
            off = np.abs(np.asarray(made, np.float64) - want)[finite].max(initial=0.0)
            worst = max(worst, float(off / max(np.abs(want[finite]).max(initial=0.0), 1e-30)))
    return worst


def onnxruntime(path: str) -> Run:
    """Open a file on onnxruntime."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    taken = {each.name for each in session.get_inputs()}
    return lambda inputs: session.run(None, {name: each for name, each in inputs.items() if name in taken})


def openvino(path: str) -> Run:
    """Open a file on OpenVINO, in single precision."""
    import openvino as runtime

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = runtime.Core().compile_model(path, "CPU", settings)
    taken = {name for each in compiled.inputs for name in each.names}

    def run(inputs: Mapping[str, Any]) -> Sequence[Any]:
        made = compiled.create_infer_request().infer({name: each for name, each in inputs.items() if name in taken})
        return [made[at] for at in range(len(compiled.outputs))]

    return run


def reference(path: str) -> Run:
    """Open a file on onnx's reference evaluator."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(path)
    return lambda inputs: evaluator.run(
        None, {name: each for name, each in inputs.items() if name in evaluator.input_names}
    )


def tools() -> Mapping[str, Callable[[str], Run]]:
    """Return the tools, which need onnx."""
    from judge_tools import TOOLS

    return TOOLS


@lru_cache(maxsize=1)
def page() -> Any:
    """Return the page that has onnxruntime-web."""
    from judge_web import opened_page

    return opened_page()


def web(path: str) -> Run:
    """Open a file on onnxruntime-web in Chromium."""
    return partial(page().run, path)


if __name__ == "__main__":
    main()
