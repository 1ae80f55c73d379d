"""``netspec completion``: print the completion script of a shell."""

from __future__ import annotations

import argparse

from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

    from netspec.cli.options import Commands

EPILOG = """\
bash, in ~/.bashrc:                 eval "$(netspec completion bash)"
zsh, in ~/.zshrc, after compinit:   eval "$(netspec completion zsh)"
fish, once:                         netspec completion fish > ~/.config/fish/completions/netspec.fish
"""


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "completion",
        "Print a script with which a shell completes commands, options and their values, zoo names, variants, "
        "parameters, ops and runs.",
    )
    command.epilog = EPILOG
    command.add_argument("shell", metavar="SHELL", choices=["bash", "zsh", "fish"], help="bash, zsh or fish")
    # The scripts ask with it for what may stand where the cursor is. A word each, as `--` would end the options.
    command.add_argument("--answer", action="append", help=argparse.SUPPRESS)


def run(options: Namespace) -> None:
    """Print the script, or the answer to it."""
    from netspec.cli.commands.reference.completion.shells import answer_of, script_of

    if options.answer is None:
        print(script_of(options.shell), end="")
        return
    for line in answer_of(options.shell, options.answer):
        print(line)
