"""The data of a difference's page: two networks as one graph, with what differs and the costs of both at every path."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from netspec.analysis.constraints import file_name
from netspec.analysis.costs import Costs, scan_text
from netspec.analysis.diff import Differences
from netspec.analysis.diff.changes import labels
from netspec.analysis.diff.merging import MergedLevel, MergedStep, merged_networks
from netspec.analysis.diff.words import facet_text
from netspec.analysis.memory import Memory
from netspec.analysis.unsaid import unsaid_notes
from netspec.diagnostics import Source
from netspec.dims import evaluate
from netspec.emit.explorer.compared.runs import MergedRun, runs_of
from netspec.emit.explorer.compared.texts import paired_texts
from netspec.emit.explorer.compared.variants import with_variants
from netspec.emit.explorer.records import Records, carried_by, makers_of, rows_of, shifted, texts_of, without_empty
from netspec.graph import ONCE, Call, ExecutionCount, Graph, Node, Step, Value
from netspec.view.cards import contents, sign_of
from netspec.view.folding import Card
from netspec.view.wiring import ENTRY, Wiring, wire

MOST_OPEN = 120
"""Cards that stand open at first."""
MOST_SECTIONS = 40
"""Differences around the layers that are told."""


class _LevelPlace(NamedTuple):
    """A level's place: the paths before its steps on the page and in either network, and how often its steps run."""

    page: str = ""
    old: str = ""
    new: str = ""
    executions: tuple[ExecutionCount, ExecutionCount] = (ONCE, ONCE)
    whole: str = ""

    def of(self, step: MergedStep, level: MergedLevel) -> tuple[ExecutionCount, ExecutionCount]:
        """Return how often the old and the new step run."""
        bodies, steps = (level.old, level.new), (step.match.old, step.match.new)
        counts = [
            count.at(body, each) if body is not None and each is not None else ONCE
            for count, body, each in zip(self.executions, bodies, steps)
        ]
        return counts[0], counts[1]


def compared_data(diff: Differences) -> dict[str, Any]:
    """The data of the page: a merged graph as the explorer has one, and what is told of each path in it."""
    return _Compared(diff).all()


class _Compared(Records):
    """Numbers what it meets in both networks, and tells of each row."""

    def __init__(self, diff: Differences):
        super().__init__()
        self.diff = diff
        self.costs = Costs(diff.old.sizes), Costs(diff.new.sizes)
        self.memory = Memory(diff.old), Memory(diff.new)
        self.told: dict[str, Any] = {}
        self.differing: list[str] = []
        self.open: list[str] = []
        self._alone: list[str] = []
        self._opened: set[int] = set()
        self._shown = 0
        self._known: dict[str, int] = {}

    def all(self) -> dict[str, Any]:
        old, new = self.diff.old, self.diff.new
        texts = texts_of(old), texts_of(new)
        places = [[self.place_of(source) for source in side] for side in texts]
        pairs = paired_texts(*texts)
        for pair in pairs:
            self.mark_variants(pair, texts)
            for side, numbers in zip(("old", "new"), places):
                pair[side] = -1 if pair[side] is None else numbers[pair[side]]
        root = self.root()
        names = labels(old, new)
        self.open = self.open or self._alone
        self.told[""] = without_empty(old=self.whole(0, old), new=self.whole(1, new))
        return {
            "name": " → ".join(names),
            "sides": list(names),
            "doc": self.doc(),
            "dims": [],
            "sizes": [],
            "root": root,
            "open": self.open,
            "levels": self.levels,
            "nodes": self.nodes,
            "tensors": [{**tensor, "sizes": []} for tensor in self.tensors],
            "kept": {},
            "requirements": [],
            "frozen": {"paths": [], "params": 0},
            "constraints": [],
            "sources": [{"name": pair["name"], "text": ""} for pair in pairs],
            "pairs": pairs,
            "files": [file_name(source) for source in self.sources],
            "told": self.told,
            "differing": self.differing,
            "sections": self.sections(),
        }

    def mark_variants(self, pair: dict[str, Any], texts: tuple[Sequence[Source], Sequence[Source]]) -> None:
        """Show as the change of a text that both networks share the lines that their values come from."""
        old, new = self.diff.old, self.diff.new
        if pair["old"] is None or pair["new"] is None or old.name == new.name:
            return
        text = texts[1][pair["new"]]
        if texts[0][pair["old"]].text == text.text:
            changed = [entry.name for entry in self.diff.sections["parameter"]]
            pair["lines"] = [*with_variants(pair["lines"], text, (old.name, new.name), changed)]

    def doc(self) -> str:
        """The line below the names: if nothing differs, the sizes that costs are at, and what they leave out."""
        graphs = self.diff.old, self.diff.new
        sizes = [", ".join(f"{name}={size}" for name, size in graph.sizes.items()) for graph in graphs]
        if sizes[0] == sizes[1]:
            at = f"Costs at {sizes[0]}." if sizes[0] else ""
        else:
            at = f"Costs before at {sizes[0] or 'its sizes'}, now at {sizes[1] or 'its sizes'}."
        notes = dict.fromkeys([*unsaid_notes(graphs[0]), *unsaid_notes(graphs[1])])
        return " ".join(filter(None, ("Nothing differs." if self.diff.is_empty else "", at, *notes)))

    def whole(self, side: int, graph: Graph) -> list[int]:
        cost = self.costs[side].of(graph.body)
        return [cost.params, cost.macs, evaluate(self.memory[side].total_kept, graph.sizes)]

    def sections(self) -> list[dict[str, str]]:
        """Return what differs around the layers: parameters, inputs, outputs, initial values, sizes, keys in short."""
        found = []
        for title, entries in self.diff.sections.items():
            for name, old, new in entries:
                kind = "added" if old is None else "removed" if new is None else "changed"
                text = " → ".join(each for each in (old, new) if each is not None)
                found.append({"kind": kind, "text": f"{title} {name}: {text}"})
        if len(found) > MOST_SECTIONS:
            found[MOST_SECTIONS:] = [{"kind": "", "text": f"… {len(found) - MOST_SECTIONS} more"}]
        keys = self.diff.keys
        counts: dict[str, Collection[object]] = {
            "as before": keys.kept,
            "renamed": keys.renamed,
            "reshaped": keys.reshaped,
            "removed": keys.removed,
            "added": keys.added,
        }
        told = ", ".join(f"{len(each):,} {what}" for what, each in counts.items() if each)
        return [*found, {"kind": "", "text": f"state_dict keys: {told or 'none'}"}]

    def root(self) -> int:
        """The networks' own level, with inputs and outputs as items of their own."""
        level = merged_networks(self.diff)
        runs = runs_of(level, self.diff.matching.signatures)
        paths = self.page_names(runs)
        cards = [run.card(path) for run, path in zip(runs, paths)]
        wiring = wire(cards, level.inputs, level.outputs)
        makers = makers_of(cards, level.inputs)
        shift = len(level.inputs)
        columns = iter(range(max([0, *wiring.columns]) + 1, len(cards) + 3 * (shift + len(level.outputs)) + 3))
        made = []
        for value, name, column in zip(level.inputs, level.input_names, wiring.entries):
            record = self.port("input", name, value, level)
            made.append(record | {"column": next(columns) if column is None else column})
        place = _LevelPlace()
        items = zip(runs, paths, cards)
        made += [
            self.item(run, path, level, place) | self.wires(run, at, cards, wiring, makers, {}, shift)
            for at, (run, path, _) in enumerate(items)
        ]
        last = {item["column"]: position for position, item in enumerate(made)}
        for name in dict.fromkeys([*self.diff.new.outputs, *self.diff.old.outputs]):
            edges = self.output_edges(name, level, makers, shift)
            maker = edges[0][0]
            column = made[maker]["column"] if maker > ENTRY else 0
            column = next(columns) if last.get(column, maker) > maker else column
            value = (self.diff.new.outputs.get(name) or self.diff.old.outputs[name]).value
            made.append(self.port("output", name, value, level) | {"edges": edges, "fork": maker, "column": column})
            last[column] = len(made) - 1
        self.levels.append({"kind": "network", "items": made, "rows": rows_of(wiring, shift), "exits": []})
        return len(self.levels) - 1

    def port(self, kind: str, name: str, value: Value, level: MergedLevel) -> dict[str, Any]:
        """An input or an output as an item; what differs about it is told."""
        path = f"{kind}:{name}"
        entry = next((each for each in self.diff.sections[kind] if each.name == name), None)
        was = [each for each in self.diff.old.inputs.items() if level.stands.get(each[1]) is value]
        if kind == "input" and was and was[0][0] != name:
            self.tell(path, "changed", [f"was {was[0][0]}"])
        elif entry is not None:
            mark = "added" if entry.old is None else "removed" if entry.new is None else "changed"
            self.tell(path, mark, [f"{entry.old} → {entry.new}"] if mark == "changed" else [])
        return without_empty(
            port=kind, path=path, name=name, tensor=self.tensor(value.tensor), optional=value.optional
        ) | {"edges": [], "fork": ENTRY}

    def output_edges(self, name: str, level: MergedLevel, makers: Mapping[Value, int], shift: int) -> list[list[Any]]:
        """The wires of an output: one, or one of each network."""
        old, new = self.diff.old.outputs.get(name), self.diff.new.outputs.get(name)
        ends = [None if old is None else level.stands[old.value], None if new is None else new.value]
        if ends[0] is ends[1]:
            return [[shifted(makers[ends[1]], shift), 0, -1, "", ""]] if ends[1] is not None else []
        sides = zip(reversed(ends), ("added", "removed"))
        return [[shifted(makers[value], shift), 0, -1, "", side] for value, side in sides if value is not None]

    def page_names(self, runs: Sequence[MergedRun]) -> list[str]:
        """The paths of a level's cards: names of the new network, and of the old one for what is gone.

        Where both have the name, that of the old one has ``old:`` before it.
        """
        taken = {step.match.new.name for run in runs for step in run.steps if step.match.new is not None}
        found = []
        for run in runs:
            gone = run.head.match.new is None and any(step.step.name in taken for step in run.steps)
            found.append(f"old:{run.head.step.name}" if gone else run.head.step.name)
        return found

    def level(self, level: MergedLevel, place: _LevelPlace) -> int:
        """The number of a level's record; levels of one record share it."""
        runs = runs_of(level, self.diff.matching.signatures)
        paths = self.page_names(runs)
        cards = [run.card(path) for run, path in zip(runs, paths)]
        wiring = wire(cards, level.inputs, level.outputs)
        makers = makers_of(cards, level.inputs)
        several = len(level.inputs) > 1
        names = dict(zip(level.inputs, level.input_names if several else [""] * len(level.inputs)))
        body = level.level
        items = [
            self.item(run, path, level, place) | self.wires(run, at, cards, wiring, makers, names, 0)
            for at, (run, path) in enumerate(zip(runs, paths))
        ]
        exits: dict[int, str] = {}
        for value in level.outputs:
            exits.setdefault(max(makers[value], ENTRY), level.ends.get(value, ""))
        record = without_empty(
            kind=body.kind,
            title=body.title,
            contents=contents(body),
            loop=None if body.loop is None else {"text": scan_text(body.loop)},
            items=items,
            rows=rows_of(wiring, 0),
            exits=list(exits),
            ends=list(exits.values()),
            carried=list(carried_by(body, makers)) if body.loop is not None else [],
        )
        if repr(record) not in self._known:
            self._known[repr(record)] = len(self.levels)
            self.levels.append(record)
        return self._known[repr(record)]

    def wires(
        self,
        run: MergedRun,
        at: int,
        cards: Sequence[Card],
        wiring: Wiring,
        makers: Mapping[Value, int],
        names: Mapping[Value, str],
        shift: int,
    ) -> dict[str, Any]:
        """The place of a card among the others, and its edges: each as in the explorer, and which network has it."""
        sides: dict[int, set[str]] = {}
        for value in run.head.reads:
            maker = makers[value] if shift else max(makers[value], ENTRY)
            sides.setdefault(maker, set()).add(run.head.wires.get(value, ""))
        edges = [
            [*edge, side.pop() if len(side) == 1 else ""]
            for edge, side in zip(self.edges(cards[at], at, cards, wiring, makers, names, shift), sides.values())
        ]
        return {"column": wiring.columns[at], "fork": shifted(wiring.forks[at], shift), "edges": edges}

    def item(self, run: MergedRun, path: str, level: MergedLevel, place: _LevelPlace) -> dict[str, Any]:
        """A card's record; what differs in it is told for each of its rows."""
        step = run.head.step
        prefix = path[: len(path) - len(step.name)]
        card = run.card(path)
        covers = [prefix + each.step.name for each in run.steps]
        record: dict[str, Any] = {
            "path": path,
            "name": card.name,
            "covers": covers if len(covers) > 1 else [],
            "count": run.count if run.count > 1 else 0,
            "training": step.training,
            "sign": sign_of(card),
        }
        for each in run.first:
            self.tell_step(each, place.page + prefix + each.step.name, level, place)
        if isinstance(step, Call):
            inner = self.inner(run.head, place, place.page + path, level)
            record |= {"level": inner, "at": self.place(step.span), "shares": step.shares}
            record["makes"] = [self.tensor(value.tensor) for value in run.last.makes]
        else:
            record["nodes"] = [self.node(each.step) for each in run.first if isinstance(each.step, Node)]
        return without_empty(**record)

    def inner(self, step: MergedStep, place: _LevelPlace, path: str, level: MergedLevel) -> int:
        """The number of the level that a call runs; it stands open where something differs in it, once for each."""
        inside, change = step.inside(), step.change
        opens = (
            step.kind in ("inside", "changed")
            and change is not None
            and any(each.kind != "follows" for each in change.inner)
        )
        if opens:
            self.open.append(path)
        counts = place.of(step, level)
        executions = [
            count.inside(body) if body is not None else ONCE for count, body in zip(counts, (inside.old, inside.new))
        ]
        names = [f"{each.name}." if each is not None else "" for each in (step.match.old, step.match.new)]
        whole = place.whole or (step.kind if step.kind in ("added", "removed") else "")
        below = _LevelPlace(
            f"{path}.", place.old + names[0], place.new + names[1], (executions[0], executions[1]), whole
        )
        number = self.level(inside, below)
        if step.kind in ("added", "removed") and not place.page:
            self._alone.append(path)
        if opens:
            shown = len(self.levels[number]["items"])
            if number in self._opened or self._shown + shown > MOST_OPEN:
                self.open.remove(path)
            self._opened.add(number)
            self._shown += shown
        return number

    def tell_step(self, step: MergedStep, path: str, level: MergedLevel, place: _LevelPlace) -> None:
        """Tell of a row: what differs, the costs of both, and the old line."""
        counts = place.of(step, level)
        prefixes = place.old, place.new
        both = (step.match.old, step.match.new)
        costs = [
            None if each is None else self.cost(side, each, prefixes[side] + each.name, counts[side])
            for side, each in enumerate(both)
        ]
        notes = [] if step.change is None or step.kind == "inside" else list(map(facet_text, step.change.facets))
        record = self.tell(path, place.whole or step.kind, notes, old=costs[0], new=costs[1])
        if step.match.old is not None:
            record["was"] = self.place(step.match.old.span)
        if step.kind in ("added", "removed", "changed") and not place.whole:
            self.differing.append(path)

    def tell(self, path: str, kind: str, notes: Sequence[str], **more: Any) -> dict[str, Any]:
        self.told[path] = without_empty(kind=kind, notes=list(notes), **more)
        if path.startswith(("input:", "output:")) and kind:
            self.differing.append(path)
        record: dict[str, Any] = self.told[path]
        return record

    def cost(self, side: int, step: Step, path: str, count: ExecutionCount) -> list[int]:
        """Parameters, MACs and bytes kept for the backward pass, of a step of one network."""
        graph = (self.diff.old, self.diff.new)[side]
        cost = self.costs[side].of(step, count)
        try:
            kept = evaluate(self.memory[side].kept(path), graph.sizes)
        except KeyError:  # nothing at all
            kept = 0
        return [cost.params, cost.macs, kept]
