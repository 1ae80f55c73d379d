"""``netspec list``: list the model zoo."""

from __future__ import annotations

import sys
from argparse import Namespace

from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    add_command(commands, "list", "List the model zoo: its families, their descriptions and their variants.")


def run(options: Namespace) -> None:
    """Print every family with its variants, six in a line."""
    from netspec import zoo
    from netspec.cli.output import fitted
    from netspec.pipeline import load_spec

    for path in zoo.files():
        spec = load_spec(path).spec
        print(fitted(f"{spec.name:<20} {spec.doc}".rstrip(), sys.stdout, indent=21))
        names = [name for name in spec.variants if name != spec.name]
        for start in range(0, len(names), 6):
            print(fitted(f"{'':<20} {'  '.join(names[start : start + 6])}", sys.stdout, indent=0))
