"""``netspec compare``: train several networks and compare them."""

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
        "compare",
        "Train several specs, or one spec with several values of a key, and show their scores in a table and their "
        "losses in a picture, runs/compare/N/compare.png. Several --over options give all combinations.",
    )
    command.add_argument("specs", metavar="SPEC", nargs="+", help="a path, or the name of a zoo entry or variant")
    command.add_argument(
        "--over",
        metavar="KEY=A,B,…",
        action="append",
        default=[],
        help="the values of a parameter, of a key of the recipe (train.optimizer=sgd,adam), or of `variant`",
    )
    command.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a value that all of the runs share; may be repeated",
    )
    add_limit_arguments(command)


def run(options: Namespace) -> int:
    """Train all of them, then show them side by side."""
    from netspec.cli.option_values import limits_of, pairs

    pairs(options.set, "--set")
    from netspec.cli.commands.training.compare.candidates import compare

    return compare(options, limits_of(options))
