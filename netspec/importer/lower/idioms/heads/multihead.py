"""The many calls of ``nn.MultiheadAttention`` as the op of its name."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, NamedTuple

from netspec.importer.lower.dead import made_by, read_by
from netspec.importer.lower.idioms.heads.masks import is_causal, shows_all, values_of
from netspec.importer.lower.idioms.matching import OpSteps, reading
from netspec.importer.lower.table import OpTable
from netspec.importer.program import ForeignProgram, ForeignStep, ModuleCall
from netspec.ops.core.foreign import ForeignTensor, OpReading

KIND = "torch.nn.modules.activation.MultiheadAttention"
MASKING = ("masked_fill", "add", "unflatten", "reshape", "expand", "flatten", "unsqueeze", "squeeze")
"""The ops that make of masks what is added to scores."""


def merge_heads(program: ForeignProgram, table: OpTable) -> None:
    """Put one step in the place of each call of the module, where its masks and outputs allow it."""
    groups: dict[tuple[ModuleCall, ...], list[int]] = defaultdict(list)
    for at, step in enumerate(program.steps):
        depth = next((depth for depth, scope in enumerate(step.scopes) if scope.kind == KIND), None)
        if depth is not None:
            groups[step.scopes[: depth + 1]].append(at)
    if not groups:
        return
    steps = OpSteps(program, table)
    for step in program.steps:
        steps.made.update({each: step for each in made_by(step)})
    instead: dict[int, ForeignStep] = {}
    gone: set[int] = set()
    for scopes, places in groups.items():
        merged = _merged(steps, scopes, [program.steps[at] for at in places])
        if merged is not None:
            instead[places[-1]] = merged
            gone.update(places)
    kept = ((at, instead.get(at, step)) for at, step in enumerate(program.steps))
    program.steps[:] = [step for at, step in kept if at not in gone or at in instead]


class _Masks(NamedTuple):
    """The masks of a call as the op has them, and the steps that make of them what is added to the scores."""

    padding: ForeignTensor | None = None
    mask: ForeignTensor | None = None
    causal: bool = False
    steps: tuple[ForeignStep, ...] = ()


def _merged(steps: OpSteps, scopes: tuple[ModuleCall, ...], group: list[ForeignStep]) -> ForeignStep | None:
    """The step that a call of the module is, or ``None`` where it is not said."""
    attention = [step for step in group if step.op == "scaled_dot_product_attention"]
    if len(attention) != 1 or any(step.reading is None for step in group):
        return None
    said = reading(attention[0])
    masks = _masks(steps, said)
    if masks is None:
        return None
    made = {each for step in group for each in made_by(step)}
    outputs = [each for each in made if _read_outside(steps, each, group)]
    work = [step for step in group if not any(step is other for other in masks.steps)]
    inputs = [each for step in work for each in read_by(step) if each is not said.inputs[3]]
    outside = dict.fromkeys(each for each in inputs if each not in made and not each.key and each.constant is None)
    given = [each for each in outside if len(each.shape) == 3]
    arguments = _arguments(said, group, given)
    state = _state(scopes[-1].path, group)
    if arguments is None or len(outputs) != 1 or not 1 <= len(given) <= 3 or len(given) != len(outside):
        return None
    ports = _ports(steps, said, given)
    if ports is None:
        return None
    arguments |= {"is_causal": True} if masks.causal else {}
    ports += [None] * (3 - len(ports)) + [masks.padding, masks.mask]
    return steps.step(
        ForeignStep(group[-1].call, scopes, group[0].place), "multihead_attention", arguments, ports, outputs, state
    )


def _masks(steps: OpSteps, said: OpReading) -> _Masks | None:
    """The masks that the scores are under; ``None`` where the op has none such."""
    query, key, _, mask = said.inputs[:4]
    found = _Masks(causal=bool(said.arguments.get("is_causal")))
    waiting = [] if mask is None else [(mask, False)]
    while waiting:
        tensor, of_samples = waiting.pop()
        of_samples |= len(tensor.shape) == 4 and tensor.shape[1:3] == (1, 1)
        values = values_of(steps, tensor)
        if is_causal(values) or shows_all(values):
            made = (*found.steps, *steps.sizes_only.chain(tensor))
            found = found._replace(causal=found.causal or is_causal(values), steps=made)
            continue
        step = steps.made.get(tensor)
        if step is None or step.op not in MASKING or query is None or key is None:
            return None
        inputs = reading(step).inputs
        found = found._replace(steps=(*found.steps, step))
        if step.op != "masked_fill":
            waiting += [(each, of_samples) for each in inputs if each is not None]
            continue
        x, hidden = inputs
        least = float(reading(step).arguments["value"]) == -math.inf and shows_all(values_of(steps, x))
        if hidden is None or not least or hidden.dtype != "bool" or len(hidden.shape) != 2:
            return None
        wanted = (query.shape[0], key.shape[-2]) if of_samples else (query.shape[-2], key.shape[-2])
        if hidden.shape != wanted or (found.padding if of_samples else found.mask) is not None:
            return None
        found = found._replace(padding=hidden) if of_samples else found._replace(mask=hidden)
    return found


def _read_outside(steps: OpSteps, tensor: ForeignTensor, group: list[ForeignStep]) -> bool:
    inside = sum(read_by(step).count(tensor) for step in group)
    return steps.uses[tensor] > inside


def _arguments(said: OpReading, group: list[ForeignStep], given: list[ForeignTensor]) -> dict[str, Any] | None:
    query, key = said.inputs[:2]
    heads = query.shape[-3] if query is not None and len(query.shape) == 4 else None
    if not isinstance(heads, int) or key is None or said.arguments.get("scale") is not None:
        return None
    readers = [step for step in group if not set(given).isdisjoint(read_by(step))]
    turned = all(step.op in ("transpose", "permute") for step in readers)
    bias = any(tensor.key.endswith("out_proj.bias") for step in group for tensor in read_by(step))
    return {"num_heads": heads, "batch_first": turned, "bias": bias}


def _state(path: str, group: list[ForeignStep]) -> dict[str, ForeignTensor]:
    """The module's own tensors by their names in it."""
    keyed = {each.key: each for step in group for each in read_by(step) if each.key}
    return {key.removeprefix(f"{path}."): each for key, each in keyed.items()}


def _ports(steps: OpSteps, said: OpReading, given: list[ForeignTensor]) -> list[ForeignTensor | None] | None:
    """Query, key and value: what each of the attention's inputs comes from; without those that are the one before."""
    found: list[ForeignTensor] = []
    for each in said.inputs[:3]:
        assert each is not None
        sources = _sources(steps, each, given)
        if len(sources) != 1:
            return None
        found += sources
    query, key, value = found
    if value is not key:
        return [query, key, value]
    return [query] if key is query else [query, key]


def _sources(steps: OpSteps, tensor: ForeignTensor, given: list[ForeignTensor]) -> list[ForeignTensor]:
    """The ones of the given tensors that another comes from."""
    waiting, seen, found = [tensor], set(), []
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        if each in given:
            found.append(each)
        elif each in steps.made:
            waiting += [one for one in reading(steps.made[each]).inputs if one is not None]
    return found
