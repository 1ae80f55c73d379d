"""``netspec evaluate``: what has been trained, put to use."""

from __future__ import annotations

import json
from argparse import Namespace
from statistics import stdev

from netspec.cli.train import average, over_folds, score_table
from netspec.train.finished import Finished


def evaluate(options: Namespace) -> None:
    """Print the scores of a run."""
    values = [f"train.data={options.data}"] if options.data is not None else []
    runs = Finished.find(options.run, values)
    found = [run.scores(options.runtime, other=options.data is not None) for run in runs]
    if options.format == "json":
        print(json.dumps(average(found), indent=2))
        return
    spread = over_folds(stdev, found) if len(found) > 1 else {}
    print(score_table(average(found), spread, {} if options.data is not None else runs[0].recipe.published))
