"""``netspec trace``: find the first layer in which two networks part."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from netspec.cli.options import add_command, add_limit_arguments, add_value_arguments, add_weights_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands
    from netspec.graph import Graph
    from netspec.runtime.trace.layers import Trace


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "trace",
        "Run two forms of a network side by side and compare them layer by layer: each layer is given the same inputs "
        "on both sides, so that one that is right is not blamed for what came before it. The first layer that parts is "
        "named with its line in the spec.",
    )
    command.add_argument(
        "one",
        metavar="A",
        help="a spec, which runs in PyTorch with --weights or as initialised; a run's folder; or an ONNX file",
    )
    command.add_argument(
        "other",
        metavar="B",
        nargs="?",
        help="an ONNX file, a spec, a run's folder, a file of other weights for A (.pth, .safetensors), or the module "
        "or program that A was imported from (MODULE:NAME, .pt2); default: A, in another precision or on another "
        "runtime",
    )
    command.add_argument("--variant", metavar="NAME", help="a variant of the spec")
    add_value_arguments(command)
    add_limit_arguments(command)
    add_weights_argument(command)
    command.add_argument(
        "--on", choices=["onnxruntime", "openvino"], help="the runtime of B, which is A's ONNX file where B is left out"
    )
    command.add_argument(
        "--precision", choices=["float16", "bfloat16", "float64"], help="the precision of B, where it is PyTorch"
    )
    command.add_argument(
        "--argument",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an argument of MODULE:NAME, where that is called; may be repeated",
    )
    _add_output(command)


def _add_output(command: ArgumentParser) -> None:
    """Add what both run on, and what is printed."""
    command.add_argument(
        "--input",
        metavar="FILE",
        action="append",
        default=[],
        help="the inputs: a .npz file with arrays by their names, or NAME=FILE.npy, which may be repeated (default: "
        "random ones at small sizes or those of --dim)",
    )
    command.add_argument(
        "--bound",
        type=float,
        metavar="X",
        help="the most that a layer may add, relative to its largest number (default: 2e-5, or four roundings of the "
        "coarsest dtype)",
    )
    command.add_argument("--parting", action="store_true", help="print only the layers that part")
    command.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="also write the explorer's page, with differences as heat: trace.html",
    )
    command.add_argument("--format", choices=["text", "json"], default="text", help="default: text")


def run(options: Namespace) -> int:
    """Print the layers with what they add, and the first that parts; gives 1 where one does."""
    from netspec.cli.program import let_threads_sleep

    let_threads_sleep()  # before torch is imported
    from netspec.cli.commands.network.trace.sides import traced
    from netspec.cli.output import say, status
    from netspec.runtime.trace.text import trace_table
    from netspec.text.quoting import json_text

    with status("running both, layer by layer"):
        trace, graph = traced(options)
    if options.format == "json":
        print(json_text(trace.record(), indent=2))
    else:
        if not options.parting or trace.parting:
            say(trace_table(trace, options.parting))
        say(("" if options.parting and not trace.parting else "\n") + trace.told())
    if graph is not None and options.output:
        _draw(trace, graph, options.output)
    return 0 if trace.agrees else 1


def _draw(trace: Trace, graph: Graph, output: str) -> None:
    """Write the explorer's page of a spec with the differences of its layers."""
    from pathlib import Path

    from netspec.emit.explorer import LayerDifferences, explorer_page
    from netspec.files import write_text

    added = {layer.path: layer.own for layer in trace.layers}
    differences = LayerDifferences(" and ".join(trace.sides), added, trace.bound)
    write_text(Path(output), explorer_page(graph, differences=differences))
