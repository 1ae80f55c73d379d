"""No input is a bug: whole commands on damaged specs of the zoo, with options at random, end with an answer.

``NETSPEC_MANY=100`` tries a hundred times as many; each example is drawn from its number alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from places import ROOT

from netspec.cli import main

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
NUMBERS = [0, -1, 1, 2, 3, 7, 10**6, 10**12, 2**63, 10**30, 1.5, -0.5, float("nan"), float("inf"), 1e308]
WORDS = [
    "",
    "x",
    "prev",
    "shape",
    "N",
    "N*N",
    "-N",
    "N//2",
    "1/0",
    "2**9999",
    "[1",
    "a b",
    "{x}",
    "{",
    "$x",
    "None",
    "é",
]
WORDS += ["x.y", "x.0", "..", "linear", "relu", "*", "a" * 600, "🙂", "\u00a0", "range(10**9)", "max()", "shape[9]"]
LISTS: list[Any] = [[], [[]], [1, 2], [1, [2, 3]], ["prev"], {}, {"a": 1}, {"from": "prev"}, {"name": "x"}]
JUNK: list[Any] = [*NUMBERS, *WORDS, *LISTS, True, False, None]
SECTIONS = ("data", "loss", "optimizer", "schedule", "epochs", "batch_size", "metrics", "augment", "prepare", "init")
KEYS = ("freeze", "init", "recompute", "tie", "doc", "when", "optional", "below", "dtype", "name", "from")
OPTIONS = ("--set", "--dim", "--variant", "--expand", "--depth", "--format", "--budget-memory", "--direction")
FORMATS = ("text", "json", "csv", "md", "html", "other")


def places(part: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in a document, but to the whole."""
    entries = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [way for key, item in entries for way in ((*at, key), *places(item, (*at, key)))]


def damage(document: Any, random: Random) -> None:
    """One thing in it is changed, left out, doubled, renamed or added."""
    way = random.choice(places(document))
    around = document
    for key in way[:-1]:
        around = around[key]
    key = way[-1]
    match random.choice(["change", "change", "change", "remove", "rename", "double", "add"]):
        case "remove":
            del around[key]
        case "rename" if isinstance(around, dict):
            around[str(random.choice(JUNK))] = around.pop(key)
        case "double" if isinstance(around, list):
            around.append(around[key])
        case "add" if isinstance(around, dict):
            around[random.choice(KEYS)] = random.choice(JUNK)
        case _:
            around[key] = random.choice(JUNK)


def command(random: Random, spec: Path, folder: Path) -> list[str]:
    kind = random.choice(["check", "shapes", "source", "diagram", "explorer", "diff"])
    made = [kind, str(spec)]
    if kind == "shapes":
        made += ["--format", random.choice(FORMATS)]
    if kind in ("diagram", "explorer"):
        made += ["-o", str(folder / f"out.{random.choice(['dot', 'mmd', 'html', 'other'])}")]
    if kind == "diff":
        made.append(str(random.choice([spec, *SPECS])))
    while random.random() < 0.2:
        value = str(random.choice(JUNK))
        option = random.choice(OPTIONS)
        made += [option, f"{random.choice(['N', 'H', 'width', 'x'])}={value}" if option in OPTIONS[:2] else value]
    return made


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60 * MANY))
def test_every_command_answers(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = Random(seed)
    document = yaml.load(random.choice(SPECS).read_text(), yaml.CSafeLoader)
    if random.random() < 0.3:
        document.setdefault("train", {})[random.choice(SECTIONS)] = random.choice(JUNK)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        damage(document, random)
    spec = tmp_path / "spec.yaml"
    spec.write_text(yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True))
    arguments = command(random, spec, tmp_path)
    try:
        code = main(arguments)
    except SystemExit as found:  # argparse's
        code = found.code  # type: ignore[assignment]
    assert code in (0, 1, 2, 3), (arguments, capsys.readouterr().err)
