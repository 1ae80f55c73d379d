"""``netspec check``: check every variant of the specs, without building."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command, add_limit_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "check",
        "Check specs: form, names, shapes, and what they `require` and `expect`, for the defaults and for every "
        "variant. This takes milliseconds per spec and does not need torch. The exit code is 0 if all are sound, 1 if "
        "one has an error, 2 if one is not there, and 3 if one cannot be read or the faults cannot be written.",
    )
    command.add_argument(
        "specs", metavar="SPEC", nargs="+", help="a path, the name of a zoo entry, or - for the standard input"
    )
    command.add_argument("--strict", action="store_true", help="take warnings for errors")
    command.add_argument("--watch", action="store_true", help="check again whenever a file is saved; Ctrl-C ends it")
    add_limit_arguments(command)


def run(options: Namespace) -> int:
    """Check every spec once, or whenever a file is saved."""
    from netspec.cli.commands.network.check.verdicts import check_all
    from netspec.cli.option_values import limits_of

    if options.watch:
        from netspec.cli.commands.network.check.watch import watch

        return watch(options.specs, limits_of(options), options.error_format, options.strict)
    return check_all(options.specs, limits_of(options), options.error_format, options.strict)
