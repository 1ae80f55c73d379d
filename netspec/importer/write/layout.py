"""The layout of YAML as a person writes a spec: short things on one line, bodies below each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from netspec.syntax.scalars import resolve

WIDTH = 120
"""No line is longer, where it can be broken."""
MOST_STEPS = 3
"""A line holds no more steps."""
MOST_BRACED = 2
"""Arguments in braces take no more lines."""
PLAIN = re.compile(r"[A-Za-z_($0-9][\w .()+*/%<>=$-]*", re.ASCII)
STEPS = ("body", "projection", "shortcut", "then", "else")
"""The keys that hold steps."""
OPEN = ("blocks", "network", "branches")
"""The keys that are never written on one line."""


class Steps(list[Any]):
    """A list of steps."""


def lay_out(spec: Mapping[str, Any]) -> str:
    """Return the text of a spec, with an empty line between its parts."""
    parts = ["\n".join(_entry(key, value, 0)) for key, value in spec.items()]
    text = ""
    for key, part in zip(spec, parts):
        apart = text and ("\n" in part or key in ("params", "dims", "inputs", "network", "outputs", "expect"))
        text += ("\n" if apart else "") + part + "\n"
    return re.sub(r"\n\n(inputs: .*\n)", r"\n\1", text) if "dims" in spec else text


def _entry(key: Any, value: Any, indent: int) -> Iterator[str]:
    """Yield the lines of a key and its value."""
    pad = " " * indent
    inline = None if key in OPEN and value else flow(value)
    if inline is not None and indent + len(inline) + len(str(key)) + 2 <= WIDTH and _is_short(value):
        yield f"{pad}{scalar(key)}: {inline}"
        return
    braced = _braced(value, indent + 2) if indent and key not in (*OPEN, "each") and isinstance(value, Mapping) else []
    if braced:
        yield f"{pad}{scalar(key)}:"
        yield from braced
    elif isinstance(value, Mapping):
        yield f"{pad}{scalar(key)}:"
        for at, (name, each) in enumerate(value.items()):
            if key == "blocks" and at:
                yield ""
            yield from _entry(name, each, indent + 2)
    elif isinstance(value, Steps):
        yield f"{pad}{scalar(key)}:"
        for step in value:
            yield from _step(step, indent + 2)
    elif isinstance(value, (list, tuple)):
        yield from _wrapped(f"{pad}{scalar(key)}: [", value, indent + 2)
    else:
        yield f"{pad}{scalar(key)}: {flow(value)}"


def _braced(value: Mapping[str, Any], indent: int) -> list[str]:
    """Return plain arguments in braces below their step, if they are long, but no longer than two lines."""
    if _steps_in(value) or any(isinstance(each, Mapping) and len(each) > 1 for each in value.values()):
        return []
    lines = [" " * indent + "{"]
    for name, each in value.items():
        text = f"{scalar(name)}: {flow(each)},"
        if len(lines[-1]) + 1 + len(text) > WIDTH and lines[-1].strip() != "{":
            lines.append(" " * indent)
        lines[-1] += ("" if lines[-1].endswith("{") else " ") + text
    lines[-1] = lines[-1][:-1] + "}"
    return lines if len(lines) <= MOST_BRACED and all(len(line) <= WIDTH for line in lines) else []


def _step(step: Any, indent: int) -> Iterator[str]:
    """Yield the lines of an item of a body."""
    pad = " " * indent
    inline = _pair(step) if isinstance(step, Mapping) else flow(step)
    if not isinstance(step, Mapping) or (indent + len(inline) + 2 <= WIDTH and _is_short(step)):
        yield f"{pad}- {inline}"
        return
    ((key, value),) = step.items()
    if isinstance(value, Mapping) and len(value) == 1 and isinstance(value.get("body"), Steps):
        value = value["body"]
    lines = [*_entry(key, value, indent + 2)]
    yield f"{pad}- {lines[0].lstrip()}"
    yield from lines[1:]


def _is_short(value: Any) -> bool:
    """Return whether a value reads well on one line: few steps, and none with steps that have steps."""
    return _steps_in(value) <= MOST_STEPS and _depth(value) <= 2


def _steps_in(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(map(_steps_in, value.values()))
    if isinstance(value, Steps):
        return len(value) + sum(map(_steps_in, value))
    return 0


def _depth(value: Any) -> int:
    """The number of bodies inside each other."""
    if isinstance(value, Mapping):
        return max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, Steps) else 0


def _wrapped(start: str, items: Any, indent: int) -> Iterator[str]:
    """Yield a long list, broken where a line is full."""
    line = start
    for text in flow(items)[1:].split(", "):
        if len(line) + 2 + len(text) > WIDTH and line.strip():
            yield line
            line = " " * indent
        line += ("" if line.endswith("[") or not line.strip() else " ") + text + ","
    yield line[:-1]


def flow(value: Any) -> str:
    """Return a value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_pair(each) if isinstance(each, Mapping) else flow(each) for each in value) + "]"
    return scalar(value)


def _pair(step: Mapping[str, Any]) -> str:
    """Return a step on one line, without braces."""
    ((key, value),) = step.items()
    return f"{scalar(key)}: {flow(value)}"


def scalar(value: Any) -> str:
    """Return a number, a truth value or a text."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _real(value)
    if PLAIN.fullmatch(value) and not value.endswith(" ") and ": " not in value and resolve(value) == value:
        return str(value)
    if value.isdecimal() and str(int(value)) == value:  # the number of a step
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _real(value: float) -> str:
    text = repr(value)
    if "e" not in text:
        return text
    plain = f"{value:.20f}".rstrip("0")
    return plain if float(plain) == value and len(plain) <= 12 else text
