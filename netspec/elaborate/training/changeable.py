"""The weights that a change of low rank can be added to, and the choice of those that ``lora`` names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netspec.dataclass import dataclass
from netspec.diagnostics import Span, clipped, did_you_mean
from netspec.dims import Shape, times_shape
from netspec.elaborate.reading.values import Reader
from netspec.graph import Call, Level, Node, covers, key_of
from netspec.ops import OPS, LowRank, Op
from netspec.recipes.settings import LowRankAdaptation, ParameterGroup, listed

DOWN, UP = "lora_A", "lora_B"
"""The names of the two steps, behind that of the step itself: those that the library peft gives them."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A step with a change beside it: the two ops, the key of the weight, and what names in its level begin with."""

    pair: LowRank
    weight: str
    stem: str | None

    def name_of(self, end: str, own: str | None = None) -> str:
        """Return the name of a step of the change in its level, where the step that is changed is called ``own``."""
        if self.stem == "":
            return end
        return f"{self.stem if own is None else own}.{end}"


@dataclass(frozen=True, slots=True)
class ChangePlace:
    """A node that is in the network, with the key of its weight, if it has one that is its own or read by it alone."""

    node: Node
    weight: str
    stem: str
    shape: Shape


def is_trained(key: str, groups: Mapping[str, ParameterGroup]) -> bool:
    """Return whether a parameter beside the changes is trained: one that a group names, unless that freezes it."""
    group = next((group for pattern, group in groups.items() if covers(pattern, key)), None)
    return group is not None and group.freeze is not True


def places(level: Level, prefix: str = "") -> Iterator[tuple[str, ChangePlace]]:
    """Yield every node with a module of its own, by its path: none of a level that is run again."""
    held = {step.outputs[0]: step for step in level.steps if isinstance(step, Node) and step.op.name == "parameter"}
    for step in level.steps:
        if step.shares:
            continue
        path = key_of(prefix + step.name)
        if isinstance(step, Call):
            yield from places(step.body, f"{prefix}{step.name}.")
        elif "weight" in step.parameters:
            yield path, ChangePlace(step, step.key(prefix, "weight"), step.name, step.parameters["weight"])
        elif "weight" in step.op.ports and (parameter := held.get(step.inputs[step.op.ports.index("weight")])):
            alone = level.uses[parameter.outputs[0]] == 1 and not parameter.shares
            stem = "" if parameter.name == "weight" else step.name
            key = parameter.key(prefix, "") if alone else ""
            yield path, ChangePlace(step, key, stem, parameter.parameters[""])
        else:
            yield path, ChangePlace(step, "", step.name, ())


def tied_keys(level: Level, prefix: str = "") -> Iterator[str]:
    """Yield the keys of parameters that are one with others, both."""
    for step in level.steps:
        if isinstance(step, Call):
            yield from tied_keys(step.body, f"{prefix}{step.name}.")
        else:
            yield from (key for name, target in step.ties for key in (step.key(prefix, name), target))


class Changeable:
    """The steps whose weights can be changed, and what is wrong with what names them."""

    def __init__(
        self,
        asked: LowRankAdaptation,
        groups: Mapping[str, ParameterGroup],
        spans: Mapping[str, Span],
        body: Level,
        reader: Reader,
    ):
        self.asked, self.groups, self.spans, self.reader = asked, groups, spans, reader
        self.skipped = listed(asked.skip)
        self.places = dict(places(body))
        self.tied = frozenset(tied_keys(body))

    def chosen(self) -> dict[str, Chosen]:
        """Return the steps that are chosen, by their paths; every fault is reported."""
        self.guard_patterns(self.skipped, "skip")
        possible = {path: made for path, place in self.places.items() if (made := self.possible(place)) is not None}
        if self.asked.of is None:
            return self.usual(possible)
        patterns = listed(self.asked.of)
        if not self.guard_patterns(patterns, "of"):
            return {}
        for pattern in patterns:
            if not any(covers(pattern, path) for path in possible):
                self.refuse(*next(each for each in self.places.items() if covers(pattern, each[0])))
        named = {path: made for path, made in possible.items() if any(covers(each, path) for each in patterns)}
        found = {path: made for path, made in named.items() if not self.is_skipped(path)}
        for path, made in found.items():
            self.guard(path, made)
        if named and not found:
            self.error("bad-value", "`skip` leaves out every step that `of` names", "skip", "leave `lora` out")
        return found

    def possible(self, place: ChangePlace) -> Chosen | None:
        """Return the change of a step; ``None`` for one whose weight has none."""
        if not place.weight or type(place.node.op).low_rank is Op.low_rank:
            return None
        pair = place.node.op.low_rank(self.asked.rank, *place.node.tensors)
        return None if pair is None else Chosen(pair, place.weight, place.stem)

    def usual(self, possible: Mapping[str, Chosen]) -> dict[str, Chosen]:
        """Return what is changed where no steps are named."""
        free = {
            path: made
            for path, made in possible.items()
            if self.places[path].node.op.family in ("linear", "convolution")
            and not (self.is_skipped(path) or made.weight in self.tied or is_trained(made.weight, self.groups))
        }
        large = {path: made for path, made in free.items() if made.pair.most >= self.asked.rank}
        if free and not large:
            path, most = max(((path, made.pair.most) for path, made in free.items()), key=lambda each: each[1])
            message = f"no weight is large enough for a change of rank {self.asked.rank}"
            self.error("bad-value", message, "rank", f"at most {most}, which `{clipped(path)}` can have")
        elif not free:
            message = "`lora` changes linear maps and convolutions, but there is none"
            beside = " beside those that `groups` or `skip` name" if possible else ""
            self.error("bad-value", message + beside, "lora", "leave it out")
        return large

    def is_skipped(self, path: str) -> bool:
        """Return whether a step is left out."""
        return any(covers(pattern, path) for pattern in self.skipped)

    def guard(self, path: str, made: Chosen) -> None:
        """Guard: a step that is named can have a change of that rank, and its weight is its own."""
        name, skip = clipped(path), f"`skip: {clipped(path)}`"
        beside = {made.name_of(end) for end in (DOWN, UP)}
        if made.pair.most < self.asked.rank:
            shape = times_shape(self.places[path].shape)
            message = f"`{name}` has a weight of {shape}, whose change has at most rank {made.pair.most}"
            self.error("bad-value", message, "rank", f"a smaller `rank`, or {skip}")
        elif made.weight in self.tied:
            message = f"the weight of `{name}` is another step's too (`tie`), so it cannot change by itself"
            self.error("bad-value", message, "of", skip)
        elif any(path.removesuffix(self.places[path].node.name) + each in self.places for each in beside):
            message = f"`{name}` has a change already: the spec has steps `{DOWN}` and `{UP}` of its own there"
            self.error("duplicate-name", message, "of", skip)

    def guard_patterns(self, patterns: tuple[str, ...], key: str) -> bool:
        """Guard: each pattern names some step."""
        unknown = [pattern for pattern in patterns if not any(covers(pattern, path) for path in self.places)]
        for pattern in unknown:
            help = did_you_mean(pattern.removeprefix("*."), self.places) or "`netspec shapes` lists the steps"
            self.error("unknown-reference", f"`{clipped(pattern)}` matches no step", key, help)
        return not unknown

    def refuse(self, path: str, place: ChangePlace) -> None:
        """Report a step that is named, but has no weight that can be changed."""
        name, op = clipped(path), place.node.op
        if type(op).low_rank is not Op.low_rank:
            message = f"`{name}` has no weight that `lora` can change"
            help = "it is worked out from others in each run, or other steps read it, too"
        else:
            message = f"`lora` changes linear maps and convolutions, but `{name}` is `{op.name}`"
            ops = [kind for kind, each in OPS.items() if each.low_rank is not Op.low_rank]
            help = f"those that it changes are `{'`, `'.join(ops)}`"
        self.error("bad-value", message, "of", help)

    def error(self, id: str, message: str, key: str, help: str) -> None:
        """Report a fault at a key of ``lora``."""
        self.reader.error(id, message, self.spans.get(f"lora.{key}", self.spans["lora"]), help=help)
