"""The folding of a network, from the innermost levels outwards, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netspec.importer.fold.classes import CONTAINERS, LevelClass, classify
from netspec.importer.fold.family import name_family
from netspec.importer.fold.inputs.merged import merge_inputs
from netspec.importer.fold.inputs.names import name_inputs
from netspec.importer.fold.local_sizes import name_local_sizes
from netspec.importer.fold.loops.collected import collect, collects
from netspec.importer.fold.loops.letters import choose_letters
from netspec.importer.fold.loops.runs import RunFinder
from netspec.importer.fold.numbers.columns import SlotColumn, reduced
from netspec.importer.fold.numbers.drop_rates import number_rates, say_rates
from netspec.importer.fold.parts import find_parts
from netspec.importer.fold.phrasing import phrase
from netspec.importer.fold.positions import drop_positions
from netspec.importer.fold.render import Renderer
from netspec.importer.fold.skeleton import skeleton_of
from netspec.importer.fold.structure import StructureFinder
from netspec.importer.fold.tables import name_parts
from netspec.importer.standard import recognise
from netspec.importer.tree import NetworkTree
from netspec.importer.write.phrases import GroupPhrase, Phrase, ScanPhrase, SharePhrase, SpecPhrase, Wire
from netspec.importer.write.rooms import everything_in, groups_in


def fold(tree: NetworkTree) -> SpecPhrase:
    """Return a network as a person would write it."""
    spec = phrase(tree)
    standard = recognise(spec)
    name_local_sizes(spec)
    ranks = by_rank(spec.body)
    merge_inputs([group for groups in ranks for group in groups])
    find_parts(ranks)
    name_parts(spec)
    tell_around(spec.body, tree.body.kind)
    again = {*run_again(spec.body)}
    progress = number_rates(spec)
    classes: list[LevelClass] = []
    folding = _LevelFolder()
    for rank, groups in enumerate(by_rank(spec.body)):
        for group in groups:
            row = collects(spec, group)
            if row is None or not collect(group, row, folding.letter):
                group.body = folding.level(group.body, group.results)
        classes += classify(groups, rank)
    for each in classes:
        each.needs_block = each.needs_block or not again.isdisjoint(each.members)
    spec.body = folding.level(spec.body, [*spec.outputs.values()])
    whole = skeleton_of(spec.body)
    slots = [*whole.slots, *(slot for _, others in whole.others for slot in others)]
    reduction = reduced([SlotColumn(slot, [slot.value], [slot.shape]) for slot in slots], set())
    for slot, formula in zip(slots, reduction.formulas):
        slot.write(formula)
    renderer = Renderer(classes, standard)
    spec.body = renderer.render(spec.body)
    spec.blocks = renderer.blocks
    name_inputs(spec)
    name_family(spec)
    say_rates(spec, progress)
    choose_letters(spec)
    return spec


class _LevelFolder:
    """Folds one level after the other; every loop gets an index of its own."""

    def __init__(self) -> None:
        self.count = 0

    def letter(self) -> str:
        self.count += 1
        return f"index{self.count}"

    def level(self, body: Sequence[Phrase], results: Sequence[Wire]) -> list[Phrase]:
        for each in body:
            if isinstance(each, ScanPhrase):
                each.body = self.level(each.body, each.results)
        structured = StructureFinder(body, results).find()
        drop_positions(structured)
        return RunFinder(structured, results, self.letter).find()


def by_rank(body: Sequence[Phrase]) -> list[list[GroupPhrase]]:
    """Return all levels, each after those in it; levels of one class of Python's are together, as far as possible."""
    groups = [each for each in everything_in(body) if isinstance(each, GroupPhrase)]
    inner = {group: [each for each, _ in groups_in(group.body, False)] for group in groups}
    ranks: dict[GroupPhrase, int] = {}
    least: dict[str, int] = {}
    for _ in range(3):
        for group in reversed(groups):
            ranks[group] = max([1 + max((ranks[each] for each in inner[group]), default=-1), least.get(group.kind, 0)])
        for group in groups:
            if group.kind.rpartition(".")[2] not in CONTAINERS:
                least[group.kind] = max(least.get(group.kind, 0), ranks[group])
    made: list[list[GroupPhrase]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for group in groups:
        made[ranks[group]].append(group)
    return made


def run_again(body: Sequence[Phrase]) -> Iterator[GroupPhrase]:
    """Yield the levels that run once more on several inputs, which only a block has by names."""
    shares = [each for each in everything_in(body) if isinstance(each, SharePhrase) and len(each.reads) > 1]
    originals = {each.original for each in shares}
    waiting = [(group, "") for group, _ in groups_in(body, False)]
    while waiting:
        group, outer = waiting.pop()
        path = f"{outer}{group.name}"
        if path in originals:
            yield group
        waiting += [(inner, f"{path}.") for inner, _ in groups_in(group.body, False)]


def tell_around(body: Sequence[Phrase], kind: str) -> None:
    """Let each level know the class of the one that it stands in."""
    for group, _ in groups_in(body, False):
        group.around = kind.rpartition(".")[2]
        tell_around(group.body, group.kind)
