"""The levels of a tree as phrases, one for each node: what is folded, and what is written without folding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.importer.fold.idioms import shortened
from netspec.importer.tree import ModuleLevel, NetworkTree, OpNode, Ref, ScanLevel, TreeNode
from netspec.importer.write.phrases import CallPhrase, GroupPhrase, Phrase, ScanPhrase, SharePhrase, SpecPhrase, Wire
from netspec.importer.write.scans import without_first_states
from netspec.ops import OPS


def phrase(tree: NetworkTree) -> SpecPhrase:
    """Return a network as phrases, level by level."""
    takes = [Wire(tensor) for tensor in tree.body.takes]
    body, results = phrase_level(tree.body, takes)
    inputs = dict(zip(tree.inputs, takes))
    outputs = dict(zip(tree.outputs, results))
    spec = SpecPhrase(tree.name, tree.doc, sizes=tree.sizes, inputs=inputs, body=body, outputs=outputs)
    spec.numbers = tree.body.numbers
    return spec


def phrase_level(level: ModuleLevel | ScanLevel, takes: list[Wire]) -> tuple[list[Phrase], list[Wire]]:
    """Return the phrases of a level's nodes, and what it gives; ``takes`` are the wires of its inputs."""
    made: list[list[Wire]] = []
    body: list[Phrase] = []
    known: dict[TreeNode, Phrase] = {}

    def wire(ref: Ref) -> Wire:
        return takes[ref.port] if ref.at < 0 else made[ref.at][ref.port]

    for node in level.body:
        reads = [None if ref is None else wire(ref) for ref in node.inputs]
        each = phrase_node(node, reads)
        if each is None:  # what passes on what it reads
            made.append([read for read in reads if read is not None])
            continue
        if isinstance(each, SharePhrase) and node.again is not None:
            each.step = known[node.again]
        known[node] = each
        body.append(each)
        made.append(each.makes)
        if isinstance(node, ModuleLevel):
            made[-1] = given_by(node, each, reads)
    results = [wire(ref) for ref in level.results]
    return without_first_states(shortened(body), results), results


def phrase_node(node: TreeNode, reads: list[Wire | None]) -> Phrase | None:
    """Return a node as a phrase; ``None`` for a level without steps, or one value that is joined with nothing."""
    if node.shared:
        return _with_outputs(SharePhrase(node.name, False, reads, original=node.shared), node.outputs)
    if isinstance(node, OpNode):
        joins = node.op in ("concat", "add", "multiply", "mean") and len(reads) == 1
        return None if joins else phrase_op(node, reads)
    if isinstance(node, ScanLevel):
        return phrase_scan(node, reads)
    assert isinstance(node, ModuleLevel)
    if not node.body:
        return None
    takes = [Wire(tensor) for tensor in node.takes]
    body, results = phrase_level(node, takes)
    kept = [result for result in dict.fromkeys(results) if result not in takes]
    group = GroupPhrase(node.name, bool(node.name), reads, takes=takes, body=body, results=kept, kind=node.kind)
    group.numbers = node.numbers
    return _with_outputs(group, [result.tensor for result in kept])


def phrase_scan(node: ScanLevel, reads: list[Wire | None]) -> ScanPhrase:
    """Return a scan."""
    takes = [Wire(tensor) for tensor in node.takes]
    body, results = phrase_level(node, takes)
    scan = ScanPhrase(node.name, node.is_level and bool(node.name), reads, takes=takes, body=body, results=results)
    scan.sequences, scan.states, scan.reverse = node.sequences, node.states, node.reverse
    scan.is_level = node.is_level
    _with_outputs(scan, node.outputs)
    return scan


def given_by(level: ModuleLevel, each: Phrase, reads: list[Wire | None]) -> list[Wire]:
    """Return what a level gives, as its surroundings have it: what it only passes on is what it reads."""
    if not isinstance(each, GroupPhrase):
        return each.makes
    outside: dict[Wire, Wire] = dict(zip(each.results, each.makes))
    takes = dict(zip(each.takes, reads))
    inside = dict(zip(_refs(level), each.results))
    given: list[Wire] = []
    for ref in level.results:
        read = takes[each.takes[ref.port]] if ref.at < 0 else outside[inside[ref]]
        assert read is not None
        given.append(read)
    return given


def _refs(level: ModuleLevel) -> list[Ref]:
    """Return what a level gives of its own, each once."""
    return [ref for ref in dict.fromkeys(level.results) if ref.at >= 0]


def phrase_op(node: OpNode, reads: list[Wire | None]) -> CallPhrase:
    """Return a call of an op."""
    call = CallPhrase(
        node.name,
        node.keyed or bool(node.name),
        reads,
        word=node.op,
        arguments=dict(node.arguments),
        keys=node.keys,
        tied=node.tied,
        ports=port_names(node.op, node.arguments, reads) if len(node.outputs) > 1 else ("output",),
    )
    _with_outputs(call, node.outputs)
    return call


def port_names(word: str, arguments: Mapping[str, Any], reads: list[Wire | None]) -> tuple[str, ...]:
    """Return the names of an op's outputs."""
    op = OPS[word].model_validate(dict(arguments))
    return op.output_names(*(None if wire is None else wire.tensor for wire in reads))  # type: ignore[arg-type]


def _with_outputs(each: Phrase, tensors: Any) -> Phrase:
    each.makes = [Wire(tensor, each, port) for port, tensor in enumerate(tensors)]
    return each
