"""``netspec build``: write everything: table, source, verified ONNX, diagram."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import (
    add_command,
    add_device_argument,
    add_spec_arguments,
    add_verify_argument,
    add_weights_argument,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "build",
        "Print the shape table and write model.py, model.onnx, diagram.svg, diagram.dot, explorer.html, shapes.json "
        "and build.json. The ONNX file is run on onnxruntime and compared with PyTorch at three sizes of every "
        "symbolic dimension; if they disagree, it is kept as model.rejected.onnx and the command fails.",
    )
    add_spec_arguments(command)
    command.add_argument("-o", "--output", metavar="DIR", help="the folder to write into (default: build/NAME)")
    command.add_argument(
        "--only",
        metavar="TARGET",
        action="append",
        default=[],
        help="write only this target, one of those that `netspec emit` lists; may be repeated",
    )
    add_weights_argument(command)
    add_verify_argument(command)
    add_device_argument(command)


def run(options: Namespace) -> int:
    """Print the shape table, then write every artefact."""
    from pathlib import Path

    from netspec.cli.commands.network.build.artefacts import build_all
    from netspec.cli.given_weights import GivenWeights
    from netspec.cli.option_values import graph_of, weights_of
    from netspec.cli.output import draw
    from netspec.cli.program import let_threads_sleep
    from netspec.emit.table import ShapeTable
    from netspec.targets import WriteOptions

    let_threads_sleep()
    graph = graph_of(options)
    folder = Path(options.output) if options.output else Path("build") / graph.name
    source = weights_of(options)
    given = None if source is None else GivenWeights(graph, source)
    draw(ShapeTable(graph))
    fill, origin = (None, "") if source is None or given is None else (given.fill, source.origin)
    how = WriteOptions(options.device, options.verify, fill, origin)
    return build_all(graph, folder, how, options.variant, options.only, given)
