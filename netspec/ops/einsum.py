"""Einstein summation."""

from collections.abc import Iterable, Sequence
from typing import Any

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.arithmetic import dominant
from netspec.ops.base import OnnxBuilder, Op, ShapeError, Tensor
from netspec.ops.join import one_dtype
from netspec.ops.shape import differ


class Einsum(Op):
    """Sums of products over named dimensions (``torch.einsum``): by ``nlc,dc->nld`` (N, L, C), (D, C) -> (N, L, D)."""

    name = "einsum"
    family = "linear"
    functional = "torch.einsum"
    main = "equation"
    variadic = True

    equation: str

    def letters(self, count: int) -> tuple[list[str], str]:
        """The letters of each input's dimensions, and of the output's."""
        left, arrow, right = self.equation.replace(" ", "").partition("->")
        terms = left.split(",")
        if not arrow or not all(part.isalpha() and part.isascii() for part in [*terms, right or "a"]):
            text = f"the equation is letters for each input, `->` and letters for the output, not `{self.equation}`"
            raise ShapeError(text, argument="equation")
        if len(terms) != count:
            text = f"`{self.equation}` is about {len(terms)} input{'s' * (len(terms) > 1)}, not {count}"
            raise ShapeError(text, argument="equation")
        for term in [*terms, right]:
            if len(set(term)) < len(term):
                raise ShapeError(f"`{term}` names a dimension twice", argument="equation")
        if unknown := [letter for letter in right if letter not in left]:
            raise ShapeError(f"`{unknown[0]}` is in no input of `{self.equation}`", argument="equation")
        return terms, right

    def named(self, shapes: Sequence[Shape]) -> dict[str, list[Size]]:
        """The sizes that each letter stands for."""
        found: dict[str, list[Size]] = {}
        for term, shape in zip(self.letters(len(shapes))[0], shapes):
            if len(term) != len(shape):
                text = f"`{term}` names {len(term)} dimensions, but the input is {pretty_shape(shape)}"
                raise ShapeError(text, argument="equation")
            for letter, size in zip(term, shape):
                found.setdefault(letter, []).append(size)
        return found

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        for letter, sizes in self.named([tensor.shape for tensor in inputs]).items():
            kept = dominant(sizes)
            yield from ((kept, size, f"einsum gives `{letter}` one size") for size in sizes)

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one_dtype(self.name, inputs)
        return super().infer(*inputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        named = self.named(shapes)
        for letter, sizes in named.items():
            if any(differ(sizes[0], size) for size in sizes[1:]):
                found = " and ".join(map(str, dict.fromkeys(sizes)))
                raise ShapeError(f"einsum gives `{letter}` one size, but got {found}", argument="equation")
        return tuple(dominant(named[letter]) for letter in self.letters(len(shapes))[1])

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        """As torch does it: from left to right, two at a time; sums over one of the two come first, and are free."""
        named = self.named([tensor.shape for tensor in inputs])
        terms, result = self.letters(len(inputs))
        total: Size = 0
        left = set(terms[0])
        for at, term in enumerate(terms[1:], start=2):
            later = set(result).union(*terms[at:])
            right = set(term)
            both = {letter for letter in left | right if letter in later or letter in left & right}
            if both - later:
                total = total + product(dominant(named[letter]) for letter in sorted(both))
            left = both & later
        return total

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f'torch.einsum("{self.equation}", {", ".join(arguments)})'

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Einsum", *inputs, equation=self.equation.replace(" ", ""))
