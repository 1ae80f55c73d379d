"""``netspec compare``: compare runs that have ended, or train several networks and compare them."""

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
        "losses in a picture, runs/compare/N/compare.png. Several --over options give all combinations. Runs are shown "
        "as they are: in what their specs and recipes differ, and how they ended, or how far they have come.",
    )
    help = (
        "a path, or the name of a zoo entry or variant; or the folders of runs, runs/net/1 runs/net/2, or one with "
        "runs in it: runs/compare/1"
    )
    command.add_argument("specs", metavar="SPEC", nargs="+", help=help)
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
    command.add_argument("--format", choices=["text", "md", "json"], default="text", help="of runs (default: text)")
    command.add_argument("-o", "--output", metavar="FILE", help="of runs: draw their losses into a .png or .pdf file")
    add_limit_arguments(command)


def run(options: Namespace) -> int:
    """Train all of them, then show them side by side."""
    from netspec.cli.option_values import limits_of, pairs

    pairs(options.set, "--set")
    if _are_runs(options):
        from netspec.cli.commands.training.compare.finished import compare_finished

        compare_finished(options)
        return 0
    from netspec.cli.commands.training.compare.candidates import compare

    return compare(options, limits_of(options))


def _are_runs(options: Namespace) -> bool:
    """Return whether runs are named rather than specs; folders of runs, as a comparison's, become the runs in them.

    Raises ``UsageError`` for both, and for options of the other.
    """
    from netspec.diagnostics import UsageError
    from netspec.sources.run_folders import names_run, no_such_run

    options.specs = [word for each in options.specs for word in _with_runs_inside(each)]
    are_runs = [names_run(each) for each in options.specs]
    missing = [told for each in options.specs if not names_run(each) and (told := no_such_run(each)) is not None]
    if missing:
        raise UsageError(missing[0])
    if any(are_runs) and not all(are_runs):
        other = options.specs[are_runs.index(False)]
        raise UsageError(f"{other} is a spec, and others are runs: train it first, and compare its run")
    if any(are_runs) and (options.over or options.set):
        raise UsageError("--over and --set are for specs, which are trained: runs stay as they are")
    if not any(are_runs) and (options.format != "text" or options.output is not None):
        raise UsageError("--format and -o are for runs: `netspec compare runs/compare/1`")
    return all(are_runs)


def _with_runs_inside(text: str) -> list[str]:
    """Return a word of the command line; in place of a folder of runs, those in it."""
    from pathlib import Path

    from netspec.sources.run_folders import COMPARED, LAST, numbers_in, runs_in

    path = Path(text)
    if path.name == LAST and path.parent.name == COMPARED and (numbers := numbers_in(path.parent)):
        path = path.parent / str(max(numbers))
    return [str(each) for each in runs_in(path)] or [text]
