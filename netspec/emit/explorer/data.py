"""The data of the explorer's page: a graph as plain values for JSON.

Every distinct level, node, tensor and size is written once and referred to by its number. Sizes are formulas that the
page works out at the sizes its reader chooses; no text here is ever code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netspec.analysis.constraints import file_name, size_constraints
from netspec.analysis.costs import scan_text
from netspec.analysis.memory import Memory
from netspec.analysis.unsaid import unsaid, unsaid_notes
from netspec.diagnostics import Span
from netspec.dims import Dim, pretty
from netspec.emit.explorer.paths import covered_paths, frozen_paths, open_paths
from netspec.emit.explorer.records import Records, carried_by, makers_of, rows_of, shifted, texts_of, without_empty
from netspec.graph import (
    Call,
    ExecutionCount,
    Graph,
    Level,
    Loop,
    NetworkOutput,
    Node,
    Requirement,
    Step,
    Value,
    walk,
)
from netspec.view.cards import contents, sign_of
from netspec.view.folding import Box, Card, Item, fold, items_of
from netspec.view.groups import grouped, sources_text, value_names
from netspec.view.wiring import ENTRY, Wiring, wire

if TYPE_CHECKING:
    from netspec.analysis.step_time import StepTime

RUN, AHEAD = Dim.symbol("run"), Dim.symbol("ahead")
"""Symbols for the two counts, which say of an item which of them it has."""


def explorer_data(graph: Graph, times: StepTime | None = None) -> dict[str, Any]:
    """The whole graph: its levels, nodes, tensors, sizes and texts, and what stands open at first."""
    data = _Data(graph)
    found = data.all()
    return found if times is None else found | {"time": data.time(times, found["root"])}


class _Data(Records):
    """Numbers what it meets, and collects one record for each."""

    def __init__(self, graph: Graph):
        super().__init__()
        self.graph = graph

    def all(self) -> dict[str, Any]:
        graph = self.graph
        for text in texts_of(graph):
            self.place_of(text)
        root = self.root()
        requirements = [self.requirement(each) for each in graph.requirements]
        return {
            "name": graph.name,
            "doc": graph.doc.strip(),
            "dims": [
                {"name": name, "size": size, "least": _least(name, graph.requirements)}
                for name, size in graph.sizes.items()
            ],
            "root": root,
            "open": list(open_paths(fold(graph))),
            "levels": self.levels,
            "nodes": self.nodes,
            "tensors": self.tensors,
            "kept": self.kept(root),
            "sizes": self.sizes,
            "requirements": requirements,
            "frozen": {"paths": frozen_paths(graph.body), "params": graph.body.frozen_count},
            "constraints": [
                {"text": str(constraint), "at": self.place(constraint.causes[0].span)}
                for constraint in size_constraints(graph)
            ]
            + [{"text": text, "at": self.place(span)} for text, span in self.left_open(graph)],
            "sources": [{"name": file_name(source), "text": source.text} for source in self.sources],
        }

    def left_open(self, graph: Graph) -> Iterator[tuple[str, Span]]:
        """Yield what ops of one's own do not give, each with the first such op's place."""
        nodes = [step for _, step, _ in walk(graph.body) if isinstance(step, Node)]
        for text, ops in zip(unsaid_notes(graph), unsaid(graph).values()):
            yield text, next(node.span for node in nodes if node.op.name == ops[0])

    def kept(self, root: int) -> dict[str, int]:
        """The bytes that each step and level in the page keeps for the backward pass, by its path; "" has them all.

        What a step keeps depends on what those before it do: no level knows it by itself. Of copies, it is the first's.
        """
        memory = Memory(self.graph)
        found = {"": self.size(memory.total_kept)}
        for path in self.paths(root, ""):
            try:
                kept = memory.kept(path)
            except KeyError:  # nothing at all
                continue
            if kept != 0:
                found[path] = self.size(kept)
        return found

    def time(self, times: StepTime, root: int) -> dict[str, Any]:
        """The nanoseconds of a forward pass and of a training step by path, at the graph's sizes; "" has the network's.

        Of copies, they are the first's.
        """
        found = {path: times.at(path) for path in ("", *self.paths(root, ""))}
        nanoseconds = {path: [round(1e9 * each) for each in seconds] for path, seconds in found.items() if any(seconds)}
        return {"of": f"{times.device.title}, {times.optimizer}, without the loss", "at": nanoseconds}

    def paths(self, level: int, prefix: str) -> Iterator[str]:
        """The paths of all rows of a level, as the page makes them."""
        for item in self.levels[level]["items"]:
            path = prefix + item.get("path", "")
            names = [self.nodes[number]["name"] for number in item.get("nodes", ())]
            yield from (path[: len(path) - len(names[0])] + name for name in names)
            if "level" in item:
                yield path
                yield from () if "shares" in item else self.paths(item["level"], f"{path}.")

    def level(self, level: Level) -> int:
        if level in self._level_numbers:
            return self._level_numbers[level]
        number = self._level_numbers[level] = len(self.levels)
        self.levels.append({})
        items = items_of(level, ExecutionCount(RUN, AHEAD))
        wiring = wire(items, level.inputs, level.outputs)
        makers = makers_of(items, level.inputs)
        names = level.input_names if len(level.inputs) > 1 else [""] * len(level.inputs)
        self.levels[number] = without_empty(
            kind=level.kind,
            title=level.title,
            contents=contents(level),
            loop=None
            if level.loop is None
            else {"length": self.size(level.loop.length), "text": scan_text(level.loop)},
            items=self.items(level, items, wiring, makers, dict(zip(level.inputs, names))),
            rows=rows_of(wiring, 0),
            exits=list(dict.fromkeys(max(makers[value], ENTRY) for value in level.outputs)),
            carried=list(carried_by(level, makers)),
        )
        return number

    def loop(self, loop: Loop | None) -> dict[str, Any] | None:
        """Return how often a scan runs its body, as a number and as text."""
        return None if loop is None else {"length": self.size(loop.length), "text": scan_text(loop)}

    def root(self) -> int:
        """The network's own level, with its inputs and outputs as items of their own."""
        graph, level = self.graph, self.graph.body
        inputs, outputs = list(graph.inputs.values()), list(graph.outputs.values())
        number = self._level_numbers[level] = len(self.levels)
        self.levels.append({})
        items = items_of(level, ExecutionCount(RUN, AHEAD))
        wiring = wire(items, inputs, [output.value for output in outputs])
        makers = makers_of(items, inputs)
        shift = len(inputs)
        ports = [self.port(name, "input", value) for name, value in graph.inputs.items()]
        columns = iter(range(max([0, *wiring.columns]) + 1, len(items) + len(inputs) + len(outputs) + 2))
        for port, column in zip(ports, wiring.entries):
            port["column"] = next(columns) if column is None else column
        made = self.items(level, items, wiring, makers, dict.fromkeys(inputs, ""), shift)
        made = [*ports, *made]
        last = {item["column"]: position for position, item in enumerate(made)}
        for name, output in graph.outputs.items():
            maker = shifted(makers[output.value], shift)
            column = made[maker]["column"] if maker > ENTRY else 0
            made.append(self.output(name, output, maker, next(columns) if last.get(column, maker) > maker else column))
            last[made[-1]["column"]] = len(made) - 1
        self.levels[number] = {"kind": "network", "items": made, "rows": rows_of(wiring, shift), "exits": []}
        return number

    def port(self, name: str, kind: str, value: Value) -> dict[str, Any]:
        """An input or an output of the network, as an item."""
        return without_empty(
            port=kind, path=f"{kind}:{name}", name=name, tensor=self.tensor(value.tensor), optional=value.optional
        ) | {"edges": [], "fork": ENTRY}

    def output(self, name: str, output: NetworkOutput, maker: int, column: int) -> dict[str, Any]:
        """An output as an item; it goes on in the column of its maker, unless something else does."""
        record = self.port(name, "output", output.value)
        record |= {"edges": [[maker, 0, -1, ""]], "fork": maker, "column": column}
        return record | ({"training": 1} if output.training else {})

    def items(
        self,
        level: Level,
        items: Sequence[Item],
        wiring: Wiring,
        makers: Mapping[Value, int],
        names: Mapping[Value, str],
        shift: int = 0,
    ) -> list[dict[str, Any]]:
        """The records of a level's items. Positions are moved by ``shift``, for the items that stand before them."""
        places = {step.name: place for place, step in enumerate(level.steps)}
        starts = [_place_of(item.path, places) for item in items] + [len(level.steps)]
        sources = _sources(level)
        records = []
        for position, item in enumerate(items):
            covered = level.steps[starts[position] : starts[position + 1]]
            records.append(
                self.item(item, covered, sources[starts[position]])
                | {
                    "column": wiring.columns[position],
                    "fork": shifted(wiring.forks[position], shift),
                    "edges": list(self.edges(item, position, items, wiring, makers, names, shift)),
                }
            )
        return records

    def item(self, item: Item, covered: Sequence[Step], sources: str) -> dict[str, Any]:
        covers = list(covered_paths(covered, item.path))
        record: dict[str, Any] = {
            "path": item.path,
            "name": item.name,
            "covers": covers if len(covers) > 1 else [],
            "count": item.count if item.count > 1 else 0,
            "ahead": item.executions.run == AHEAD,
            "training": item.training,
            "sources": sources,
            "sign": sign_of(item),
        }
        if isinstance(item, Card) and item.kind == "op":
            record["nodes"] = [self.node(step) for step in item.steps if isinstance(step, Node)]
        else:
            call = item.call if isinstance(item, Box) else item.steps[0]
            assert isinstance(call, Call), "what is no op is a level"
            record |= {"level": self.level(call.body), "at": self.place(call.span), "shares": call.shares}
            record["makes"] = [self.tensor(value.tensor) for value in item.makes]
        return without_empty(**record)

    def requirement(self, requirement: Requirement) -> dict[str, Any]:
        sign = "≥" if requirement.relation == ">=" else "="
        return {
            "left": self.size(requirement.left),
            "relation": requirement.relation,
            "right": self.size(requirement.right),
            "text": f"{requirement.reason} ({pretty(requirement.left)} {sign} {pretty(requirement.right)})",
            "training": requirement.training,
        }


def _place_of(path: str, places: Mapping[str, int]) -> int:
    """Return the position in its level of the step that a path begins with; a name may hold dots of its own."""
    name = path
    while name not in places:
        name = name.rpartition(".")[0]
    return places[name]


def _sources(level: Level) -> list[str]:
    """Return the text for what each step of a level reads."""
    names = value_names(level, list(grouped(level, False)))
    above = level.inputs[0] if len(level.inputs) == 1 else None
    found = []
    for step in level.steps:
        found.append(sources_text(step, above, names))
        above = step.outputs[0] if step.outputs else None
    return found


def _least(name: str, requirements: Sequence[Requirement]) -> int:
    """The smallest size of a dimension that the requirements on it alone allow."""
    symbol = Dim.symbol(name)
    bounds = [
        each.right for each in requirements if each.left == symbol and each.relation == ">=" and not each.training
    ]
    return max([1, *(bound for bound in bounds if isinstance(bound, int))])
