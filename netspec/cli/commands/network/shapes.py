"""``netspec shapes``: print the shape table."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import (
    add_cached_argument,
    add_command,
    add_expand_argument,
    add_spec_arguments,
    add_times_argument,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "shapes",
        "Print shapes, parameters and MACs, layer by layer, and times on a measured device; the wider the terminal, the"
        " more columns. `netspec help field` explains one.",
    )
    add_spec_arguments(command)
    add_cached_argument(command)
    command.add_argument(
        "--format", choices=["text", "json", "csv", "md", "html"], default="text", help="default: text"
    )
    command.add_argument("--depth", metavar="N", type=int, help="the number of nested levels to expand")
    add_expand_argument(command)
    command.add_argument(
        "--sort", choices=["macs", "params"], default="", help="list single ops, the most expensive first"
    )
    command.add_argument("--full", action="store_true", help="fold only repeats")
    command.add_argument("--ascii", action="store_true", help="use only ASCII characters")
    command.add_argument(
        "--budget-memory",
        metavar="SIZE",
        help="instead of the table, print the largest batch that trains and that infers within SIZE, such as 24GiB",
    )
    command.add_argument(
        "--optimizer",
        choices=["sgd", "momentum", "adam", "adamw"],
        default="",
        help="of a training step (default: that of the spec's `train`, or adam)",
    )
    command.add_argument(
        "--precision",
        choices=["float32", "mixed", "float16", "bfloat16"],
        default="",
        help="for --budget-memory: mixed is bfloat16 by autocast over float32, float16 the same in float16 (default: "
        "that of `train`, or float32)",
    )
    command.add_argument(
        "--device", choices=["cuda", "cpu"], default="", help="for --budget-memory: whose kernels run (default: cuda)"
    )
    add_times_argument(command)


def run(options: Namespace) -> None:
    """Print the shape table in the format asked for, or the largest batch within a memory."""
    from netspec.cli.option_values import asked_graph, times_of
    from netspec.cli.output import draw
    from netspec.diagnostics import UsageError
    from netspec.emit.table import ShapeTable
    from netspec.view.expand import known_levels
    from netspec.view.lines import Fold, View

    if options.budget_memory is not None:
        from netspec.analysis.batch_fit import Plan, budget_text

        plan = Plan(options.optimizer, options.precision, options.device)
        print(budget_text(asked_graph(options), options.budget_memory, plan))
        return
    if options.depth is not None and options.depth < 0:
        raise UsageError(f"--depth takes a number from 0 on, not {options.depth}")
    graph = asked_graph(options)
    expand = known_levels(graph, options.expand)
    view = View(Fold.REPEATS if options.full else None, options.depth, expand, options.sort)
    table = ShapeTable(graph, times_of(graph, options.times, options.optimizer))
    if options.format == "text":
        draw(table, view=view, ascii=options.ascii)
        return
    formats = {
        "json": table.to_json,
        "csv": table.to_csv,
        "md": table.to_markdown,
        "html": table._repr_html_,
    }
    print(formats[options.format]().rstrip("\n"))
