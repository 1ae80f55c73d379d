"""The verified ONNX file as a target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from netspec.graph import Graph
from netspec.targets import Target, WriteOptions, Written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.runtime.onnx.parity import Parity

FILES = ("model.onnx", "model.rejected.onnx")


def write(graph: Graph, folder: Path, options: WriteOptions) -> Written:
    """Export the network, as initialised or filled. Unless nothing is verified, compare the file with PyTorch on
    onnxruntime, and the module with its graph, node by node.
    """
    from netspec.runtime.interpret import check_reference
    from netspec.runtime.module import build_module, merged
    from netspec.runtime.onnx.export import export_onnx, remove_model
    from netspec.runtime.onnx.report import UNVERIFIED, parity_report, two_runtimes
    from netspec.runtime.onnx.verify import export_verified

    module = build_module(graph, options.device)
    if options.fill is not None:
        options.fill(module)
    graph, module = merged(graph, module)
    if options.verify == "none":
        path = export_onnx(graph, module, folder / FILES[0])
        remove_model(folder / FILES[1])
        return Written((path,), {"onnx.checker": "passed", "onnxruntime": None}, notes=(UNVERIFIED,))
    path, parity = export_verified(graph, module, folder / FILES[0], effort=options.verify)
    difference = check_reference(parity.reference)
    notes, failure = parity_report(parity, path)
    return Written((path,), checks(graph, parity, difference), two_runtimes(), notes, failure)


def checks(graph: Graph, parity: Parity, difference: float) -> Mapping[str, object]:
    """Return what was checked of the module and of the ONNX file, as ``build.json`` has it.

    ``difference`` is the module's from the graph whose nodes are run one by one.
    """
    from netspec.elaborate.passes.sizes import small_sizes
    from netspec.runtime.interpret import TOLERANCE

    return {
        "node_by_node": {
            "passed": True,  # where it does not, nothing is recorded
            "tolerance": TOLERANCE,
            "sizes": small_sizes(graph),
            "difference": difference,
        },
        "onnx.checker": "passed",
        "onnxruntime": {
            "passed": parity.agrees,
            "providers": [*parity.providers],
            "rescaled_weights": parity.probed,
            "telling": parity.telling and not parity.is_rounding,
            "tolerance": parity.tolerance,
            "largest_difference": parity.worst,
            "comparisons": [
                {"sizes": dict(each.sizes), "mean": each.mean, "difference": each.difference}
                for each in parity.comparisons
            ],
        },
    }


onnx = Target("onnx", "ONNX, run on onnxruntime and compared with PyTorch", FILES, write, needs_torch=True)
