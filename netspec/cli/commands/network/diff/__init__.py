"""``netspec diff``: compare two networks."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command, add_limit_arguments, add_value_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from netspec.cli.options import Commands
    from netspec.emit.diff import Diff


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "diff",
        "Compare the structure of two networks: layers added, removed and changed, with their costs; the totals; and "
        "how every state_dict key changes. A key counts as renamed only if the match is unambiguous. With a single "
        "SPEC, compare its defaults with --variant or --set, or else the last commit of the file with the file.",
    )
    command.add_argument(
        "old", metavar="SPEC", help="a spec as for other commands, or a git revision of it: net.yaml@HEAD~1"
    )
    command.add_argument("new", metavar="SPEC", nargs="?", help="the spec to compare it with")
    command.add_argument(
        "--variant",
        metavar="NAME",
        action="append",
        default=[],
        help="a variant of both specs, or, given twice, one for each side",
    )
    add_value_arguments(command)
    add_limit_arguments(command)
    command.add_argument("--format", choices=["text", "json"], default="text", help="default: text")
    command.add_argument("--ascii", action="store_true", help="use only ASCII characters")
    command.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="also show it: in a .html page with both as one diagram, the costs and the YAML of both; or with both "
        "diagrams side by side in a .svg, .png, .pdf or .dot file",
    )
    command.add_argument(
        "--depth", type=int, metavar="N", help="the number of levels to expand (default: as many as are readable)"
    )
    command.add_argument(
        "--exit-code", action="store_true", help="exit with code 1 if they differ (default: 0 either way)"
    )


PICTURES = (".svg", ".png", ".pdf", ".dot")


def run(options: Namespace) -> int:
    """Print what differs, and draw it where a file is named; gives 1 for a difference with ``--exit-code``."""
    from pathlib import Path

    from netspec.cli.commands.network.diff.sides import compared
    from netspec.cli.option_values import limits_of, overrides_of, sizes_of
    from netspec.cli.output import PAGES, draw, say_written
    from netspec.diagnostics import UsageError
    from netspec.emit.diff import Diff

    output = Path(options.output) if options.output else None
    if output is not None and output.suffix.lower() not in (*PAGES, *PICTURES):
        raise UsageError(
            f"a difference is shown as .html, {', '.join(PICTURES)}, but the file is called `{output.name}`"
        )
    diff = Diff(*compared(options, overrides_of(options), sizes_of(options), limits_of(options)))
    if options.format == "json":
        print(diff.to_json())
    else:
        draw(diff, ascii=options.ascii)
    if output is not None:
        _show(diff, output, options.depth)
        if options.format == "text":  # JSON is all that its reader wants
            say_written(output)
    return int(options.exit_code and not diff.is_empty)


def _show(diff: Diff, path: Path, depth: int | None) -> None:
    """Write a page, or a picture, as the file's name says."""
    from netspec.cli.output import PAGES

    if path.suffix.lower() in PAGES:
        from netspec.emit.explorer import comparison_page
        from netspec.files import write_text

        write_text(path, comparison_page(diff))
        return
    from netspec.emit.diagram.pair import diff_dot
    from netspec.emit.diagram.render import render

    render(diff_dot(diff, depth=depth), path)
