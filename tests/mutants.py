"""Single-fault mutants of the zoo: each must give exactly one diagnostic, at the line that was changed.

    python tests/mutants.py [count] [seed]

prints the share of mutants that do, and lists the rest. Some mutants leave the spec sound, such as a typo in a text:
they are drawn again.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from netspec import zoo
from netspec.checks.check import check_loaded
from netspec.diagnostics import Diagnostic, Report, Source, SpecError
from netspec.elaborate.steps import STRUCTURES
from netspec.pipeline import load_source
from netspec.spec import NAME
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode, parse

Edit = tuple[int, int, str]
"""From character, to character, and what stands there instead."""


@dataclass(frozen=True)
class Mutant:
    """A changed spec. ``lines`` are those at which the fault may be told."""

    file: str
    kind: str
    text: str
    lines: frozenset[int]


@dataclass(frozen=True)
class Verdict:
    """What netspec said of a mutant."""

    mutant: Mutant
    diagnostics: tuple[Diagnostic, ...]
    crash: str = ""

    @property
    def sound(self) -> bool:
        return not self.diagnostics and not self.crash

    @property
    def good(self) -> bool:
        """One diagnostic, with a label at the changed line; or another network that is sound, which its costs tell."""
        if self.diagnostics and {each.id for each in self.diagnostics} == {"expectation-failed"}:
            return True
        if len(self.diagnostics) != 1:
            return False
        (found,) = self.diagnostics
        places = [found.primary, *found.secondary]
        return any(label.span.line in self.mutant.lines for label in places)


class Specimen:
    """A zoo file taken apart: where its keys, values and references stand."""

    def __init__(self, path: Path):
        self.name = path.name
        self.text = path.read_text()
        self.starts = [0]
        for line in self.text.split("\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)
        tree = parse(Source(path.name, self.text), Report())
        assert isinstance(tree, MapNode)
        self.tree = tree
        self.places = [*walk(tree, ())]

    def offset(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column - 1

    def edited(self, node: SyntaxNode, new: str, kind: str, lines: frozenset[int] | None = None) -> Mutant:
        span = node.span
        start, end = self.offset(span.line, span.column), self.offset(span.end_line, span.end_column)
        return Mutant(self.name, kind, self.text[:start] + new + self.text[end:], lines or frozenset({span.line}))


Path_ = tuple[str, ...]


def walk(node: SyntaxNode, path: Path_) -> Iterator[tuple[Path_, ScalarNode | None, SyntaxNode, MapNode | None]]:
    """Every value with the keys that lead to it, its key, and the mapping that it stands in."""
    if isinstance(node, MapNode):
        for key, value in node.entries:
            yield (*path, key.text), key, value, node
            yield from walk(value, (*path, key.text))
    elif isinstance(node, ListNode):
        for item in node.items:
            yield (*path, "-"), None, item, None
            yield from walk(item, (*path, "-"))


def typo(word: str, rng: random.Random) -> str:
    """The word with two letters swapped, one doubled, one lost or one changed."""
    place = rng.randrange(len(word))
    match rng.randrange(4):
        case 0 if place + 1 < len(word) and word[place] != word[place + 1]:
            return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        case 1:
            return word[:place] + word[place] + word[place:]
        case 2 if len(word) > 2:
            return word[:place] + word[place + 1 :]
    other = rng.choice([letter for letter in "qxzjk" if letter != word[place]])
    return word[:place] + other + word[place + 1 :]


FREE = frozenset(
    [
        "params",
        "variants",
        "each",
        "branches",
        "blocks",
        "inputs",
        "outputs",
        "dims",
        "init",
        "let",
        "collect",
        "networks",
    ]
)
"""Sections whose keys are the author's own names."""


def in_step(path: Path_) -> bool:
    return "network" in path[:1] or "blocks" in path[:1]


def key_typo(spec: Specimen, rng: random.Random) -> Mutant | None:
    keys = [(path, key) for path, key, _, _ in spec.places if key is not None and NAME.match(key.text)]
    path, key = rng.choice(keys)
    if len(path) > 1 and path[-2] in FREE and not (path[-2] == "inputs" and in_step(path)):
        return None
    if len(path) > 2 and path[-3] == "variants":
        return None  # `variant` mutates these
    return spec.edited(key, typo(key.text, rng), "typo in a key")


def op_typo(spec: Specimen, rng: random.Random) -> Mutant | None:
    steps = [
        node
        for path, key, node, _ in spec.places
        if path[-1] == "-" and in_step(path) and len(path) > 1 and path[-2] in ("network", "body", "then", "else")
    ]
    if not steps:
        return None
    step = rng.choice(steps)
    word = step.entries[0][0] if isinstance(step, MapNode) else step
    if not isinstance(word, ScalarNode) or word.text.startswith("$") or word.text in STRUCTURES:
        return None
    return spec.edited(word, typo(word.text, rng), "typo in an op")


def reference_typo(spec: Specimen, rng: random.Random) -> Mutant | None:
    nodes = [
        node
        for path, key, node, _ in spec.places
        if isinstance(node, ScalarNode)
        and node.plain
        and (path[-1] == "from" or path[-2:-1] == ("outputs",) or (path[-1] == "-" and path[-2] == "from"))
        and NAME.match(node.text)
    ]
    return spec.edited(node := rng.choice(nodes), typo(node.text, rng), "typo in a reference") if nodes else None


def path_typo(spec: Specimen, rng: random.Random) -> Mutant | None:
    """A typo in a path to a step, of this network or of one that it uses: of `share`, `tie`, `collect`, `upto` …"""
    nodes = [
        node
        for path, key, node, _ in spec.places
        if isinstance(node, ScalarNode)
        and (path[-1] in ("share", "upto", "step") or path[-2:-1] in (("tie",), ("collect",), ("without",)))
        and re.search(r"[A-Za-z_]{2}", node.text)
        and node.text != "prev"
    ]
    if not nodes:
        return None
    node = rng.choice(nodes)
    word = rng.choice(re.findall(r"[A-Za-z_]{2,}", node.text))
    return spec.edited(node, node.text.replace(word, typo(word, rng), 1), "typo in a path")


def network_typo(spec: Specimen, rng: random.Random) -> Mutant | None:
    """A typo in the name of another network."""
    nodes = [
        node
        for path, _, node, _ in spec.places
        if isinstance(node, ScalarNode)
        and (path[-1] in ("use", "extends") or path[-2:] in (("use", "network"), ("use", "variant")))
        and NAME.match(node.text)
    ]
    return spec.edited(node := rng.choice(nodes), typo(node.text, rng), "typo in a network") if nodes else None


def change_typo(spec: Specimen, rng: random.Random) -> Mutant | None:
    """A typo in a path to a step that a spec changes of the one that it extends."""
    keys = [key for path, key, _, _ in spec.places if key is not None and len(path) == 2 and path[0] == "network"]
    if spec.tree.get("extends") is None or not keys:
        return None
    return spec.edited(key := rng.choice(keys), typo(key.text, rng), "typo in a changed step")


def name_in_expression(spec: Specimen, rng: random.Random) -> Mutant | None:
    declared = [spec.tree.get(word) for word in ("params", "let")]
    params = {key.text for node in declared if isinstance(node, MapNode) for key, _ in node.entries}
    nodes = [
        node
        for path, key, node, _ in spec.places
        if isinstance(node, ScalarNode)
        and node.plain
        and in_step(path)
        and "params" not in path
        and path[-1] not in ("name", "index", "from", "merge", "doc")
        and any(re.search(rf"\b{name}\b", node.text) for name in params)
    ]
    if not nodes:
        return None
    node = rng.choice(nodes)
    name = rng.choice([name for name in sorted(params) if re.search(rf"\b{name}\b", node.text)])
    if node.text.startswith("$"):
        return None
    return spec.edited(node, re.sub(rf"\b{name}\b", typo(name, rng), node.text, count=1), "typo in a name")


def wrong_type(spec: Specimen, rng: random.Random) -> Mutant | None:
    values = [
        (path, node)
        for path, key, node, _ in spec.places
        if key is not None
        and "\n" not in spec.text[slice(*span_of(spec, node))]
        and path[-1] != "doc"
        and path[0] != "doc"
    ]
    _, node = rng.choice(values)
    new = rng.choice(["[1, two]", "{a: 1}", "true", "'some text'", "3.5", "-1", "null"])
    return spec.edited(node, new, "wrong type", frozenset({node.span.line}))


def span_of(spec: Specimen, node: SyntaxNode) -> tuple[int, int]:
    span = node.span
    return spec.offset(span.line, span.column), spec.offset(span.end_line, span.end_column)


REQUIRED = frozenset(
    {"out_channels", "kernel_size", "out_features", "count", "each", "body", "branches", "merge", "test", "then"}
)


def deleted_key(spec: Specimen, rng: random.Random) -> Mutant | None:
    entries = [
        (key, node, holder)
        for path, key, node, holder in spec.places
        if key is not None
        and holder is not None
        and path[-1] in REQUIRED
        and holder.span.line == holder.span.end_line
        and spec.text[spec.offset(holder.span.line, holder.span.column)] == "{"
        and len(holder.entries) > 1
    ]
    if not entries:
        return None
    key, node, _ = rng.choice(entries)
    start, end = spec.offset(key.span.line, key.span.column), span_of(spec, node)[1]
    text = spec.text
    if text[end : end + 2] == ", ":
        end += 2
    elif text[start - 2 : start] == ", ":
        start -= 2
    return Mutant(spec.name, "deleted key", text[:start] + text[end:], frozenset({key.span.line}))


def changed_size(spec: Specimen, rng: random.Random) -> Mutant | None:
    """A stride or a padding in a residual or a branch that no longer fits the others."""
    nodes = [
        (path, node)
        for path, key, node, _ in spec.places
        if isinstance(node, ScalarNode)
        and path[-1] in ("padding", "kernel_size", "stride", "out_channels")
        and ("residual" in path or "branches" in path)
        and node.text.isdigit()
    ]
    if not nodes:
        return None
    _, node = rng.choice(nodes)
    above = structure_lines(spec, node)
    return spec.edited(node, str(int(node.text) + rng.choice([1, 2, 3])), "changed size", above | {node.span.line})


def structure_lines(spec: Specimen, node: SyntaxNode) -> frozenset[int]:
    """The lines of the residual or parallel that a node stands in: the fault is told there."""
    place = span_of(spec, node)[0]
    lines = set()
    for _, key, value, _ in spec.places:
        if key is not None and key.text in ("residual", "parallel"):
            start, end = span_of(spec, value)
            if start <= place < end:
                lines |= {key.span.line}
    return frozenset(lines)


def bracket(spec: Specimen, rng: random.Random) -> Mutant | None:
    places = [found.start() for found in re.finditer(r"[\[\]{}]", spec.text)]
    code = [
        place
        for place in places
        if "#" not in line_before(spec.text, place) and "doc:" not in line_before(spec.text, place)
    ]
    if not code:
        return None
    place = rng.choice(code)
    line = spec.text.count("\n", 0, place) + 1
    return Mutant(spec.name, "bracket lost", spec.text[:place] + spec.text[place + 1 :], frozenset({line}))


def line_before(text: str, place: int) -> str:
    return text[text.rfind("\n", 0, place) + 1 : place]


def duplicate_key(spec: Specimen, rng: random.Random) -> Mutant | None:
    entries = [
        (key, node)
        for _, key, node, _ in spec.places
        if key is not None and isinstance(node, ScalarNode) and node.span.line == node.span.end_line
    ]
    key, node = rng.choice(entries)
    start, end = spec.offset(key.span.line, key.span.column), span_of(spec, node)[1]
    text = spec.text
    before = line_before(text, start)
    if text[end : end + 1] in (",", "}"):
        made = text[:end] + ", " + text[start:end] + text[end:]
    elif not before.strip() and text[end : end + 1] == "\n":
        made = text[:end] + "\n" + before + text[start:end] + text[end:]
    else:
        return None
    return Mutant(spec.name, "duplicate key", made, frozenset({key.span.line, key.span.line + 1}))


def tab(spec: Specimen, rng: random.Random) -> Mutant | None:
    lines = [number for number, line in enumerate(spec.text.split("\n"), 1) if line.startswith("  ")]
    line = rng.choice(lines)
    start = spec.starts[line - 1]
    return Mutant(spec.name, "tab", spec.text[:start] + "\t" + spec.text[start + 2 :], frozenset({line}))


def indentation(spec: Specimen, rng: random.Random) -> Mutant | None:
    lines = [number for number, line in enumerate(spec.text.split("\n"), 1) if re.match(r"  +[\w$]+:", line)]
    if not lines:
        return None
    line = rng.choice(lines)
    start = spec.starts[line - 1]
    near = frozenset({line - 1, line, line + 1})
    if rng.random() < 0.5:
        return Mutant(spec.name, "indentation", spec.text[:start] + " " + spec.text[start:], near)
    return Mutant(spec.name, "indentation", spec.text[:start] + spec.text[start + 1 :], near)


def variant(spec: Specimen, rng: random.Random) -> Mutant | None:
    keys = [
        key
        for path, key, _, _ in spec.places
        if key is not None and len(path) == 3 and path[0] == "variants" and key.text not in ("doc",)
    ]
    return spec.edited(key := rng.choice(keys), typo(key.text, rng), "unknown variant parameter") if keys else None


def yes(spec: Specimen, rng: random.Random) -> Mutant | None:
    nodes = [node for _, _, node, _ in spec.places if isinstance(node, ScalarNode) and isinstance(node.value, bool)]
    return (
        spec.edited(rng.choice(nodes), rng.choice(["yes", "no", "on", "Off"]), "a YAML 1.1 boolean") if nodes else None
    )


def colon(spec: Specimen, rng: random.Random) -> Mutant | None:
    places = [found.end() for found in re.finditer(r"\b\w+:(?= )", spec.text)]
    place = rng.choice(places)
    before = line_before(spec.text, place)
    if "#" in before or "doc" in before:
        return None
    line = spec.text.count("\n", 0, place) + 1
    return Mutant(spec.name, "space after a colon", spec.text[:place] + spec.text[place + 1 :], frozenset({line}))


def expected(spec: Specimen, rng: random.Random) -> Mutant | None:
    nodes = [
        node for path, _, node, _ in spec.places if "expect" in path and isinstance(node, ScalarNode) and node.plain
    ]
    nodes = [node for node in nodes if isinstance(node.value, (int, str)) and re.fullmatch("[0-9_]+", node.text)]
    return spec.edited(node := rng.choice(nodes), f"1{node.text}", "another expectation") if nodes else None


KINDS: list[Callable[[Specimen, random.Random], Mutant | None]] = [
    key_typo,
    op_typo,
    reference_typo,
    path_typo,
    network_typo,
    change_typo,
    name_in_expression,
    wrong_type,
    deleted_key,
    changed_size,
    bracket,
    duplicate_key,
    tab,
    indentation,
    variant,
    yes,
    colon,
    expected,
]


def judge(mutant: Mutant) -> Verdict:
    try:
        return Verdict(
            mutant, check_loaded(load_source(Source(str(zoo.folder() / mutant.file), mutant.text))).diagnostics
        )
    except SpecError as found:
        return Verdict(mutant, tuple(found.diagnostics))
    except Exception as found:
        return Verdict(mutant, (), f"{type(found).__name__}: {found}")


def verdicts(count: int, seed: int) -> Iterator[Verdict]:
    """The verdicts of that many mutants that are faulty."""
    rng = random.Random(seed)
    specs = [Specimen(path) for path in zoo.files()]
    while count:
        made = rng.choice(KINDS)(rng.choice(specs), rng)
        if made is None:
            continue
        verdict = judge(made)
        if verdict.sound:
            continue
        count -= 1
        yield verdict


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    bad = []
    for verdict in verdicts(count, seed):
        if not verdict.good:
            bad.append(verdict)
    for verdict in bad:
        mutant = verdict.mutant
        told = verdict.crash or len(verdict.diagnostics)
        print(f"--- {mutant.kind} in {mutant.file}, line {sorted(mutant.lines)}: {told}")
        lines = mutant.text.split("\n")
        for number in sorted(mutant.lines):
            print(f"    {lines[number - 1] if number <= len(lines) else ''}")
        for found in verdict.diagnostics[:4]:
            print(f"  {found.primary.span.line}: [{found.id}] {found.message}")
    print(f"{count - len(bad)} of {count} mutants ({1 - len(bad) / count:.1%}) give one diagnostic at the changed line")
    return 0 if len(bad) <= count * 0.02 and not any(verdict.crash for verdict in bad) else 1


if __name__ == "__main__":
    raise SystemExit(main())
