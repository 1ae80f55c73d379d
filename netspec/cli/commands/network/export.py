"""``netspec export``: write a verified ONNX file."""

from __future__ import annotations

import sys
from argparse import Namespace

from netspec.cli.options import (
    add_cached_argument,
    add_command,
    add_device_argument,
    add_spec_arguments,
    add_verify_argument,
    add_weights_argument,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from netspec.cli.options import Commands
    from netspec.runtime.onnx.parity import Parity


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "export",
        "Write an ONNX file, with freshly initialised weights or those of a file, after running it on onnxruntime and "
        "comparing it with PyTorch.",
    )
    add_spec_arguments(command)
    add_cached_argument(command)
    command.add_argument("-o", "--output", metavar="FILE", required=True, help="the file to write, such as model.onnx")
    add_weights_argument(command)
    command.add_argument(
        "--for",
        dest="runtime",
        metavar="RUNTIME",
        help="write what this runtime reads: onnxruntime, onnxruntime-web, coreml, openvino or tensorrt, of a version "
        "as onnxruntime==1.20; what it lacks is told with the line",
    )
    command.add_argument(
        "--opset",
        type=int,
        choices=range(13, 24),
        metavar="N",
        help="the version of ONNX's operators, 13 to 23 (default: the lowest in which the network loses nothing, at "
        "least 15, which onnxruntime has from 1.10 on)",
    )
    command.add_argument(
        "--ir",
        type=int,
        choices=range(7, 14),
        metavar="N",
        help="the version of ONNX's format (default: the first that has the opset)",
    )
    help = "fold batch norms into the layers before them and share equal nodes; such a file says no more of the spec"
    command.add_argument("--optimize", action="store_true", help=help)
    add_verify_argument(command)
    command.add_argument(
        "--verify-on",
        metavar="RUNTIMES",
        default="onnxruntime",
        help="the runtimes to verify the file on, onnxruntime, or it and openvino: `onnxruntime,openvino` (default: "
        "onnxruntime)",
    )
    help = "write the steps of `lora` as they are, rather than as parts of the weights that they change"
    command.add_argument("--keep-lora", action="store_true", help=help)
    add_device_argument(command)


def run(options: Namespace) -> int:
    """Write the ONNX file and verify it; gives 1 where PyTorch and onnxruntime disagree."""
    from netspec.cli.program import let_threads_sleep

    let_threads_sleep()  # before torch is imported
    from netspec.cli.given_weights import GivenWeights
    from netspec.cli.option_values import cached_part, graph_of, output_of, weights_of
    from netspec.cli.output import status, warn
    from netspec.emit.onnx.runtimes import form_of
    from netspec.runtime.module import build_module, merged, part_of
    from netspec.runtime.onnx.export import export_onnx
    from netspec.runtime.onnx.report import UNVERIFIED, two_runtimes
    from netspec.runtime.onnx.session import other_runtimes
    from netspec.runtime.onnx.verify import export_verified, sizes_to_try, verify_onnx

    form = form_of(options.opset, options.ir, options.runtime, options.optimize)
    others = other_runtimes(options.verify_on)
    graph, output = graph_of(options), output_of(options)
    for text in two_runtimes():
        warn(text)
    module, source = build_module(graph, options.device), weights_of(options)
    if source is not None:
        GivenWeights(graph, source).fill(module)
    if not options.keep_lora:
        graph, module = merged(graph, module)
    if options.cached is not None:
        graph = cached_part(graph, options.cached)
        module = part_of(graph, module.state_dict())
    if options.verify == "none":
        with status("exporting"):
            path = export_onnx(graph, module, output, form=form)
        print(_said(path, options.optimize))
        print(UNVERIFIED)
        return 0
    with status("exporting, and running PyTorch and onnxruntime side by side"):
        path, parity = export_verified(graph, module, output, effort=options.verify, form=form)
    print(_said(path, options.optimize))
    agrees = _told(parity, path)
    for runtime in others if agrees else ():
        with status(f"running PyTorch and {runtime} side by side"):
            parity = verify_onnx(graph, module, path, sizes_to_try(graph, options.verify), form, runtime)
        agrees = _told(parity, path) and agrees
    return 0 if agrees else 1


def _said(path: Path, optimized: bool) -> str:
    """Return the file with its size, and with what was removed from it."""
    from netspec.runtime.onnx.export import removed_from
    from netspec.text.quantities import short_bytes

    said = f"{path}  {short_bytes(path.stat().st_size)}"
    return f"{said}  {removed_from(path)}" if optimized else said


def _told(parity: Parity, path: Path) -> bool:
    """Tell what was verified; return whether the runtimes agree."""
    from netspec.cli.output import fitted, warn
    from netspec.runtime.onnx.report import parity_report

    notes, failure = parity_report(parity, path)
    for text in notes:
        print(fitted(text, sys.stdout))
    if failure is not None:
        warn(failure)
    return failure is None
