"""Complex numbers, which the language has none of: a tensor of them becomes its real and its imaginary parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from netspec.importer.lower.normal.rules import call, tensor_like
from netspec.importer.program import ForeignProgram, ForeignStep, tensors_of
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

REAL = {"complex64": "float32", "complex128": "float64"}
"""The dtypes of complex numbers, with those of their parts."""
PLACED = {
    *("view", "reshape", "unsqueeze", "squeeze", "expand", "flatten", "unflatten"),
    *("permute", "transpose", "movedim", "t", "flip", "roll", "repeat"),
    *("slice", "select", "narrow", "index_select"),
    *("alias", "clone", "contiguous", "detach"),
}
"""Calls that put numbers elsewhere, and do the same with both parts."""
PLANES = {"fftn": "fft2", "ifftn": "ifft2", "rfftn": "rfft2", "irfftn": "irfft2"}
"""Transforms along any dimensions, with those along two."""


class Parts(NamedTuple):
    """The real and the imaginary parts of a tensor."""

    real: ForeignTensor
    imaginary: ForeignTensor


Said: TypeAlias = Sequence[ForeignCall] | None


class PartedProgram:
    """One pass through a program. ``parts`` has those of the complex tensors so far, ``pairs`` the pairs that they are
    of, and ``made`` the calls by their outputs.
    """

    def __init__(self, program: ForeignProgram):
        self.program = program
        self.parts: dict[ForeignTensor, Parts] = {}
        self.pairs: dict[Parts, ForeignTensor] = {}
        self.made: dict[ForeignTensor, ForeignCall] = {}

    def run(self) -> None:
        """Say each call on complex numbers by calls on their parts, where there is a rule; else it stays as it is."""
        steps: list[ForeignStep] = []
        for step in self.program.steps:
            tensors = [*step.call.outputs, *(each for one in step.call.arguments.values() for each in tensors_of(one))]
            said = self._said(step.call) if any(each is not None and each.dtype in REAL for each in tensors) else None
            calls = [step.call] if said is None else said
            steps += [step] if said is None else [ForeignStep(each, step.scopes, step.place) for each in said]
            self.made.update({output: each for each in calls for output in each.outputs if output is not None})
        self.program.steps[:] = steps

    def _said(self, foreign: ForeignCall) -> Said:
        if foreign.name in PLACED:
            return self._placed(foreign)
        if foreign.name.startswith("fft_"):
            return self._transformed(foreign)
        rule = RULES.get(foreign.name)
        return None if rule is None else rule(self, foreign)

    def of(self, value: Any) -> Parts | None:
        """Return the parts of a complex tensor, if they are known."""
        if not isinstance(value, ForeignTensor) or value.dtype not in REAL:
            return None
        if value not in self.parts and value.constant is not None and not value.key:
            real, imaginary = (np.ascontiguousarray(each) for each in (value.constant.real, value.constant.imag))
            self.parts[value] = Parts(part_of(value, real), part_of(value, imaginary))
        return self.parts.get(value)

    def give(self, output: ForeignTensor | None) -> Parts:
        """Return new tensors for the parts of a complex output."""
        assert output is not None
        return self.parts.setdefault(output, Parts(part_of(output), part_of(output)))

    def _placed(self, foreign: ForeignCall) -> Said:
        """The same with both parts."""
        parts = self.of(foreign.arguments.get("self"))
        if parts is None:
            return None
        made = self.give(foreign.outputs[0])
        return [
            ForeignCall(foreign.name, {**foreign.arguments, "self": part}, (output,))
            for part, output in zip(parts, made)
        ]

    def _transformed(self, foreign: ForeignCall) -> Said:
        """A Fourier transform, whose op has pairs at the end where numbers are complex."""
        x, (output,) = foreign.tensor("self"), foreign.outputs
        name = foreign.name.removeprefix("fft_")
        dims = foreign.arguments.get("dim")
        if name in PLANES and (not isinstance(dims, list) or len(dims) != 2):
            return None
        if x is None or output is None:
            return None
        calls: list[ForeignCall] = []
        said = {key: each for key, each in foreign.arguments.items() if key not in ("self", "s")}
        taken, given = x, output
        if not name.startswith("r"):
            parts = self.of(x)
            if parts is None and x.dtype in REAL:
                return None
            if parts is None:
                parts = Parts(x, tensor_like(x))
                calls.append(call("zeros_like", parts.imaginary, self=x))
            taken, made = self.joined(parts)
            calls += made
        if output.dtype in REAL:
            given = part_of(output, shape=(*output.shape, 2))
        calls.append(call(PLANES.get(name, name), given, self=taken, **said))
        return calls if given is output else [*calls, *self.cut(given, self.give(output))]

    def cut(self, pairs: ForeignTensor, parts: Parts) -> list[ForeignCall]:
        """Return the calls that give the parts of pairs."""
        self.pairs[parts] = pairs
        return [call("select", part, self=pairs, dim=-1, index=at) for at, part in enumerate(parts)]

    def joined(self, parts: Parts) -> tuple[ForeignTensor, list[ForeignCall]]:
        """Return the pairs of parts, and the calls that make them."""
        if parts in self.pairs:
            return self.pairs[parts], []
        pairs = tensor_like(parts.real, shape=(*parts.real.shape, 2))
        return pairs, [call("stack", pairs, tensors=[*parts], dim=-1)]


def part_of(tensor: ForeignTensor, constant: Any = None, shape: Any = None) -> ForeignTensor:
    """Return a real tensor of a complex one's shape, or of another."""
    return ForeignTensor(tensor.shape if shape is None else shape, REAL[tensor.dtype], constant=constant)


def say_in_parts(program: ForeignProgram) -> None:
    """Say calls on complex numbers by calls on their real and imaginary parts."""
    if any(each is not None and each.dtype in REAL for step in program.steps for each in step.call.outputs):
        PartedProgram(program).run()


def pairs_as_complex(now: PartedProgram, foreign: ForeignCall) -> Said:
    """Pairs at the end as complex numbers."""
    pairs = foreign.tensor("self")
    assert pairs is not None
    return now.cut(pairs, now.give(foreign.outputs[0]))


def complex_as_pairs(now: PartedProgram, foreign: ForeignCall) -> Said:
    """Complex numbers as pairs at the end."""
    parts = now.of(foreign.arguments["self"])
    if parts in now.pairs:
        return [call("alias", foreign.outputs[0], self=now.pairs[parts])]
    return None if parts is None else [call("stack", foreign.outputs[0], tensors=[*parts], dim=-1)]


def of_two(now: PartedProgram, foreign: ForeignCall) -> Said:
    """``complex``: real and imaginary parts."""
    real, imaginary = foreign.tensor("real"), foreign.tensor("imag")
    assert real is not None
    assert imaginary is not None
    assert foreign.outputs[0] is not None
    now.parts[foreign.outputs[0]] = Parts(real, imaginary)
    return []


def of_length_and_angle(now: PartedProgram, foreign: ForeignCall) -> Said:
    """``polar``: length · cos, length · sin."""
    length, angle, made = foreign.tensor("abs"), foreign.tensor("angle"), now.give(foreign.outputs[0])
    assert length is not None
    assert angle is not None
    maker = now.made.get(length)
    one = (maker is not None and maker.name == "ones_like") or (
        length.constant is not None and not length.key and bool((length.constant == 1).all())
    )
    if one:
        return [call("cos", made.real, self=angle), call("sin", made.imaginary, self=angle)]
    waves = tensor_like(angle), tensor_like(angle)
    return [
        call("cos", waves[0], self=angle),
        call("sin", waves[1], self=angle),
        *(call("mul", part, self=length, other=wave) for part, wave in zip(made, waves)),
    ]


def product(now: PartedProgram, foreign: ForeignCall) -> Said:
    """(a + bi)(c + di) = ac − bd + (bc + ad)i; a real factor multiplies both parts."""
    one, other = foreign.arguments["self"], foreign.arguments["other"]
    first, second, made = now.of(one), now.of(other), now.give(foreign.outputs[0])
    if first is None and second is not None:
        first, second, other = second, None, one
    if first is None or (second is None and _is_complex(other)):
        return None
    if second is None:
        return [call("mul", output, self=part, other=other) for part, output in zip(first, made)]
    ac, bd, bc, ad = (part_of(foreign.outputs[0]) for _ in range(4))  # type: ignore[arg-type]
    return [
        call("mul", ac, self=first.real, other=second.real),
        call("mul", bd, self=first.imaginary, other=second.imaginary),
        call("mul", bc, self=first.imaginary, other=second.real),
        call("mul", ad, self=first.real, other=second.imaginary),
        call("sub", made.real, self=ac, other=bd),
        call("add", made.imaginary, self=bc, other=ad),
    ]


def of_each(now: PartedProgram, foreign: ForeignCall) -> Said:
    """A sum or a difference of complex numbers, which is that of their parts."""
    first, second = now.of(foreign.arguments["self"]), now.of(foreign.arguments["other"])
    if first is None or second is None or "alpha" in foreign.arguments:
        return None
    made = now.give(foreign.outputs[0])
    return [call(foreign.name, made[at], self=first[at], other=second[at]) for at in range(2)]


def by_real(now: PartedProgram, foreign: ForeignCall) -> Said:
    """Complex numbers over real ones."""
    parts, other = now.of(foreign.arguments["self"]), foreign.arguments["other"]
    if parts is None or _is_complex(other):
        return None
    return [call("div", made, self=part, other=other) for part, made in zip(parts, now.give(foreign.outputs[0]))]


def conjugate(now: PartedProgram, foreign: ForeignCall) -> Said:
    """a − bi."""
    parts = now.of(foreign.arguments["self"])
    if parts is None:
        return None
    made = tensor_like(parts.imaginary)
    assert foreign.outputs[0] is not None
    now.parts[foreign.outputs[0]] = Parts(parts.real, made)
    return [call("neg", made, self=parts.imaginary)]


def magnitude(now: PartedProgram, foreign: ForeignCall) -> Said:
    """The square root of a² + b²."""
    parts = now.of(foreign.arguments["self"])
    if parts is None:
        return None
    squares, total = [tensor_like(each) for each in parts], tensor_like(parts.real)
    return [
        *(call("mul", square, self=part, other=part) for part, square in zip(parts, squares)),
        call("add", total, self=squares[0], other=squares[1]),
        call("sqrt", foreign.outputs[0], self=total),
    ]


def one_part(at: int) -> Callable[[PartedProgram, ForeignCall], Said]:
    """Return the rule for one of the two parts."""

    def rule(now: PartedProgram, foreign: ForeignCall) -> Said:
        parts = now.of(foreign.arguments["self"])
        return None if parts is None else [call("alias", foreign.outputs[0], self=parts[at])]

    return rule


def _is_complex(value: Any) -> bool:
    return isinstance(value, complex) or (isinstance(value, ForeignTensor) and value.dtype in REAL)


RULES: dict[str, Callable[[PartedProgram, ForeignCall], Said]] = {
    "view_as_complex": pairs_as_complex,
    "view_as_real": complex_as_pairs,
    "complex": of_two,
    "polar": of_length_and_angle,
    "mul": product,
    "add": of_each,
    "sub": of_each,
    "div": by_real,
    "conj": conjugate,
    "_conj": conjugate,
    "_conj_physical": conjugate,
    "abs": magnitude,
    "real": one_part(0),
    "imag": one_part(1),
}
