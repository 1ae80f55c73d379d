"""Printing for ``netspec predict``: a line, an object or a row for each answer."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netspec.files import write_text
from netspec.text.quoting import cell, json_text, visible
from netspec.train.predict.answers import Answer

INPUT = "input"
"""The column that says which input each answer is for: a file, or a row of it, from 1 on, as `houses.csv:1`."""
MOST_SHOWN = 3
"""Classes that a line names, the likeliest ones."""


def print_answers(answers: Sequence[Answer], format: str) -> None:
    """Print the answers as text, JSON or CSV."""
    sys.stdout.write(in_format(answers, format))


def write_answers(answers: Sequence[Answer], path: str, format: str | None) -> None:
    """Write the answers to a file, in a format or as its name ends, and say how many there are.

    Raises ``EnvironmentFault`` if it cannot be written.
    """
    by_name = "json" if path.lower().endswith(".json") else "csv"
    write_text(Path(path), in_format(answers, format or by_name))
    print(f"{visible(path)}: {len(answers):,} answer{'s' * (len(answers) != 1)}")


def in_format(answers: Sequence[Answer], format: str) -> str:
    """Return the answers as text, JSON or CSV."""
    if format == "json":
        return json_text([answer.plain() for answer in answers], indent=2) + "\n"
    if format == "csv":
        return as_csv(answers)
    if len(answers) == 1 and answers[0].text is not None:
        return answers[0].text + "\n"  # a text that the network writes is text, with its lines
    width = max((len(answer.input) for answer in answers), default=0)
    return "".join(f"{answer.input:<{min(width, 40)}}  {told(answer)}\n" for answer in answers)


def told(answer: Answer) -> str:
    """Return an answer in a line."""
    if answer.text is not None:
        return answer.text.replace("\n", "⏎")
    if answer.probabilities is not None:
        likeliest = [*answer.probabilities.items()][:MOST_SHOWN]
        return "  ".join(f"{name} {share:6.1%}" for name, share in likeliest)
    if answer.classes is not None:
        return json.dumps(answer.classes)
    values = f"{answer.values:.6g}" if isinstance(answer.values, float) else json.dumps(answer.values)
    return values if answer.label is None else f"{answer.label}  {values}"


def as_csv(answers: Sequence[Answer]) -> str:
    """Return a row for each answer, with classes in the order of their names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, answer in enumerate(answers):
        fields = answer.plain()
        given, kept, shares = fields.pop(INPUT), fields.pop("kept", {}), sorted(fields.pop("probabilities", {}).items())
        numbers = of_targets(fields.pop("values"), answer, [INPUT, *kept]) if answer.targets else {}
        pairs = [(INPUT, given), *kept.items(), *numbers.items(), *fields.items(), *shares]
        if number == 0:
            writer.writerow(cell(name) for name, _ in pairs)
        writer.writerow(json.dumps(value) if isinstance(value, list) else cell(value) for _, value in pairs)
    return text.getvalue()


def of_targets(values: Any, answer: Answer, taken: Sequence[str]) -> dict[str, Any]:
    """Return numbers by the names of their targets; of a name that is ``taken``, ``predicted_NAME``."""
    names = [f"predicted_{name}" if name in taken else name for name in answer.targets]
    if len(names) == 1:
        return {names[0]: values}
    return dict(zip(names, values, strict=True))
