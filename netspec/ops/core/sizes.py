"""Symbolic sizes when a network runs: each is worked out from the sizes of tensors at hand, in PyTorch and in ONNX."""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple, Union

from netspec.dims import Atom, Dim, Monomial, Shape, Size, floor_div, pretty
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor


class Read(NamedTuple):
    """The size of dimension ``axis`` of the input ``place``."""

    place: int
    axis: int


class Worked(NamedTuple):
    """The result of an operator (``+``, ``-``, ``*``, ``//``) on two sizes."""

    operator: str
    left: "Formula"
    right: "Formula"


Formula = Union[int, Read, Worked]
"""The way to work out a size."""

PRECEDENCE = {"+": 1, "-": 1, "*": 2, "//": 2}
ONNX_TYPES = {"+": "Add", "-": "Sub", "*": "Mul", "//": "Div"}


def formula(size: Size, shapes: Sequence[Shape | None]) -> Formula | None:
    """Return how a size follows from those of inputs of these shapes; ``None`` where it does not."""
    return size if isinstance(size, int) else _Finder(shapes).size(size, frozenset())


class _Finder:
    """Looks for formulas. ``known`` are the symbolic sizes at hand; ``blocked`` atoms are being looked for already."""

    def __init__(self, shapes: Sequence[Shape | None]):
        self.known: dict[Dim, Read] = {}
        for place, shape in enumerate(shapes):
            for axis, size in enumerate(shape or ()):
                if isinstance(size, Dim):
                    self.known.setdefault(size, Read(place, axis))

    def size(self, size: Size, blocked: frozenset[Atom]) -> Formula | None:
        """Return a formula for a size: one that is at hand, one with a number added, or the sum of its terms."""
        if isinstance(size, int):
            return size
        if size in self.known:
            return self.known[size]
        for known, read in self.known.items():
            if isinstance(more := size - known, int):
                return _sum(read, more)
        terms = sorted(size.terms.items(), key=lambda term: (not term[0], term[1] < 0))
        return self.total([self.term(monomial, coefficient, blocked) for monomial, coefficient in terms])

    def total(self, terms: Sequence[Formula | None]) -> Formula | None:
        """Return the sum of terms, unless one of them is not found."""
        found = [term for term in terms if term is not None]
        return reduce(_sum, found) if len(found) == len(terms) else None

    def term(self, monomial: Monomial, coefficient: int, blocked: frozenset[Atom]) -> Formula | None:
        """Return a formula for a product: of a size at hand and what is left of it, else of its factors."""
        for known, read in self.known.items() if len(monomial) > 1 else ():
            left = _without(monomial, known)
            rest = None if left is None else self.term(left, coefficient, blocked)
            if rest is not None:
                return _product(read, rest)
        factors: Formula = 1
        for atom, power in monomial:
            found = self.atom(atom, blocked)
            if found is None:
                return None
            for _ in range(power):
                factors = _product(factors, found)
        return _product(factors, coefficient)

    def atom(self, atom: Atom, blocked: frozenset[Atom]) -> Formula | None:
        """Return a formula for a symbol or a floor: the rest taken from a size that has it, or its own division."""
        if atom in blocked:
            return None
        blocked |= {atom}
        for known, read in self.known.items():
            factor = known.terms.get(((atom, 1),), 0)
            rest = known - factor * Dim({((atom, 1),): 1}) if factor else known
            if factor > 0 and not _has(rest, atom):
                others = self.size(rest, blocked)
                if others is not None:
                    return _quotient(_difference(read, others), factor)
        return None if isinstance(atom, str) else self.division(atom.numerator, atom.divisor, blocked)

    def division(self, numerator: Size, divisor: int, blocked: frozenset[Atom]) -> Formula | None:
        """Return a formula for a floor: of another at hand that it goes on dividing, or of its numerator."""
        for known in self.known:
            for inner in _floors(known):
                again, over = divmod(divisor, inner.divisor)
                more = numerator - inner.numerator
                if over or again < 2 or inner in blocked or floor_div(more, inner.divisor) * inner.divisor != more:
                    continue
                parts = [self.atom(inner, blocked), self.size(floor_div(more, inner.divisor), blocked)]
                if (made := self.total(parts)) is not None:
                    return _quotient(made, again)  # ⌊(⌊A/m⌋ + B)/d⌋ = ⌊(A + m·B)/(m·d)⌋
        whole = self.size(numerator, blocked)
        return None if whole is None else _quotient(whole, divisor)


def _floors(size: Dim) -> Iterator[Any]:
    return (atom for monomial in size.terms for atom, _ in monomial if not isinstance(atom, str))


def _has(size: Size, atom: Atom) -> bool:
    """Return whether an atom stands in a size."""
    if isinstance(size, int):
        return False
    if isinstance(atom, str):
        return atom in size.symbols
    return any(each == atom for monomial in size.terms for each, _ in monomial)


def _without(monomial: Monomial, known: Dim) -> Monomial | None:
    """Return a product divided by a size that is itself a product of several; ``None`` where it is no factor."""
    ((factor, coefficient),) = known.terms.items() if len(known.terms) == 1 else (((), 0),)
    if coefficient != 1 or len(factor) < 2:
        return None
    powers = dict(monomial)
    for atom, power in factor:
        powers[atom] = powers.get(atom, 0) - power
    if any(power < 0 for power in powers.values()):
        return None
    return tuple((atom, power) for atom, power in powers.items() if power)


def _sum(left: Formula, right: Formula) -> Formula:
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    if isinstance(left, int):
        left, right = right, left
    if right == 0:
        return left
    if isinstance(right, int) and right > 0 and (negated := _negated(left)) is not None:
        return Worked("-", right, negated)
    negated = -right if isinstance(right, int) and right < 0 else _negated(right)
    return Worked("+", left, right) if negated is None else Worked("-", left, negated)


def _negated(size: Formula) -> Formula | None:
    """Return a product with a negative number without its sign; ``None`` for anything else."""
    if isinstance(size, Worked) and size.operator == "*" and isinstance(size.right, int) and size.right < 0:
        return _product(size.left, -size.right)
    return None


def _difference(left: Formula, right: Formula) -> Formula:
    return _sum(left, -right) if isinstance(right, int) else Worked("-", left, right)


def _product(left: Formula, right: Formula) -> Formula:
    if isinstance(left, int):
        left, right = right, left
    if isinstance(left, int) and isinstance(right, int):
        return left * right
    return left if right == 1 else Worked("*", left, right)


def _quotient(left: Formula, divisor: int) -> Formula:
    return left if divisor == 1 else Worked("//", left, divisor)


def find(name: str, size: Size, inputs: Sequence[Tensor | None]) -> Formula:
    """Return how the op ``name`` works out a size from its inputs. Raises ``ShapeError`` where they do not tell."""
    found = formula(size, [None if tensor is None else tensor.shape for tensor in inputs])
    if found is None:
        repair = f"give it a tensor that has this size: `{name}: {{…, like: x}}`"
        raise ShapeError(f"{name} has no input that tells the size {pretty(size)}", help=repair)
    return found


def spell_size(name: str, size: Size, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
    """Return a size in PyTorch: ``8``, ``x.size(1)``, ``(x.size(2) + 6) // 7 * 7``.

    ``arguments`` are the names of the inputs that are not left out.
    """
    present = [tensor for tensor in inputs if tensor is not None]
    return str(size) if isinstance(size, int) else _spell(find(name, size, present), arguments)


def _spell(size: Formula, arguments: Sequence[str], least: int = 0) -> str:
    """Spell a formula, in brackets where its operator binds less than ``least``."""
    if isinstance(size, int):
        return str(size)
    if isinstance(size, Read):
        return f"{arguments[size.place]}.size({size.axis})"
    binds = PRECEDENCE[size.operator]
    if size.right == -1 and size.operator == "*":
        return f"-{_spell(size.left, arguments, 3)}"
    tight = size.operator not in ("+", "*")  # a − (b − c), a // (b * c)
    mixed = size.operator == "*" and isinstance(size.right, Worked) and size.right.operator == "//"
    right = _spell(size.right, arguments, binds + (tight or mixed))
    text = f"{_spell(size.left, arguments, binds)} {size.operator} {right}"
    return f"({text})" if binds < least else text


def size_vector(
    builder: OnnxBuilder, name: str, size: Size, inputs: Sequence[Any], tensors: Sequence[Tensor | None]
) -> Any:
    """Return a size in ONNX, as a vector of one element."""
    return _vector(builder, find(name, size, tensors), inputs)


def _vector(builder: OnnxBuilder, size: Formula, inputs: Sequence[Any]) -> Any:
    if isinstance(size, int):
        return builder.constant([size])
    if isinstance(size, Read):
        return builder.op("Shape", inputs[size.place], start=size.axis, end=size.axis + 1)
    left, right = (_vector(builder, side, inputs) for side in (size.left, size.right))
    return builder.op(ONNX_TYPES[size.operator], left, right)


def size_scalar(
    builder: OnnxBuilder, name: str, size: Size, inputs: Sequence[Any], tensors: Sequence[Tensor | None]
) -> Any:
    """Return a size in ONNX, as a number."""
    if isinstance(size, int):
        return builder.constant(size)
    return builder.op("Squeeze", size_vector(builder, name, size, inputs, tensors), builder.constant([0]))


def size_vectors(
    builder: OnnxBuilder, name: str, sizes: Sequence[Size], inputs: Sequence[Any], tensors: Sequence[Tensor | None]
) -> Any:
    """Return several sizes in ONNX, as one vector: a constant where all are known."""
    known = [size for size in sizes if isinstance(size, int)]
    if len(known) == len(sizes):
        return builder.constant(known)
    parts = [size_vector(builder, name, size, inputs, tensors) for size in sizes]
    return builder.op("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]


def count_up(builder: OnnxBuilder, size: Any) -> Any:
    """0, 1, 2, … in ONNX, as many as ``size`` (a vector of one element) says."""
    end = builder.op("Squeeze", size, builder.constant([0]))
    return builder.op("Range", builder.constant(0), end, builder.constant(1))
