"""``netspec train --resume``: go on with a run, as it was begun, or make it longer."""

from __future__ import annotations

import sys
from argparse import Namespace

from netspec.cli.commands.training.train.work import train
from netspec.cli.output import fitted, warn
from netspec.elaborate import Limits
from netspec.pipeline import Loaded
from netspec.train.start.resumption import changes_of_spec, named_folder, resumption
from netspec.train.world import is_worker


def resume(spec: Loaded | None, options: Namespace, limits: Limits) -> int:
    """Go on with a run, of a spec if one is named; gives the exit code."""
    folder = named_folder(options.resume, spec, options.variant)
    made = resumption(folder, options.set, options.stretch_schedule, limits)
    if not is_worker():  # who has started it tells this
        for note in made.notes:
            print(fitted(note, sys.stdout), flush=True)
        if (changed := changes_of_spec(made, spec, limits)) is not None:
            warn(changed)
    return train(made.graph, made.loaded, options, made)
