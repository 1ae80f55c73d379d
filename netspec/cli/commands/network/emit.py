"""``netspec emit``: print or write any target, including those of plugins."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command, add_spec_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "emit",
        "Print a network as one of the text targets, or write it to a file. Without a target, list all targets: "
        "netspec's own and those of plugins. Targets that are not text are written by `netspec build --only TARGET`.",
    )
    command.add_argument("target", metavar="TARGET", nargs="?", help="a target, such as source")
    add_spec_arguments(command, required=False)
    command.add_argument("-o", "--output", metavar="FILE", help="the file to write (default: print it)")


def run(options: Namespace) -> None:
    """Print or write the text of a target, or list all targets."""
    from netspec.cli.option_values import graph_of, output_of
    from netspec.diagnostics import UsageError
    from netspec.files import write_text
    from netspec.plugins import all_targets, emitted

    if options.target is None:
        targets = all_targets()
        width = max(len(", ".join(target.files)) for target in targets) + 2
        for target in targets:
            print(f"{target.name:<12}{', '.join(target.files):<{width}}{target.summary}")
        return
    if options.spec is None:
        raise UsageError(f"`netspec emit {options.target}` needs a spec: a path, or the name of a zoo entry or variant")
    text = emitted(options.target, lambda: graph_of(options))
    if options.output:
        write_text(output_of(options), text)
    else:
        print(text, end="" if text.endswith("\n") else "\n")
