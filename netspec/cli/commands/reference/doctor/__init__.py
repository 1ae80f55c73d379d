"""``netspec doctor``: what is installed, what is missing, and whether there is a GPU."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "doctor",
        "Show the packages that netspec works with, their versions and what brings those that are missing; the "
        "processors, the GPUs and the free memory that it finds; and what draws its pictures. The exit code is 3 if "
        "netspec cannot work as it is.",
    )
    command.add_argument("--format", choices=["text", "json"], default="text", help="how to print it (default: text)")


def run(options: Namespace) -> int:
    """Print the state of the installation; give 3 if a package is missing that all need."""
    from netspec.cli.commands.reference.doctor.installation import Installation
    from netspec.cli.output import say, status

    found = Installation.find()
    if options.format == "json":
        with status("trying the packages"):
            record = found.to_json()
        say(record)
    else:
        for line in found.lines():
            say(line)
    return 3 if found.faults else 0
