"""A syntax tree as text, with the comments beside what it was read from; what fits on a line stays as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator

from netspec.diagnostics import Report, Source, Span
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode, parse

MODELINE = "# yaml-language-server:"
Entry = tuple[ScalarNode, SyntaxNode]


def yaml_text(node: MapNode) -> str:
    """Return a document that is read as this tree."""
    return "\n".join(_mapping(node, "")) + "\n"


def _mapping(node: MapNode, indent: str) -> Iterator[str]:
    for number, (key, value) in enumerate(node.entries):
        above = _comments_above(key.span)
        if not indent and number and (above or isinstance(value, (MapNode, ListNode))):
            yield ""
        yield from (f"{indent}{line}" for line in above)
        yield from _entry(key, value, indent)


def _entry(key: ScalarNode, value: SyntaxNode, indent: str) -> Iterator[str]:
    word = _scalar(key)
    written = _on_a_line(value)
    if written is not None:
        first, *more = written.split("\n")
        beside = _comment_beside(value.span)
        yield f"{indent}{word}: {first}{beside if not more else ''}".rstrip()
        yield from more
        return
    yield f"{indent}{word}:{_comment_beside(key.span, colon=True)}"
    yield from _mapping(value, indent + "  ") if isinstance(value, MapNode) else _list(value, indent + "  ")


def _list(node: SyntaxNode, indent: str) -> Iterator[str]:
    for item in node.items if isinstance(node, ListNode) else ():
        yield from (f"{indent}{line}" for line in _comments_above(item.span))
        written = _on_a_line(item)
        if written is not None:
            first, *more = written.split("\n")
            yield f"{indent}- {first}{_comment_beside(item.span) if not more else ''}"
            yield from more
            continue
        inner = indent + "  "
        made = _mapping(item, inner) if isinstance(item, MapNode) else _list(item, inner)
        lines = [line for line in made if line]
        at = next(number for number, line in enumerate(lines) if not line.lstrip().startswith("#"))
        lines[at] = f"{indent}- {lines[at][len(inner) :]}"
        yield from (line if number >= at else indent + line.lstrip() for number, line in enumerate(lines))


def _on_a_line(node: SyntaxNode) -> str | None:
    """Return a value as it is written, or the shortest text for it; ``None`` for what needs lines of its own."""
    span = node.span
    written = _slice(span)
    is_flow = written.startswith(("{", "["))
    if (is_flow or span.line == span.end_line) and _is(node, written):
        return written
    if isinstance(node, ScalarNode):
        return _scalar(node)
    if not (node.entries if isinstance(node, MapNode) else node.items):
        return "{}" if isinstance(node, MapNode) else "[]"
    return None


def _scalar(node: ScalarNode) -> str:
    if node.plain and _is(node, node.text) and not node.text.startswith(("- ", "? ")):
        return node.text
    return json.dumps(node.text, ensure_ascii=False)


def _is(node: SyntaxNode, text: str) -> bool:
    """Return whether a text, under a key, is read as the node."""
    read = parse(Source("", f"key: {text}"), Report()) if text else None
    return isinstance(read, MapNode) and len(read.entries) == 1 and _same(read.entries[0][1], node)


def _same(left: SyntaxNode, right: SyntaxNode) -> bool:
    if isinstance(left, ScalarNode) and isinstance(right, ScalarNode):
        return (left.text, type(left.value), left.value) == (right.text, type(right.value), right.value)
    if isinstance(left, ListNode) and isinstance(right, ListNode):
        return len(left.items) == len(right.items) and all(map(_same, left.items, right.items))
    if isinstance(left, MapNode) and isinstance(right, MapNode):
        alike = [key.text for key, _ in left.entries] == [key.text for key, _ in right.entries]
        return alike and all(_same(ours[1], theirs[1]) for ours, theirs in zip(left.entries, right.entries))
    return False


def _slice(span: Span) -> str:
    lines = [span.source.line(number) for number in range(span.line, span.end_line + 1)]
    if not lines:
        return ""
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


def _comments_above(span: Span) -> list[str]:
    """Return the lines of comments right above a key or an item that begins its line."""
    before = span.source.line(span.line)[: span.column - 1]
    if before.strip(" -"):
        return []
    found: list[str] = []
    number = span.line - 1
    while number > 0 and span.source.line(number).lstrip().startswith("#"):
        found.append(span.source.line(number).strip())
        number -= 1
    return [line for line in reversed(found) if not line.startswith(MODELINE)]


def _comment_beside(span: Span, colon: bool = False) -> str:
    """Return the comment behind a value, or behind a key and its colon."""
    rest = span.source.line(span.end_line)[span.end_column - 1 :].strip()
    rest = rest.removeprefix(":").strip() if colon else rest
    return f"  {rest}" if rest.startswith("#") else ""
