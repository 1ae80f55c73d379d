"""What an op is. One class an op, in this package, says everything there is to say about it.

An op's Pydantic fields are its arguments, with PyTorch's names and defaults. The class adds how shapes follow
(``infer``), what it costs (``parameters``, ``macs``, and ``saved``, what training keeps of it), the PyTorch it compiles
to (``module``, ``call``), and the ONNX nodes it becomes (``onnx``). To add one, write its class in the file of its
family and its cases beside it.

The modules of ops have no ``from __future__ import annotations``: Pydantic would compile the text of every annotation
anew for every class that inherits it, which is half the time that importing them takes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self

from pydantic import BaseModel, ConfigDict

from netspec.dims import Dim, Shape, Size, pretty_shape
from netspec.ops.core.layout import NEW, Place, Strides, like
from netspec.ops.core.named import Named, named

Family = Literal["convolution", "linear", "norm", "activation", "pooling", "shape", "arithmetic", "dropout", "sequence"]


HALVES = ("float16", "bfloat16")
"""Dtypes in which torch computes single precision and rounds, op by op; onnxruntime has few kernels for them."""

CARRIERS = {"float16": "float32", "bfloat16": "float32", "float64": "float32", "bool": "int32"}
"""What is computed in instead of a dtype that onnxruntime lacks."""


class ShapeError(Exception):
    """An op cannot take these shapes. ``argument`` names the argument at fault, where one is; ``help`` a repair."""

    def __init__(self, message: str, *, argument: str | None = None, help: str | None = None):
        super().__init__(message)
        self.argument = argument
        self.help = help


@dataclass(frozen=True, slots=True)
class Tensor:
    """What is known of a tensor before anything runs: its shape and the name of its torch dtype."""

    shape: Shape
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Numbers:
    """Which whole numbers an input takes: from ``least`` up to, not including, ``below`` (truth values are 0 and 1).

    ``first`` is what the first along the last dimension must be: a mask that hides everything says nothing.
    """

    least: Size = 0
    below: Size | None = None
    first: int | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """A size that an op takes from ``least`` on or up to ``most`` only; ``reason`` says it as a sentence.

    ``argument`` names the argument that asks for it. ``training`` marks what binds the op in training mode only.
    """

    size: Size
    reason: str
    least: Size | None = None
    most: Size | None = None
    argument: str | None = None
    training: bool = False


@dataclass(frozen=True, slots=True)
class Constructor:
    """A call that makes a module: ``nn.Conv2d(3, 64, kernel_size=7)``. Positional arguments carry names too.

    ``wrap`` is what is written around the call: ``nn.Parameter({})``.
    """

    callee: str
    positional: Mapping[str, Any]
    keywords: Mapping[str, Any]
    wrap: str = "{}"


class Reach(NamedTuple):
    """The places of an input's dimension that place ``i`` of the output reads: ``stride·i + first`` to
    ``stride·i + last``. All may be fractions, where the output is the finer one.
    """

    stride: float
    first: float
    last: float


PLACE = Reach(1, 0, 0)
"""Each place reads its own."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an op, as far as its memory depends on it.

    ``strides`` are those of the inputs (``None``: contiguous); ``needs`` says which inputs gradients flow to, ``reads``
    which outputs anything reads, and ``learns`` which of its parameters are trained.
    """

    inputs: tuple[Any, ...]
    outputs: tuple[Tensor, ...]
    strides: tuple[Strides | None, ...]
    needs: tuple[bool, ...]
    reads: tuple[bool, ...]
    training: bool = True
    learns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Saved:
    """What autograd keeps of an op's run for the backward pass, besides parameters: inputs and outputs by their
    numbers, and tensors ``made`` on the way.
    """

    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    made: tuple[Tensor, ...] = ()


class OnnxBuilder(Protocol):
    """What an op writes its ONNX nodes with. Values are opaque; ``None`` stands for an input left out."""

    def op(self, type: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; gives its output, or a tuple of them when ``outputs`` is above one."""

    def parameter(self, name: str) -> Any:
        """The initializer of this op's own parameter or buffer, by its torch name; ``None`` where it has none."""

    def gates(self, name: str, rows: Sequence[Sequence[str]], order: Sequence[int]) -> Any:
        """An initializer made of parameters: each is cut into ``len(order)`` equal blocks along its first dimension,
        which are put in that order; those of a row are joined, and the rows stacked.
        """

    def reads(self, output: int) -> bool:
        """Whether anything reads the op's output of that number; the value of one that is not read may be ``None``."""

    def constant(self, value: Any, dtype: str = "int64") -> Any:
        """A constant tensor from a number or nested lists."""

    def cast(self, x: Any, dtype: str) -> Any:
        """The value in another dtype, by torch's name of it."""


class Op(BaseModel):
    """Base of every op.

    Class variables: ``name`` the spec key; ``family`` its group; ``main`` the argument that a scalar goes to;
    ``ports`` its inputs in order; ``variadic`` whether it takes any number of them instead; ``optional`` the ports
    that may be left out (``None`` stands in their place, in every method); ``outputs`` its outputs in order; ``torch``
    the module class (``nn.ReLU``); ``functional`` the function that does the same without a module (``F.relu``), for
    ops without state; ``any_dtype`` whether it takes integers and booleans too; ``keyword_main`` whether the main
    argument is written with its name (``F.softmax(x, dim=1)``); ``torch_defaults`` torch's defaults of arguments whose
    default here is another one; ``leading`` whether it does the same at every place of the leading dimensions;
    ``tracks`` whether what it gives depends on more than its inputs and parameters: on chance, on earlier batches;
    ``keeps`` what autograd keeps of it (``nothing``, ``input``, ``output``, ``both``); ``elementwise`` whether its
    output lies in memory as its input does; ``autocast`` how torch's autocast runs it on CUDA: in ``bfloat16``, in
    ``float32``, or (empty) as its inputs are; ``torch_lacks`` the dtypes that torch cannot do it in on a CPU, and
    ``onnx_lacks`` those, beside ``HALVES``, that onnxruntime cannot: it is done in another dtype there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True, allow_inf_nan=False)

    name: ClassVar[str]
    family: ClassVar[Family]
    main: ClassVar[str | None] = None
    ports: ClassVar[tuple[str, ...]] = ("input",)
    variadic: ClassVar[bool] = False
    optional: ClassVar[tuple[str, ...]] = ()
    outputs: ClassVar[tuple[str, ...]] = ("output",)
    torch: ClassVar[str | None] = None
    functional: ClassVar[str | None] = None
    any_dtype: ClassVar[bool] = False
    keyword_main: ClassVar[bool] = False
    torch_defaults: ClassVar[Mapping[str, Any]] = {}
    leading: ClassVar[bool] = False
    tracks: ClassVar[bool] = False
    keeps: ClassVar[str] = "both"
    elementwise: ClassVar[bool] = False
    autocast: ClassVar[str] = ""
    torch_lacks: ClassVar[tuple[str, ...]] = ()
    onnx_lacks: ClassVar[tuple[str, ...]] = ()

    def output_names(self, *inputs: Tensor) -> tuple[str, ...]:
        """The output ports; only ops whose number of outputs depends on their arguments say other than ``outputs``."""
        return self.outputs

    def nullable(self, port: str) -> bool:
        """Return whether an optional port's argument may be ``None`` when the PyTorch runs."""
        return False

    def numbers(self, port: str, *inputs: Tensor) -> Numbers | None:
        """Which whole numbers a port takes, where not all will do."""
        return None

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        """Sizes that must be equal, as (left, right, why). Checked before ``infer``, which may rely on them.

        A symbolic pair that is equal for some sizes only becomes a requirement of the network.
        """
        return ()

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        """Sizes that must not be too small or too large; that outputs are left something is asked of every op.

        Checked after ``infer``. One that holds for some sizes only becomes a requirement of the network.
        """
        return ()

    def carrier(self, dtype: str) -> str:
        """The dtype in which ONNX nodes do for inputs of this one what the op does."""
        return CARRIERS[dtype] if dtype in HALVES or dtype in self.onnx_lacks else dtype

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs' shapes and dtypes. Raises ``ShapeError`` where the op cannot take the inputs."""
        for tensor in inputs:
            if not self.any_dtype and "float" not in tensor.dtype:
                raise ShapeError(f"{self.name} takes floating-point numbers, but its input is {tensor.dtype}")
            if tensor.dtype in self.torch_lacks:
                help = f"`- cast: {CARRIERS[tensor.dtype]}` before it"
                raise ShapeError(f"torch has no {self.name} of {tensor.dtype} on a CPU", help=help)
        return (Tensor(self.output_shape(*(tensor.shape for tensor in inputs)), inputs[0].dtype),)

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shape of the only output, whose dtype is the first input's; default: the first input's shape."""
        return shapes[0]

    def reach(self, rank: int) -> tuple[Reach, ...] | None:
        """What a place of the output reads of each of ``rank`` spatial dimensions.

        ``None`` where it reads all of them, nothing where it cannot be said place by place.
        """
        if self.family == "norm":
            return None
        local = self.family in ("activation", "dropout", "arithmetic") or self.name == "identity"
        return (PLACE,) * rank if local else ()

    def is_leading(self, rank: int) -> bool:
        """Return whether it does the same at every place of the dimensions before the last, for inputs of this rank."""
        return self.leading

    def is_steady(self) -> bool:
        """Return whether the same inputs give the same again, in training too."""
        return not self.tracks and not any(getattr(self, name, 0) for name in ("dropout", "dropout_p"))

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        """Learned tensors by torch name."""
        return {}

    def buffers(self, *inputs: Tensor) -> Mapping[str, Shape]:
        """Tensors by torch name that are not learned, but stand in the ``state_dict`` beside those that are."""
        return {}

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        """Multiply-accumulates of one forward pass, counted as torch's FlopCounterMode does."""
        return 0

    def saved(self, run: Run) -> Saved:
        """What autograd keeps for the backward pass, where gradients flow through the op or to its parameters.

        Judged by ``torch.autograd.graph.saved_tensors_hooks``. An op that says nothing keeps everything.
        """
        inputs = tuple(at for at, tensor in enumerate(run.inputs) if tensor is not None)
        return Saved(
            inputs if self.keeps in ("input", "both") else (),
            tuple(range(len(run.outputs))) if self.keeps in ("output", "both") else (),
        )

    def passing(self, run: Run) -> tuple[Tensor, ...]:
        """What is there for a moment in inference, beside its inputs and outputs; default: what training keeps."""
        return self.saved(run).made

    def places(self, run: Run) -> tuple[Place, ...]:
        """Where each output lies: in memory of its own, or in an input's."""
        if getattr(self, "inplace", False):
            return (Place(0, run.strides[0]),)
        if self.elementwise:
            given = [(tensor.shape, strides) for tensor, strides in zip(run.inputs, run.strides) if tensor is not None]
            return (Place(None, like(run.outputs[0].shape, given)),)
        return (NEW,) * len(run.outputs)

    def sizes(self, *inputs: Tensor) -> Mapping[str, Any]:
        """Constructor arguments that the inputs decide: ``{"in_channels": 3}``."""
        return {}

    def module(self, *inputs: Tensor) -> Constructor:
        """The module that does this. Sizes and the main argument come first, then whatever is not a default."""
        assert self.torch is not None, f"{self.name} has no module form"
        positional = dict(self.sizes(*inputs))
        keywords = self.changed()
        if self.main is not None and not self.keyword_main:
            positional[self.main] = keywords.pop(self.main, getattr(self, self.main))
        return Constructor(self.torch, positional, keywords)

    def changed(self) -> dict[str, Any]:
        """The arguments that differ from torch's defaults, and those that stand for a name."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: it for name, it in given.items() if isinstance(it, Named) or it != self.default(name)}

    def with_names(self, name_of: Callable[[str, Any], str | None]) -> Self:
        """The op whose arguments say, where they would say a value, the name that its place has; see ``named``."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return self.model_copy(update={name: named(value, name_of, name) for name, value in given.items()})

    @classmethod
    def default(cls, argument: str) -> Any:
        """Torch's default of an argument."""
        return cls.torch_defaults.get(argument, cls.model_fields[argument].default)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        """The expression that does this without a module: ``F.relu(x)``. ``arguments`` are the inputs' names."""
        assert self.functional is not None, f"{self.name} has no functional form"
        keywords = self.changed()
        positional = list(arguments)
        if self.main is not None and not self.keyword_main:
            positional.append(repr(keywords.pop(self.main, getattr(self, self.main))))
        named = [f"{name}={value!r}" for name, value in keywords.items()]
        return f"{self.functional}({', '.join([*positional, *named])})"

    def statements(
        self,
        module: str | None,
        arguments: Sequence[str | None],
        targets: Sequence[str | None],
        inputs: Sequence[Tensor],
        fresh: Callable[[str], str],
    ) -> list[str]:
        """The lines of ``forward`` that run the op: ``y = self.conv1(x)``.

        ``module`` is the submodule (``self.conv1``), or ``None`` for an op without one. ``targets`` are the variables
        for the outputs, ``None`` for one that nothing reads; a target may be an argument's variable. ``fresh`` gives a
        variable that nothing else uses, named like its argument where that is free.
        """
        given = [argument for argument in arguments if argument is not None]
        if module is None:
            return [f"{assigned(targets)} = {self.call(given, inputs)}"]
        return [f"{assigned(targets)} = {module}({', '.join(given)})"]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        """Write the nodes that do this; gives the output value (a tuple of them for several)."""
        raise AssertionError(f"{self.name} has no ONNX form")

    def detail(self) -> str:
        """The telling arguments in few characters, for tables and diagrams: ``7×7, 64, /2``."""
        value = None if self.main is None else getattr(self, self.main)
        if isinstance(value, float):
            return f"{value:.6g}"
        return "" if value is None else "×".join(map(str, value)) if isinstance(value, tuple) else str(value)

    @classmethod
    def summary(cls) -> str:
        """The first line of the op's documentation."""
        return (cls.__doc__ or "").strip().split("\n")[0]


def assigned(targets: Sequence[str | None]) -> str:
    """The left side of an assignment; what nothing reads goes to ``_``."""
    return ", ".join(target or "_" for target in targets)


def known(size: Size, what: str) -> int:
    """A size that must be a number; ``ShapeError`` where it is symbolic."""
    if isinstance(size, Dim):
        raise ShapeError(f"{what} must be a known number, but is {size}")
    return size


def need_rank(name: str, shape: Shape, *ranks: int, layout: str) -> None:
    """Guard: the input has one of these ranks; ``layout`` says it in letters (``[N, C, H, W]``)."""
    if len(shape) not in ranks:
        raise ShapeError(f"{name} takes {layout}, but its input is {pretty_shape(shape)}")


def axis_of(dim: int, rank: int, argument: str = "dim") -> int:
    """The dimension that ``dim`` means, counted from 0; negative ones count from the end, as in torch."""
    if not -rank <= dim < rank:
        raise ShapeError(f"there is no dim {dim} in {rank} dimensions", argument=argument)
    return dim % rank
