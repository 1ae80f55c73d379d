"""Channels first throughout: what stands between a turn of the layout and the turn back is said in the other layout.

ONNX has its channels first, TensorFlow and Keras have them last: their files turn each image around every convolution.
A turn to channels last is put off until something needs it: what is done to single elements, along a dimension, or with
a constant is done before it. Then the turn back undoes it, and both are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netspec.importer.lower.idioms.matching import OpSteps, reading
from netspec.importer.lower.table import OpTable
from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignTensor
from netspec.ops.registry import OPS

FAMILIES = (
    "conv",
    "max_pool",
    "avg_pool",
    "adaptive_",
    "lp_pool",
    "batch_norm",
    "instance_norm",
    "upsample",
    "interpolate",
)
"""The beginnings of the names of ops whose images have their channels first."""
NOT_BY_ELEMENT = frozenset(
    {"local_response_norm", "prelu", "glu", "flip", "normalize", "learned_positions", "sinusoidal_positions", "noise"}
    | {"dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"}
)
"""The ops that are called elementwise, as they keep a shape, but for which a dimension has a meaning."""
ALONG = frozenset({"softmax", "log_softmax", "softmin", "concat", "slice", "cumsum"})
"""The ops that do something along the dimension ``dim``, and keep the others."""
REDUCTIONS = frozenset({"reduce_mean", "reduce_sum", "reduce_max", "reduce_min"})
VIEWS = frozenset({"reshape", "flatten", "unflatten", "squeeze", "unsqueeze"})
Order = tuple[int, ...]


def put_channels_first(program: ForeignProgram) -> None:
    """Say a program's steps with channels first where they stand between two turns of the layout."""
    if any(step.reading is None for step in program.steps):
        return
    _Turning(program).run()


def to_last(rank: int) -> Order:
    """Return the order of dimensions that puts the second of so many last."""
    return (0, *range(2, rank), 1)


def to_first(rank: int) -> Order:
    """Return the order of dimensions that puts the last of so many second."""
    return (0, rank - 1, *range(1, rank - 1))


class _Turning:
    """Goes through the steps. ``first`` has tensors with channels last by what they are turns of; those in ``told``
    have a step that gives them; ``images`` have channels first; ``instead`` has what stands for tensors left out.
    ``done`` are the steps that there are now, ``given`` has them by what they give.
    """

    def __init__(self, program: ForeignProgram):
        self.program = program
        self.steps = OpSteps(program, OpTable(program))
        self.makers = {each: step for step in program.steps for each in reading(step).outputs if each is not None}
        self.first: dict[ForeignTensor, ForeignTensor] = {}
        self.told: set[ForeignTensor] = set()
        self.images: set[ForeignTensor] = set()
        self.instead: dict[ForeignTensor, ForeignTensor] = {}
        self.constants: dict[tuple[ForeignTensor, int], ForeignTensor] = {}
        self.done: list[ForeignStep] = []
        self.given: dict[ForeignTensor, ForeignStep] = {}

    def run(self) -> None:
        """Replace the program's steps."""
        for step in self.program.steps:
            inputs = tuple(each if each is None else self.instead.get(each, each) for each in reading(step).inputs)
            step.reading = reading(step)._replace(inputs=inputs)
            if not self.turned(step) and not self.moved(step):
                self.kept(step)
        for name, output in self.program.outputs.items():
            output = self.instead.get(output, output)
            self.tell(output)
            self.program.outputs[name] = output
        self.program.steps = self.done

    def turned(self, step: ForeignStep) -> bool:
        """Put off a turn to channels last, or leave out one back; return whether the step is one."""
        order = order_of(step)
        source, output = reading(step).inputs[0] if order else None, reading(step).outputs[0]
        if order is None or source is None or output is None or len(order) < 3:
            return False
        if order == to_last(len(order)) and source in self.images:
            self.first[output] = source
            return True
        if order != to_first(len(order)):
            return False
        if self.padded(step, source, output):
            return True
        single = _is_single(source) and len(order) > 3 and source in self.makers and self.makers[source].op in VIEWS
        if source not in self.first and not single:
            return False
        before = self.first[source] if source in self.first else self.single(source, step)
        self.instead[output] = before
        self.images.add(before)
        return True

    def padded(self, step: ForeignStep, source: ForeignTensor, output: ForeignTensor) -> bool:
        """Put a turn to channels first before a padding that nothing else reads; return whether there is one."""
        maker = self.given.get(source)
        if maker is None or maker.op != "pad" or self.steps.uses[source] > 1 or source in self.first:
            return False
        before, said = reading(maker).inputs[0], reading(maker).arguments
        assert before is not None
        rank, made = len(before.shape), _turned(before)
        turn = self.steps.step(step, "permute", {"dims": to_first(rank)}, (before,), (made,))
        pad = self.steps.step(maker, "pad", {**said, "pad": _padding(said["pad"], to_last(rank))}, (made,), (output,))
        if turn is None or pad is None:
            return False
        self.add(turn)
        self.add(pad)
        return True

    def moved(self, step: ForeignStep) -> bool:
        """Say a step with channels first, if it reads a tensor with channels last; return whether that can be."""
        read = [each for each in reading(step).inputs if each is not None]
        if not any(each in self.first for each in read):
            return False
        if step.op in VIEWS:
            return self.viewed(step)
        if step.op in REDUCTIONS:
            return self.reduced(step)
        arguments = self.arguments(step, len(next(each for each in read if each in self.first).shape))
        if arguments is None:
            return False
        if not all(map(self.has_first, read)):
            return False
        rank = max(len(each.shape) for each in read)
        inputs = [None if each is None else self.with_first(each, step, rank) for each in reading(step).inputs]
        return self.said(step, arguments, inputs)

    def arguments(self, step: ForeignStep, rank: int) -> Mapping[str, Any] | None:
        """Return a step's arguments for channels first; ``None`` where it cannot be said so."""
        given, order = reading(step).arguments, to_last(rank)
        if step.op in ALONG:
            return {**given, "dim": order[given.get("dim", 0) % rank]}
        if step.op == "pad":
            return {**given, "pad": _padding(given["pad"], order)}
        by_element = getattr(OPS[step.op], "elementwise", False) and step.op not in NOT_BY_ELEMENT
        return given if by_element and not reading(step).state else None

    def said(self, step: ForeignStep, arguments: Mapping[str, Any], inputs: Sequence[ForeignTensor | None]) -> bool:
        """Add a step with these arguments and inputs, whose output is the step's with channels first."""
        (output, *more) = reading(step).outputs
        if output is None or any(each is not None for each in more):
            return False
        made = _turned(output)
        found = self.steps.step(step, step.op, arguments, inputs, (made,))
        if found is None:
            return False
        self.add(found)
        self.first[output] = made
        self.images.add(made)
        return True

    def viewed(self, step: ForeignStep) -> bool:
        """Say a view of a tensor whose channels alone have more than one element."""
        source, output = reading(step).inputs[0], reading(step).outputs[0]
        if source is None or output is None or not _is_single(source):
            return False
        plain = len(output.shape) == 2 and len(source.shape) > 2
        op, arguments = ("flatten", {}) if plain else ("reshape", {"shape": output.shape})
        found = self.steps.step(step, op, arguments, (self.first[source],), (output,))
        if found is not None:
            self.add(found)
        return found is not None

    def reduced(self, step: ForeignStep) -> bool:
        """Say a sum, or the like, along some dimensions."""
        source, output, given = reading(step).inputs[0], reading(step).outputs[0], reading(step).arguments
        dims = given.get("dim")
        if source is None or output is None or dims is None:
            return False
        rank = len(source.shape)
        over = {to_last(rank)[dim % rank] for dim in (dims if isinstance(dims, tuple) else (dims,))}
        arguments = {**given, "dim": tuple(sorted(over)) if isinstance(dims, tuple) else next(iter(over))}
        if given.get("keepdim"):
            return self.said(step, arguments, (self.first[source],))
        left = [axis for axis in to_last(rank) if axis not in over]
        found = self.steps.step(step, step.op, arguments, (self.first[source],), (output,))
        if left != sorted(left) or found is None:
            return False
        self.add(found)
        return True

    def has_first(self, tensor: ForeignTensor) -> bool:
        """Return whether it is known what a tensor is with channels first."""
        constant = tensor not in self.makers and tensor.constant is not None
        return tensor in self.first or constant or (tensor in self.makers and _is_single(tensor))

    def with_first(self, tensor: ForeignTensor, at: ForeignStep, rank: int) -> ForeignTensor:
        """Return what a tensor is with channels first, beside an image of so many dimensions."""
        if tensor in self.first:
            return self.first[tensor]
        if tensor in self.makers:
            return self.single(tensor, at)
        if (tensor, rank) not in self.constants:
            self.constants[tensor, rank] = _turned_constant(tensor, rank)
        return self.constants[tensor, rank]

    def single(self, tensor: ForeignTensor, at: ForeignStep) -> ForeignTensor:
        """Return a tensor with channels first whose other dimensions have one element each, but for the batch."""
        maker = self.makers[tensor]
        before = reading(maker).inputs[0] if maker.op in VIEWS else None
        source = before if before is not None and before.shape == (tensor.shape[0], tensor.shape[-1]) else tensor
        made = _turned(tensor)
        found = self.pooled(source, made) or self.steps.step(at, "reshape", {"shape": made.shape}, (source,), (made,))
        assert found is not None, "what has one element does not count"
        self.add(found)
        self.first[tensor] = made
        self.told.add(tensor)
        return made

    def pooled(self, means: ForeignTensor, made: ForeignTensor) -> ForeignStep | None:
        """Return the pooling of an image that gives its means over all places, if that is what these are."""
        maker = self.given.get(means)
        if maker is None or maker.op != "reduce_mean" or len(made.shape) != 4:
            return None
        (image,), dims = reading(maker).inputs, reading(maker).arguments.get("dim")
        if image not in self.images or dims not in ((2, 3), (-2, -1)):
            return None
        return self.steps.step(maker, "adaptive_avg_pool2d", {"output_size": 1}, (image,), (made,))

    def kept(self, step: ForeignStep) -> None:
        """Keep a step as it is; what it reads with channels last is turned before it."""
        for each in reading(step).inputs:
            self.tell(each)
        self.add(step)
        outputs = [each for each in reading(step).outputs if each is not None]
        reads = any(each in self.images for each in reading(step).inputs if each is not None)
        if step.op.startswith(FAMILIES) or (
            reads and (getattr(OPS[step.op], "elementwise", False) or step.op in ALONG)
        ):
            self.images.update(each for each in outputs if len(each.shape) > 2)

    def add(self, step: ForeignStep) -> None:
        """Add a step."""
        self.done.append(step)
        self.given.update((each, step) for each in reading(step).outputs if each is not None)

    def tell(self, tensor: ForeignTensor | None) -> None:
        """Add the turn that gives a tensor with channels last, if it was put off."""
        if tensor not in self.first or tensor in self.told:
            return
        assert tensor is not None
        self.told.add(tensor)
        maker = self.makers[tensor]
        found = self.steps.step(
            maker, "permute", {"dims": to_last(len(tensor.shape))}, (self.first[tensor],), (tensor,)
        )
        assert found is not None, "a turn of a tensor has its shape"
        self.add(found)


def order_of(step: ForeignStep) -> Order | None:
    """Return the order in which a step puts the dimensions of its input; ``None`` for one that does something else."""
    given, source = reading(step).arguments, reading(step).inputs[0] if reading(step).inputs else None
    if source is None or step.op not in ("permute", "transpose"):
        return None
    rank = len(source.shape)
    if step.op == "permute":
        return tuple(dim % rank for dim in given["dims"])
    order = [*range(rank)]
    first, second = given["dim0"] % rank, given["dim1"] % rank
    order[first], order[second] = order[second], order[first]
    return tuple(order)


def _turned(tensor: ForeignTensor) -> ForeignTensor:
    shape = tensor.shape
    return ForeignTensor((shape[0], shape[-1], *shape[1:-1]), tensor.dtype)


def _turned_constant(tensor: ForeignTensor, rank: int) -> ForeignTensor:
    """A constant that is read beside an image of so many dimensions, for one with channels first."""
    if tensor.constant.size == 1:
        return tensor
    whole = tensor.constant.reshape((1,) * (rank - len(tensor.shape)) + tensor.constant.shape)
    made = np.ascontiguousarray(whole.transpose(to_first(rank)))
    while made.ndim > 1 and made.shape[0] == 1:
        made = made[0]
    return ForeignTensor(made.shape, tensor.dtype, tensor.key, tensor.learned, made)


def _is_single(tensor: ForeignTensor) -> bool:
    """Return whether all dimensions between a batch and its channels, which come last, have one element."""
    return len(tensor.shape) > 2 and all(size == 1 for size in tensor.shape[1:-1])


def _padding(amounts: Any, order: Order) -> tuple[Any, ...]:
    """Amounts of padding for channels last, as those for channels first."""
    pairs = {len(order) - 1 - at: (amounts[2 * at], amounts[2 * at + 1]) for at in range(len(amounts) // 2)}
    moved = {order[axis]: pair for axis, pair in pairs.items()}
    outer = min((axis for axis, pair in moved.items() if pair != (0, 0)), default=len(order))
    return tuple(each for axis in reversed(range(outer, len(order))) for each in moved.get(axis, (0, 0)))
