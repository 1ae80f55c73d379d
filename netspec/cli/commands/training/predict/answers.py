"""Printing for ``netspec predict``: a line, an object or a row for each answer."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence

from netspec.text.quoting import cell, json_text
from netspec.train.predict.answers import Answer

MOST_SHOWN = 3
"""Classes that a line names, the likeliest ones."""


def print_answers(answers: Sequence[Answer], format: str) -> None:
    """Print the answers as text, JSON or CSV."""
    if format == "json":
        print(json_text([answer.plain() for answer in answers], indent=2))
    elif format == "csv":
        write_csv(answers)
    else:
        width = max((len(answer.of) for answer in answers), default=0)
        print("\n".join(f"{answer.of:<{min(width, 40)}}  {told(answer)}" for answer in answers))


def told(answer: Answer) -> str:
    """Return an answer in a line."""
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
    """Print a row for each answer, with classes in the order of their names."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, answer in enumerate(answers):
        if answer.probabilities is None:
            fields = answer.plain()
            head, cells = [*fields], [*fields.values()]
        else:
            shares = dict(sorted(answer.probabilities.items()))
            head, cells = ["of", "class", *shares], [answer.of, next(iter(answer.probabilities)), *shares.values()]
        if number == 0:
            writer.writerow(map(cell, head))
        writer.writerow(json.dumps(each) if isinstance(each, list) else cell(each) for each in cells)
