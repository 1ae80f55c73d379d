"""``netspec evaluate`` and ``netspec predict``: what has been trained, put to use."""

from __future__ import annotations

import csv
import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from statistics import stdev

from netspec.cli.train import score_table, silent, warn
from netspec.diagnostics import UsageError
from netspec.text.quoting import cell, json_text
from netspec.train.job import average, over_folds
from netspec.train.predict.answers import Answer, Predictor
from netspec.train.predict.trained_run import Finished

MOST_SHOWN = 3
"""Classes that a line names, the likeliest ones."""


def evaluate(options: Namespace) -> None:
    """Print the scores of a run."""
    runs = Finished.find(options.run, options.data)
    found = [run.scores(options.runtime, warn if number == 0 else silent) for number, run in enumerate(runs)]
    if options.format == "json":
        print(json.dumps(average(found), indent=2))
        return
    spread = over_folds(stdev, found) if len(found) > 1 else {}
    print(score_table(average(found), spread, {} if options.data is not None else runs[0].recipe.published))


def predict(options: Namespace) -> None:
    """Print what a run's network says of files or texts."""
    runs = Finished.find(options.run)
    if len(runs) > 1:
        raise UsageError(f"{options.run} has a network for each fold: name one, such as {options.run}/fold-1")
    predictor = Predictor(runs[0], options.runtime)
    answers = [answer for given in options.given for answer in predictor.answers(given)]
    if options.format == "json":
        print(json_text([answer.plain() for answer in answers], indent=2))
    elif options.format == "csv":
        write_csv(answers)
    else:
        width = max((len(answer.of) for answer in answers), default=0)
        print("\n".join(f"{answer.of:<{min(width, 40)}}  {told(answer)}" for answer in answers))


def told(answer: Answer) -> str:
    """An answer in a line."""
    if answer.text is not None:
        return answer.text
    if answer.probabilities is not None:
        likeliest = [*answer.probabilities.items()][:MOST_SHOWN]
        return "  ".join(f"{name} {share:6.1%}" for name, share in likeliest)
    if answer.classes is not None:
        return json.dumps(answer.classes)
    values = f"{answer.values:.6g}" if isinstance(answer.values, float) else json.dumps(answer.values)
    return values if answer.label is None else f"{answer.label}  {values}"


def write_csv(answers: Sequence[Answer]) -> None:
    """A row each, classes in the order of their names."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, answer in enumerate(answers):
        if answer.probabilities is None:
            given = answer.plain()
            head, cells = [*given], [*given.values()]
        else:
            shares = dict(sorted(answer.probabilities.items()))
            head, cells = ["of", "class", *shares], [answer.of, next(iter(answer.probabilities)), *shares.values()]
        if number == 0:
            writer.writerow(map(cell, head))
        writer.writerow(json.dumps(each) if isinstance(each, list) else cell(each) for each in cells)
