"""``netspec weights``: show how the weights of a file match a spec."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import WEIGHTS, add_command, add_spec_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "weights",
        "Print for each tensor of a network what becomes of it with the weights of a file: taken, under which key, or "
        "started anew. Nothing is built; of safetensors only the header is read.",
    )
    add_spec_arguments(command)
    command.add_argument("weights", metavar="FILE", nargs="?", help=f"{WEIGHTS}; default: those of the spec's `train`")
    command.add_argument("--full", action="store_true", help="print every tensor in a line of its own")
    command.add_argument("--format", choices=["text", "json"], default="text", help="default: text")


def run(options: Namespace) -> int:
    """Print the table, and the match in a line; gives 1 where the weights cannot be loaded."""
    from pathlib import Path

    from netspec.cli.option_values import graph_of, weights_of
    from netspec.cli.output import say, warn
    from netspec.diagnostics import UsageError
    from netspec.text.quoting import json_text
    from netspec.weights.places import report_on
    from netspec.weights.table import weights_table

    graph, source, here = graph_of(options), weights_of(options), Path()
    if source is None and graph.recipe is not None and graph.recipe.weights is not None:
        source, here = graph.recipe.weights, graph.recipe.folder_of("weights", graph.spec)
    if source is None:
        raise UsageError(f"name a file of weights, as the spec of {graph.name} has no `weights` under `train`")
    report, _ = report_on(graph, source, here)
    if options.format == "json":
        print(json_text({**report.record(), "taken": report.found.taken}, indent=2))
    else:
        say(weights_table(report, options.full))
        say(f"\n{report.line()}")
    try:
        report.guard()
    except UsageError as fault:
        warn(str(fault))
        return 1
    if (advice := report.advice()) is not None:
        warn(advice)
    return 0
