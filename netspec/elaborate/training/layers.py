"""The layers of a network by their depth, which ``layer_decay`` counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netspec.dataclass import dataclass
from netspec.graph import Call, Level, Node, Step, Value, walk_parameters
from netspec.graph.level import parameter_count


@dataclass(frozen=True, slots=True)
class Unit:
    """A step that is looked at as one. ``before`` has the places of those whose values it reads, in a list of units."""

    path: str
    step: Step
    is_layer: bool
    before: frozenset[int]

    @property
    def is_norm(self) -> bool:
        """Return whether it learns vectors alone, as a norm's scale and shift."""
        shapes = self.step.parameters.values() if isinstance(self.step, Node) else ()
        return bool(shapes) and all(len(shape) == 1 for shape in shapes)


def layer_numbers(body: Level) -> dict[str, int]:
    """Return the number of the layer that each learned parameter is in, by its ``state_dict`` key.

    ``LayerDecay`` in ``netspec.recipes.settings`` says what a layer is.
    """
    units: list[Unit] = []
    _collect(body, {}, "", units)
    depths = _depths(units) if any(unit.is_layer for unit in units) else _depths_of_steps(units)
    by_path = {unit.path: depth for unit, depth in zip(units, depths)}
    return {key: by_path[next(at for at in _around(path) if at in by_path)] for path, *_, key in walk_parameters(body)}


def layer_levels(body: Level) -> list[str]:
    """Return the paths of the layers that are levels, in their order; the outermost levels if there are none."""
    units: list[Unit] = []
    _collect(body, {}, "", units)
    levels = [unit.path for unit in units if unit.is_layer and isinstance(unit.step, Call)]
    return levels or [step.name for step in body.steps if isinstance(step, Call) and not step.is_transparent]


def layer_rates(body: Level, decay: float) -> dict[str, float]:
    """Return the factor of the learning rate of each parameter, by its ``state_dict`` key."""
    numbers = layer_numbers(body)
    last = max(numbers.values())
    return {key: decay ** (last - number) for key, number in numbers.items()}


def _collect(
    level: Level, made: Mapping[Value, frozenset[int]], prefix: str, units: list[Unit]
) -> Mapping[Value, frozenset[int]]:
    """Add the units of a level in their order, and return the places of those that its values come from.

    ``made`` has these of its inputs.
    """
    sources = dict(made)
    for step in level.steps:
        path = prefix + step.name
        read = [sources.get(value, frozenset()) for value in step.inputs]
        if isinstance(step, Call) and _is_opened(level, step):
            inner = _collect(step.body, dict(zip(step.body.inputs, read)), path + ".", units)
            sources |= {here: inner.get(value, frozenset()) for here, value in zip(step.outputs, step.body.outputs)}
            continue
        sources |= dict.fromkeys(step.outputs, frozenset({len(units)}))
        units.append(Unit(path, step, _can_be_layer(level, step), frozenset().union(*read)))
    return sources


def _is_opened(level: Level, call: Call) -> bool:
    """Return whether the steps in a call are looked at one by one: in a scan they have no order of depth."""
    return call.body.loop is None and (not _can_be_layer(level, call) or _has_repeat(call.body))


def _can_be_layer(level: Level, step: Step) -> bool:
    """Return whether a step is a block or an iteration, and has parameters."""
    repeated = level.kind == "repeat" or (isinstance(step, Call) and step.body.kind in ("block", "iteration"))
    return repeated and (parameter_count(step) > 0 or bool(step.shares))


def _has_repeat(body: Level) -> bool:
    return any(isinstance(step, Call) and (step.body.kind == "repeat" or _has_repeat(step.body)) for step in body.steps)


def _depths(units: Sequence[Unit]) -> list[int]:
    """Return the number of each unit's layer, by the longest paths."""
    depths: list[int] = []
    for unit in units:
        depths.append(max((depths[at] for at in unit.before), default=0) + unit.is_layer)
    leading: set[int] = set()  # those that lead to a layer
    for at in reversed(range(len(units))):
        if units[at].is_layer or at in leading:
            leading |= units[at].before
    last = max(depths) + 1
    within = [unit.is_layer or at in leading or _ends_a_layer(unit, units) for at, unit in enumerate(units)]
    return [depth if inside else last for depth, inside in zip(depths, within)]


def _ends_a_layer(unit: Unit, units: Sequence[Unit]) -> bool:
    """Return whether a unit is the norm of what a layer gives, as behind the blocks of a vision transformer."""
    return unit.is_norm and all(units[at].is_layer for at in unit.before)


def _depths_of_steps(units: Sequence[Unit]) -> list[int]:
    """Return the number of each unit's layer where every step with parameters is one."""
    through: list[int] = []  # how many layers lie on the longest path up to each unit, itself included
    for unit in units:
        before = max((through[at] for at in unit.before), default=0)
        through.append(before + (parameter_count(unit.step) > 0))
    return [max(0, count - 1) for count in through]


def _around(path: str) -> Iterator[str]:
    """Yield the path of a step, then those of the levels around it, inner ones first."""
    while path:
        yield path
        path = path.rpartition(".")[0]
