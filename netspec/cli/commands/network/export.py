"""``netspec export``: a verified ONNX file."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command, add_device_argument, add_spec_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "export",
        "Write ONNX with freshly initialised weights; it has been run on onnxruntime and compared with PyTorch.",
    )
    add_spec_arguments(command)
    command.add_argument("-o", "--output", metavar="FILE", required=True, help="the file to write, such as model.onnx")
    add_device_argument(command)


def run(options: Namespace) -> int:
    """Write the ONNX file and verify it; gives 1 where PyTorch and onnxruntime disagree."""
    from netspec.cli.output import status, warn
    from netspec.cli.resolve import graph_of, output_of
    from netspec.runtime.module import build_module
    from netspec.runtime.onnx.report import parity_report, two_runtimes
    from netspec.runtime.onnx.verify import export_verified
    from netspec.text.quantities import short_bytes

    graph, output = graph_of(options), output_of(options)
    for text in two_runtimes():
        warn(text)
    with status("exporting, and running PyTorch and onnxruntime side by side"):
        path, parity = export_verified(graph, build_module(graph, options.device), output)
    print(f"{path}  {short_bytes(path.stat().st_size)}")
    notes, failure = parity_report(parity, path)
    for text in notes:
        print(text)
    if failure is not None:
        warn(failure)
    return 0 if failure is None else 1
