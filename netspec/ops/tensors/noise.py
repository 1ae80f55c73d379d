"""Random numbers, drawn anew in every run."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from netspec.ops.core.arguments import Probability, spell_number
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor, axis_of

ONNX_REAL = {"float32": 1, "float64": 11}
"""The numbers that ONNX has for the dtypes in which its random nodes run."""


class RandomNumbers(Op):
    """Random numbers of a distribution (``torch.randn_like``, ``torch.rand_like``): the shape of the input, kept."""

    name = "noise"
    onnx_exact = True
    family = "shape"
    main = "distribution"
    ports = ("like",)
    any_dtype = True
    stateful = True
    elementwise = True
    saved_for_backward = "nothing"
    covers = ("Tensor.bernoulli", "Tensor.normal_", "Tensor.uniform_")

    distribution: Literal["normal", "uniform", "bernoulli"] = "normal"
    mean: float = 0.0
    std: Annotated[float, Field(ge=0)] = 1.0
    low: float = 0.0
    high: float = 1.0
    p: Probability = 0.5
    when: Literal["always", "training"] = "always"

    OPERATORS: ClassVar[Mapping[str, str]] = {
        "randn_like": "normal",
        "rand_like": "uniform",
        "normal": "normal",
        "uniform": "uniform",
        "bernoulli": "bernoulli",
    }
    aten = tuple(OPERATORS)
    ARGUMENTS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "normal": ("mean", "std"),
        "uniform": ("low", "high"),
        "bernoulli": ("p",),
    }

    @model_validator(mode="after")
    def _guard_arguments(self) -> Self:
        for distribution, names in self.ARGUMENTS.items():
            for name in self.model_fields_set.intersection(names):
                if distribution != self.distribution:
                    raise ValueError(f"`{name}` belongs to `{distribution}`, not to `{self.distribution}`")
        if self.low >= self.high:
            raise ValueError(f"`low` must be below `high`, but they are {self.low} and {self.high}")
        return self

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        kind, said = cls.OPERATORS[call.name], call.arguments
        names = {"from": "low", "to": "high"}
        values = {names.get(name, name): each for name, each in said.items() if name not in ("self", "dtype")}
        if not values.keys() <= {*cls.ARGUMENTS[kind]} or (kind == "bernoulli" and "p" not in values):
            return None
        return OpReading({"distribution": kind, **values}, (call.tensor("self"),), {}, call.outputs)

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(inputs[0].shape, self.dtype(inputs[0])),)

    @staticmethod
    def dtype(like: Tensor) -> str:
        """Return the dtype of the numbers: that of the input, if it is of real numbers."""
        return like.dtype if "float" in like.dtype else "float32"

    def is_random(self) -> bool:
        return self.when == "always"

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        like = arguments[0] if "float" in inputs[0].dtype else f"{arguments[0]}, dtype=torch.float32"
        if self.when == "always":
            return self.drawn(like)
        name, *values = arguments[0], *self.values()
        mean = f"({values[0]} + {values[1]}) / 2" if self.distribution == "uniform" else values[0]
        return f"{self.drawn(like)} if self.training else torch.full_like({name}, {mean}{like.removeprefix(name)})"

    def drawn(self, like: str) -> str:
        """Return the expression that draws the numbers; ``like`` are the arguments of torch's function."""
        short = {"normal": "torch.randn_like", "uniform": "torch.rand_like"}.get(self.distribution)
        if short and self.changed().keys().isdisjoint(self.ARGUMENTS[self.distribution]):
            return f"{short}({like})"
        return f"torch.empty_like({like}).{self.distribution}_({', '.join(self.values())})"

    def values(self) -> list[str]:
        """Return the arguments of the distribution as Python has them."""
        return [repr(getattr(self, name)) for name in self.ARGUMENTS[self.distribution]]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        dtype = self.dtype(tensors[0])
        if self.when == "training":
            mean = {"normal": self.mean, "uniform": (self.low + self.high) / 2, "bernoulli": self.p}[self.distribution]
            return builder.op("Expand", builder.constant(mean, dtype), builder.op("Shape", inputs[0]))
        if self.distribution == "normal":
            kind = ONNX_REAL[dtype]
            return builder.op("RandomNormalLike", inputs[0], mean=self.mean, scale=self.std, dtype=kind)
        if self.distribution == "uniform":
            return uniform(builder, inputs[0], dtype, self.low, self.high)
        drawn = builder.op("Less", uniform(builder, inputs[0], dtype), builder.constant(self.p, dtype))
        return builder.cast(drawn, dtype)

    def detail(self) -> str:
        changed = [name for name in self.ARGUMENTS[self.distribution] if name in self.changed()]
        given = [spell_number(getattr(self, name)) for name in changed]
        return ", ".join([self.distribution, *given, *(["training"] if self.when == "training" else [])])


def uniform(builder: OnnxBuilder, like: Any, dtype: str, low: float = 0.0, high: float = 1.0) -> Any:
    """Return evenly spread numbers in ONNX."""
    return builder.op("RandomUniformLike", like, low=low, high=high, dtype=ONNX_REAL[dtype])


class GumbelSoftmax(Op):
    """A random choice that gradients pass (``torch.nn.functional.gumbel_softmax``): any shape."""

    name = "gumbel_softmax"
    onnx_exact = True
    family = "activation"
    functional = "F.gumbel_softmax"
    main = "tau"
    stateful = True
    without = ("eps",)

    tau: Annotated[float, Field(gt=0)] = 1.0
    hard: bool = False
    dim: int = -1

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        axis_of(self.dim, len(inputs[0].shape))
        return super().infer(*inputs)

    def is_random(self) -> bool:
        return True

    def saved(self, run: OpRun) -> Saved:
        return Saved(made=(run.outputs[0],)) if self.hard else Saved(outputs=(0,))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        dtype = tensors[0].dtype
        spread = builder.op("Neg", builder.op("Log", uniform(builder, inputs[0], dtype, low=1e-30)))
        spread = builder.op("Max", spread, builder.constant(1e-7, dtype))  # where onnxruntime draws 1 all the same
        noisy = builder.op("Sub", inputs[0], builder.op("Log", spread))
        soft = builder.op("Softmax", builder.op("Div", noisy, builder.constant(self.tau, dtype)), axis=self.dim)
        if not self.hard:
            return soft
        axis = axis_of(self.dim, len(tensors[0].shape))
        best = builder.op("ArgMax", soft, axis=axis, keepdims=0)
        size = builder.op("Shape", inputs[0], start=axis, end=axis + 1)
        return builder.op("OneHot", best, size, builder.constant([0.0, 1.0], dtype), axis=axis)
