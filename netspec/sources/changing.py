"""Changes of a body by the paths of its steps: ``conv1: {kernel_size: 3}``, ``fc: [dropout: 0.5]``.

A path names a step, or the word of an unnamed one of which there is one only: ``max_pool2d``. A list takes the place of
the step (an empty one removes it); a mapping changes its arguments, and holds steps ``before`` and ``after`` it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from netspec.diagnostics import Report, clipped, did_you_mean
from netspec.ops import OPS
from netspec.spec import misfit
from netspec.spec.reading import form_fields
from netspec.spec.steps import STRUCTURES
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode

BESIDE = ("before", "after")

Change = Callable[[SyntaxNode], Sequence[SyntaxNode]]
"""The steps that take the place of a step."""


def changed_body(body: ListNode, changes: MapNode, blocks: Mapping[str, SyntaxNode], report: Report) -> ListNode:
    """Return a body with its changes; one whose path leads to no step, or to several, is reported."""
    for path, change in changes.entries:
        if not isinstance(change, (ListNode, MapNode)):
            help = f"write `{clipped(path.text)}: {{out_features: 10}}`, or a list of steps that takes its place"
            misfit(report, change, "the changed arguments of a step, or a list of steps", help)
            continue
        body = _changed(body, path, change, blocks, report)
    return body


def _changed(
    body: ListNode, path: ScalarNode, change: ListNode | MapNode, blocks: Mapping[str, SyntaxNode], report: Report
) -> ListNode:
    def act(step: SyntaxNode) -> Sequence[SyntaxNode]:
        return _replaced(step, path, change, blocks, report)

    parts = path.text.split(".")
    for is_it in (_has_name, _has_word):
        made, count = _replace(body, parts, is_it, act)
        if count == 1:
            return made
        if count > 1:
            message = f"`{clipped(path.text)}` is not one step: {count} are called so"
            help = "write the path to one of them, or give the whole body"
            report.error("unknown-reference", message, path.span, help=help)
            return body
    close = did_you_mean(parts[-1], [*_names(body)])
    report.error("unknown-reference", f"there is no step `{clipped(path.text)}` to change", path.span, help=close)
    return body


def _replace(
    body: ListNode, path: Sequence[str], is_it: Callable[[SyntaxNode, str], bool], act: Change
) -> tuple[ListNode, int]:
    """Return a body where ``act`` has replaced the steps that a path leads to, and how many they are."""
    items: list[SyntaxNode] = []
    count = 0
    for step in body.items:
        rest = path
        if is_it(step, path[0]):
            if len(path) == 1:
                items += act(step)
                count += 1
                continue
            rest = path[1:]
        step, found = _inside(step, rest, is_it, act)
        items.append(step)
        count += found
    return ListNode(body.span, tuple(items)), count


def _inside(
    step: SyntaxNode, path: Sequence[str], is_it: Callable[[SyntaxNode, str], bool], act: Change
) -> tuple[SyntaxNode, int]:
    """Return a structure where ``act`` has replaced steps in its bodies; any other step as it is."""
    word, arguments = parts_of(step)
    form = None if word is None else STRUCTURES.get(word.text)
    if word is None or form is None:
        return step, 0
    if isinstance(arguments, ListNode):
        made, count = _replace(arguments, path, is_it, act)
        return _step(step, word, made), count
    if not isinstance(arguments, MapNode):
        return step, 0
    fields, entries, total = form_fields(form), [], 0
    for key, value in arguments.entries:
        holds = fields[key.text].holds if key.text in fields else ""
        if holds == "body" and isinstance(value, ListNode):
            value, count = _replace(value, path, is_it, act)
            total += count
        elif holds == "branches" and isinstance(value, MapNode):
            branches = []
            for name, branch in value.entries:
                if isinstance(branch, ListNode):
                    branch, count = _replace(branch, path, is_it, act)
                    total += count
                branches.append((name, branch))
            value = MapNode(value.span, tuple(branches))
        entries.append((key, value))
    return _step(step, word, MapNode(arguments.span, tuple(entries))), total


def _replaced(
    step: SyntaxNode, path: ScalarNode, change: ListNode | MapNode, blocks: Mapping[str, SyntaxNode], report: Report
) -> Sequence[SyntaxNode]:
    """Return the steps that a change makes of one."""
    if isinstance(change, ListNode):
        return change.items
    beside: dict[str, tuple[SyntaxNode, ...]] = dict.fromkeys(BESIDE, ())
    for key, node in change.entries:
        if key.text in BESIDE and isinstance(node, ListNode):
            beside[key.text] = node.items
        elif key.text in BESIDE:
            misfit(report, node, "a list of steps", "write each step after a dash")
    changes = tuple(entry for entry in change.entries if entry[0].text not in BESIDE)
    word, arguments = parts_of(step)
    if changes and word is not None:
        before = _arguments(word, arguments, blocks)
        if before is None:
            message = f"the arguments of `{clipped(path.text)}` cannot be changed one by one"
            help = f"replace the step: `{clipped(path.text)}: [{word.text}: …]`"
            report.error("bad-value", message, path.span, help=help)
        else:
            entries = {key.text: (key, node) for key, node in before.entries}
            for key, node in changes:
                held = entries.get(key.text)
                if isinstance(node, MapNode) and held is not None and isinstance(held[1], ListNode):
                    node = changed_body(held[1], node, blocks, report)
                entries[key.text] = key, node
            step = _step(step, word, MapNode(before.span, tuple(entries.values())))
    return *beside["before"], step, *beside["after"]


def _arguments(word: ScalarNode, arguments: SyntaxNode | None, blocks: Mapping[str, SyntaxNode]) -> MapNode | None:
    """Return the arguments of a step as a mapping; ``None`` where a value stands alone and nobody knows for what."""
    if isinstance(arguments, MapNode):
        return arguments
    if arguments is None or (isinstance(arguments, ScalarNode) and arguments.value is None):
        return MapNode(word.span, ())
    name = word.text
    block = blocks.get(name)
    params = block.get("params") if isinstance(block, MapNode) else None
    main = None
    if name in STRUCTURES:
        main = STRUCTURES[name].main
    elif isinstance(params, MapNode):
        main = next(iter(params.keys()), None)
    elif name in OPS:
        main = OPS[name].main
    return MapNode(word.span, ((ScalarNode(word.span, main, main, True), arguments),)) if main else None


def parts_of(step: SyntaxNode) -> tuple[ScalarNode | None, SyntaxNode | None]:
    """Return the word of a step and what stands under it."""
    if isinstance(step, ScalarNode):
        return step, None
    if isinstance(step, MapNode) and len(step.entries) == 1:
        return step.entries[0]
    return None, None


def _step(step: SyntaxNode, word: ScalarNode, arguments: SyntaxNode) -> MapNode:
    return MapNode(step.span, ((word, arguments),))


def _name_of(step: SyntaxNode) -> str | None:
    _, arguments = parts_of(step)
    name = arguments.get("name") if isinstance(arguments, MapNode) else None
    return name.text if isinstance(name, ScalarNode) else None


def _has_name(step: SyntaxNode, name: str) -> bool:
    return _name_of(step) == name


def _has_word(step: SyntaxNode, word: str) -> bool:
    written, _ = parts_of(step)
    return written is not None and written.text == word and _name_of(step) is None


def _names(body: SyntaxNode | None) -> Iterator[str]:
    """Every name and word of the steps in a body."""
    for step in body.items if isinstance(body, ListNode) else ():
        word, arguments = parts_of(step)
        if word is not None:
            yield _name_of(step) or word.text
        values = [node for _, node in arguments.entries] if isinstance(arguments, MapNode) else [arguments]
        for value in values if word is not None and word.text in STRUCTURES else ():
            yield from _names(value)
            for _, branch in value.entries if isinstance(value, MapNode) else ():
                yield from _names(branch)
