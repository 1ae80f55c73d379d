"""``netspec import``: turn a PyTorch module or an ONNX file into a spec."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands
    from netspec.importer.imported import ImportedSpec


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
        "below: 50257}; letters are symbolic; may be repeated",
    )
    command.add_argument(
        "--dim",
        metavar="NAME=SIZE",
        action="append",
        default=[],
        help="the size of a symbolic dimension to trace and to quote costs at (default: 2); may be repeated",
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
    command.add_argument("--name", help="the name of the spec (default: that of the class or the file)")


def run(options: Namespace) -> int:
    """Import the network, write the spec, report the proof; gives 1 where the spec and the original disagree."""
    from netspec.cli.output import status, warn
    from netspec.importer.sources import import_source

    with status("importing"):
        spec = import_source(
            options.source,
            inputs=options.input,
            dims=options.dim,
            arguments=options.argument,
            name=options.name,
        )
    if options.output:
        spec.write(options.output)
        print(_summary(spec, options.output))
    else:
        print(spec.text, end="")
    if options.weights:
        spec.write_weights(options.weights)
    for note in spec.notes:
        warn(note)
    if spec.proof is None or spec.proof.holds:
        return 0
    warn(f"the spec does not compute what the original does: they differ by {spec.proof.worst:.2g}")
    return 1


def _summary(spec: ImportedSpec, path: str) -> str:
    """The file with what stands in it, and how it was proven."""
    lines = [f"{path}  {spec.text.count(chr(10))} lines"]
    if spec.proof is not None and spec.proof.holds:
        lines.append(f"verified against the original {spec.proof.text()}")
    return "\n".join(lines)
