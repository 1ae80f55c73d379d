"""``netspec import``: turn a PyTorch module or an ONNX file into a spec."""

from __future__ import annotations

import sys
from argparse import Namespace
from importlib import import_module

from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "import",
        "Turn a network that was not written for netspec into a spec: a class or function of Python that gives an "
        "nn.Module (my_code.nets:Net, which runs that code), a program saved by torch.export (model.pt2), or an ONNX "
        "file. The spec gets the original's weights and is compared with it at several sizes.",
    )
    command.add_argument("source", metavar="SOURCE", help="MODULE:NAME, or a .pt2 or .onnx file")
    command.add_argument(
        "--input",
        metavar="NAME=SHAPE",
        action="append",
        default=[],
        help="an input of forward, as a spec would write it: image=[N, 3, H, W], or ids={shape: [N, T], dtype: int64, "
        "below: 50257}; letters are symbolic; may be repeated; torchvision's and timm's models know theirs",
    )
    command.add_argument(
        "--dim",
        metavar="NAME=SIZE",
        action="append",
        default=[],
        help="the size of a symbolic dimension to trace and to quote costs at (default: 64 in images, 16 elsewhere, 1 "
        "for N); may be repeated",
    )
    command.add_argument(
        "--argument",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an argument of the class or function: width=64; may be repeated",
    )
    command.add_argument("-o", "--output", metavar="FILE", help="the spec to write (default: print it)")
    command.add_argument("--weights", metavar="FILE", help="also write the weights, as safetensors")
    command.add_argument(
        "--partial",
        action="store_true",
        help="leave what has no counterpart as `opaque` steps, which table and diagram show and nothing can build",
    )
    command.add_argument("--name", help="the name of the spec (default: that of the class or the file)")


def run(options: Namespace) -> int:
    """Import the network, write the spec, report the proof; gives 1 where the spec and the original disagree."""
    from netspec.cli.faults import width
    from netspec.cli.output import status
    from netspec.diagnostics import UsageError
    from netspec.importer.report import import_report
    from netspec.importer.sources import import_source

    if options.weights and options.partial:
        raise UsageError("--weights needs a network that can be built: leave --partial out")
    if options.weights:
        import_module("safetensors.torch")  # its want is told before the work
    with status("importing") as say:
        spec = import_source(
            options.source,
            inputs=options.input,
            dims=options.dim,
            arguments=options.argument,
            name=options.name,
            partial=options.partial,
            say=say,
        )
        if options.output:
            spec.write(options.output)
        if options.weights:
            spec.write_weights(options.weights)
    if not options.output:
        print(spec.text, end="", flush=True)
    stream = sys.stdout if options.output else sys.stderr  # a spec that goes on through a pipe stays alone
    print(import_report(spec, options.output, options.weights, width(stream)), file=stream)
    return 0 if spec.proof is None or spec.proof.holds else 1
