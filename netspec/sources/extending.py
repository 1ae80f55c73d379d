"""A spec that says what it changes of another one: the two merged into one tree, each node with its own place.

Mappings are merged, key by key; a value and a list take the place of the base's. So a body that is a list takes the
place of the base's, and one that is a mapping changes the base's by the paths of its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netspec.diagnostics import Report, clipped, did_you_mean
from netspec.sources.changing import changed_body
from netspec.spec import Spec
from netspec.spec.parameters import is_type
from netspec.spec.reading import form_fields
from netspec.syntax import ListNode, MapNode, ScalarNode, SyntaxNode

OWN = ("extends", "name", "variants", "expect")
"""Keys that are not the base's but the spec's own, or nobody's."""

Entries = dict[str, tuple[ScalarNode, SyntaxNode]]
Merge = Callable[[SyntaxNode, SyntaxNode], SyntaxNode]


def merged(base: MapNode, own: MapNode, variant: str | None, report: Report) -> MapNode:
    """Return what a spec comes to that extends another one, or a variant of it. Changes that miss are reported."""
    if variant is not None:
        base = with_variant(base, variant)
    base = MapNode(base.span, tuple(entry for entry in base.entries if entry[0].text not in OWN))
    blocks = {**_entries(base.get("blocks")), **_entries(own.get("blocks"))}

    def body(before: SyntaxNode, after: SyntaxNode) -> SyntaxNode:
        if isinstance(before, ListNode) and isinstance(after, MapNode):
            return changed_body(before, after, {name: node for name, (_, node) in blocks.items()}, report)
        return after

    def block(before: SyntaxNode, after: SyntaxNode) -> SyntaxNode:
        if not isinstance(after, MapNode) or isinstance(after.get("body"), ListNode):
            return after
        return joined(before, after, {"params": by_name, "body": body})

    parts: dict[str, Merge] = {
        **dict.fromkeys(("dims", "inputs", "let", "networks"), by_name),
        **dict.fromkeys(("import", "require"), one_after_another),
        "params": lambda before, after: joined(before, after, {}, with_default),
        "init": lambda before, after: later_last(before, after, report),
        "blocks": lambda before, after: joined(before, after, {}, block),
        "network": body,
    }
    whole = joined(base, own, parts)
    assert isinstance(whole, MapNode)
    order = [*form_fields(Spec)]
    entries = sorted(whole.entries, key=lambda entry: order.index(entry[0].text) if entry[0].text in order else 99)
    return MapNode(whole.span, tuple(entries), whole.partial)


def with_variant(base: MapNode, variant: str) -> MapNode:
    """Return a spec whose parameters have a variant's values as their defaults."""
    variants, params = base.get("variants"), base.get("params")
    values = variants.get(variant) if isinstance(variants, MapNode) else None
    if not isinstance(values, MapNode) or not isinstance(params, MapNode):
        return base
    known = params.keys()
    given = MapNode(values.span, tuple(entry for entry in values.entries if entry[0].text in known))
    return joined(  # type: ignore[return-value]
        base,
        MapNode(base.span, ((params_key(base), given),)),
        {"params": lambda before, after: joined(before, after, {}, with_default)},
    )


def params_key(base: MapNode) -> ScalarNode:
    """Return the key of a spec's parameters."""
    key = base.key("params")
    assert key is not None
    return key


def joined(
    base: SyntaxNode, own: SyntaxNode, parts: Mapping[str, Merge], each: Merge = lambda before, after: after
) -> SyntaxNode:
    """Return a mapping over another: ``parts`` merge the values of some keys that both have, ``each`` those of all."""
    if not isinstance(base, MapNode) or not isinstance(own, MapNode):
        return own
    entries: Entries = _entries(base)
    for key, node in own.entries:
        before = entries.get(key.text)
        entries[key.text] = key, node if before is None else parts.get(key.text, each)(before[1], node)
    return MapNode(own.span, tuple(entries.values()), own.partial)


def by_name(base: SyntaxNode, own: SyntaxNode) -> SyntaxNode:
    """Return a mapping over another: what it has takes the place of what has the same name there."""
    return joined(base, own, {})


def with_default(base: SyntaxNode, own: SyntaxNode) -> SyntaxNode:
    """Return a parameter with another default; one in its long form keeps its type and bounds."""
    is_value = not isinstance(own, MapNode) and not (isinstance(own, ScalarNode) and is_type(own.text))
    if not isinstance(base, MapNode) or not is_value:
        return own
    key = base.key("default") or ScalarNode(own.span, "default", "default", True)
    return joined(base, MapNode(base.span, ((key, own),)), {})


def one_after_another(base: SyntaxNode, own: SyntaxNode) -> SyntaxNode:
    """Return two lists as one; a mapping is an item."""
    if isinstance(base, ScalarNode) or isinstance(own, ScalarNode):
        return own
    before, after = (node.items if isinstance(node, ListNode) else (node,) for node in (base, own))
    return ListNode(own.span, (*before, *after))


def later_last(base: SyntaxNode, own: SyntaxNode, report: Report) -> SyntaxNode:
    """Return the rules of both, the spec's own behind the base's: the last one that fits counts, and ``null`` removes
    the base's, one by its pattern or all of them. One that the base does not have is reported.
    """
    if _is_null(own):
        return MapNode(own.span, ())
    if not isinstance(base, MapNode) or not isinstance(own, MapNode):
        return own
    for pattern, rule in own.entries:
        if _is_null(rule) and base.get(pattern.text) is None:
            close = did_you_mean(pattern.text, base.keys())
            message = f"the base has no rule `{clipped(pattern.text)}` to remove"
            report.error("unknown-reference", message, pattern.span, help=close)
    kept = tuple(entry for entry in base.entries if own.get(entry[0].text) is None)
    return MapNode(own.span, (*kept, *(entry for entry in own.entries if not _is_null(entry[1]))), own.partial)


def _is_null(node: SyntaxNode) -> bool:
    return isinstance(node, ScalarNode) and node.plain and node.value is None


def _entries(node: SyntaxNode | None) -> Entries:
    return {key.text: (key, value) for key, value in node.entries} if isinstance(node, MapNode) else {}
