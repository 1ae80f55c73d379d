"""Einstein summation."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.core.agreement import differ, dominant, one_dtype
from netspec.ops.core.layout import NEW, OutputLayout, like, shortened, strides_of, viewed
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor

FREE = "ZYXWVUTSRQPONMLKJIHGFEDCBA"
"""Letters for the dimensions that ``...`` stands for; an equation has small ones."""


class Operand(NamedTuple):
    """One of two that are multiplied: its letters, the stride of each, the input that it is (-1: none), and whether
    gradients flow to it.
    """

    letters: str
    strides: Mapping[str, Size]
    port: int
    needs: bool

    def copied(self, other: "Operand", later: Container[str], sizes: Mapping[str, Size]) -> Shape | None:
        """The shape of the copy that the product keeps instead; ``None`` where the operand's own memory will do.

        ``later`` are the letters that are still read behind the product.
        """
        alone = [letter for letter in self.letters if letter not in other.letters]
        shared = [letter for letter in self.letters if letter in other.letters]
        if not all(letter in later for letter in alone):  # summed over before the product
            return tuple(sizes[letter] for letter in self.letters if letter in shared or letter in later)
        if all(letter in later for letter in shared):  # nothing is summed over: no matrices
            return None
        stack = [letter for letter in shared if letter in later]
        groups = (stack, alone, [letter for letter in shared if letter not in later])
        order = [letter for group in groups for letter in group]
        shape = tuple(sizes[letter] for letter in order)
        target = tuple(product(sizes[letter] for letter in group) for group in groups)
        strides = shortened(shape, tuple(self.strides[letter] for letter in order))
        return None if viewed(shape, strides, target) is not None else shape


class Einsum(Op):
    """Sums of products over named dimensions (``torch.einsum``): by ``nlc,dc->nld`` (N, L, C), (D, C) -> (N, L, D).

    A letter that an input has twice is its diagonal, ``...`` any number of dimensions. Without ``->``, the output has
    the letters that stand once, in the order of the alphabet.
    """

    name = "einsum"
    onnx_lacks = ("bfloat16",)
    family = "linear"
    functional = "torch.einsum"
    main = "equation"
    onnx_nodes = ("Einsum",)
    variadic = True
    autocast = "bfloat16"

    equation: str

    def letters(self, shapes: Sequence[Shape]) -> tuple[list[str], str]:
        """The letters of each input's dimensions, and of the output's; capital ones are those of ``...``."""
        left, arrow, right = self.equation.replace(" ", "").partition("->")
        terms = left.split(",")
        if not all(part.replace("...", "", 1).isalpha() or part in ("", "...") for part in [*terms, right]):
            self.guard_dots([*terms, right])
            text = (
                f"the equation must be letters for each input, `->` and letters for the output, not `{self.equation}`"
            )
            raise ShapeError(text, argument="equation")
        if len(terms) != len(shapes):
            text = f"`{self.equation}` is for {len(terms)} input{'s' * (len(terms) > 1)}, not {len(shapes)}"
            raise ShapeError(text, argument="equation")
        for term, shape in zip(terms, shapes):
            guard_rank(term, shape)
        hidden = [len(shape) - len(term) + 3 for term, shape in zip(terms, shapes) if "..." in term]
        dots = FREE[: max(hidden, default=0)]
        if not arrow:
            once = sorted(letter for letter in {*left} - {*",."} if left.count(letter) == 1)
            right = "..." * bool(hidden) + "".join(once)
        if "..." in right and not hidden:
            raise ShapeError(f"`...` is not in any input of `{self.equation}`", argument="equation")
        if len({*right.replace("...", "")}) < len(right.replace("...", "")):
            raise ShapeError(f"`{right}` names a dimension twice", argument="equation")
        if unknown := [letter for letter in right if letter not in left]:
            raise ShapeError(f"`{unknown[0]}` is not in any input of `{self.equation}`", argument="equation")
        spelled = [
            term.replace("...", dots[len(dots) - (len(shape) - len(term) + 3) :] if "..." in term else "")
            for term, shape in zip(terms, shapes)
        ]
        return spelled, right.replace("...", dots)

    def guard_dots(self, parts: Sequence[str]) -> None:
        """Refuse what has ``...`` twice."""
        for part in parts:
            if part.count("...") > 1:
                raise ShapeError(f"`{part}` has more than one `...`", argument="equation")

    def named(self, shapes: Sequence[Shape]) -> dict[str, list[Size]]:
        """The sizes that each letter stands for."""
        found: dict[str, list[Size]] = {}
        for term, shape in zip(self.letters(shapes)[0], shapes):
            for letter, size in zip(term, shape):
                found.setdefault(letter, []).append(size)
        return found

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        for letter, sizes in self.named([tensor.shape for tensor in inputs]).items():
            kept = dominant(sizes)
            yield from ((kept, size, f"einsum needs one size for `{letter}`") for size in sizes)

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one_dtype(self.name, inputs)
        return super().infer(*inputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        named = self.named(shapes)
        for letter, sizes in named.items():
            if any(differ(sizes[0], size) for size in sizes[1:]):
                found = " and ".join(map(str, dict.fromkeys(sizes)))
                raise ShapeError(f"einsum needs one size for `{letter}`, but got {found}", argument="equation")
        return tuple(dominant(named[letter]) for letter in self.letters(shapes)[1])

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        """As torch does it: from left to right, two at a time; sums over one of the two come first, and are free."""
        named = self.named([tensor.shape for tensor in inputs])
        terms, result = self.letters([tensor.shape for tensor in inputs])
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

    def saved(self, run: OpRun) -> Saved:
        """As torch does it: from left to right, two at a time, each a product of stacks of matrices."""
        terms, result = self.letters([tensor.shape for tensor in run.inputs])
        named = self.named([tensor.shape for tensor in run.inputs])
        sizes = {letter: dominant(found) for letter, found in named.items()}
        given = [
            Operand("".join(dict.fromkeys(term)), steps_of(term, strides_of(tensor.shape, strides)), at, need)
            for at, (term, tensor, strides, need) in enumerate(zip(terms, run.inputs, run.strides, run.needs))
        ]
        kept: list[int] = []
        tensors: list[Tensor] = []
        left = given[0]
        for right in given[1:]:
            later = {*result}.union(*terms[right.port + 1 :])
            for own, other in ((left, right), (right, left)):
                copy = own.copied(other, later, sizes)
                if other.needs and copy is None and own.port >= 0:
                    kept.append(own.port)
                elif other.needs:
                    shape = copy or tuple(sizes[letter] for letter in own.letters)
                    tensors.append(Tensor(shape, run.outputs[0].dtype))
            letters = "".join(letter for letter in dict.fromkeys(left.letters + right.letters) if letter in later)
            strides = strides_of(tuple(sizes[letter] for letter in letters), None)
            left = Operand(letters, dict(zip(letters, strides)), -1, left.needs or right.needs)
        return Saved(tuple(kept), made=tuple(tensors))

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        terms, result = self.letters([tensor.shape for tensor in run.inputs])
        if len(terms) == 1 and {*terms[0]} == {*result}:
            steps = steps_of(terms[0], strides_of(run.inputs[0].shape, run.strides[0]))
            strides = tuple(steps[letter] for letter in result)
            return (OutputLayout(0, shortened(run.outputs[0].shape, strides)),)
        if any(term != result for term in terms):
            return (self.multiplied(terms, result, run.outputs[0].shape),)
        given = [(tensor.shape, strides) for tensor, strides in zip(run.inputs, run.strides)]
        return (OutputLayout(None, like(run.outputs[0].shape, given)),)

    def multiplied(self, terms: Sequence[str], result: str, shape: Shape) -> OutputLayout:
        """The place of the last product of matrices: first what both sides have, then each side's own letters."""
        left, right = {*"".join(terms[:-1])}, {*terms[-1]}
        if not (left & right) - {*result}:
            return NEW
        groups = (left & right, left - right, right - left)
        order = [letter for group in groups for letter in result if letter in group]
        sizes = dict(zip(result, shape))
        steps = dict(zip(order, strides_of(tuple(sizes[letter] for letter in order), None)))
        return OutputLayout(None, shortened(shape, tuple(steps[letter] for letter in result)))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        terms, result = self.letters([tensor.shape for tensor in tensors])
        return builder.op("Einsum", *inputs, equation=f"{','.join(terms)}->{result}")


def steps_of(term: str, strides: Sequence[Size]) -> dict[str, Size]:
    """The stride of each letter; of one that stands twice, the diagonal's."""
    steps: dict[str, Size] = {}
    for letter, stride in zip(term, strides):
        steps[letter] = steps.get(letter, 0) + stride
    return steps


def guard_rank(term: str, shape: Shape) -> None:
    """Guard: the input has a dimension for each letter."""
    named = len(term.replace("...", ""))
    if "..." in term and named > len(shape):
        text = f"`{term}` names at least {named} dimensions, but the input is {pretty_shape(shape)}"
        raise ShapeError(text, argument="equation")
    if "..." not in term and named != len(shape):
        text = f"`{term}` names {named} dimensions, but the input is {pretty_shape(shape)}"
        raise ShapeError(text, argument="equation")
