"""The signature of an op: its name, its ports, its arguments."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict

from netspec.dims import Dim, substitute
from netspec.ops.core.named import Named, named
from netspec.ops.core.tensors import Tensor

Family = Literal["convolution", "linear", "norm", "activation", "pooling", "shape", "arithmetic", "dropout", "sequence"]


class OpSignature(BaseModel):
    """The role that tells how a spec writes the op. The Pydantic fields of an op's class are its arguments.

    Must say: ``name``, the spec key; and each argument as a field, with PyTorch's name and default. ``family`` is the
    group that it is listed and drawn in.

    May say: ``main``, the argument that a lone value goes to; ``keyword_main``, whether PyTorch's call names it all the
    same (``F.softmax(x, dim=1)``); ``ports``, the inputs in order, or ``variadic`` for any number of them;
    ``optional``, the ports that may be left out (``None`` stands in their place, in every method); ``outputs``, in
    order; ``torch_defaults``, torch's defaults of the arguments that have another one here; ``covers``, the callables
    of torch that it is besides ``torch`` and ``functional`` (``Tensor.amax``), ``without``, torch's arguments that it
    does not take, and ``rare``, arguments that are listed last.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True, allow_inf_nan=False)

    name: ClassVar[str]
    family: ClassVar[Family] = "linear"
    main: ClassVar[str | None] = None
    keyword_main: ClassVar[bool] = False
    ports: ClassVar[tuple[str, ...]] = ("input",)
    variadic: ClassVar[bool] = False
    optional: ClassVar[tuple[str, ...]] = ()
    outputs: ClassVar[tuple[str, ...]] = ("output",)
    torch_defaults: ClassVar[Mapping[str, Any]] = {}
    covers: ClassVar[tuple[str, ...]] = ()
    without: ClassVar[tuple[str, ...]] = ()
    rare: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def argument_names(cls) -> list[str]:
        """Return the arguments in the order in which people read them: ``rare`` ones last."""
        return sorted(cls.model_fields, key=lambda name: name in cls.rare)

    def output_names(self, *inputs: Tensor) -> tuple[str, ...]:
        """Return the output ports: ``outputs``, except where their number depends on the arguments."""
        return self.outputs

    def may_be_none(self, port: str) -> bool:
        """Return whether an optional port's argument may be ``None`` when the PyTorch runs."""
        return False

    def changed(self) -> dict[str, Any]:
        """Return the arguments that differ from torch's defaults, and those that stand for a name."""
        arguments = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: value for name, value in arguments.items() if isinstance(value, Named) or value != self.default(name)
        }

    def with_names(self, name_of: Callable[[str, Any], str | None]) -> Self:
        """Return the op whose arguments are written as names where ``name_of`` gives their place one; see ``named``."""
        arguments = {name: getattr(self, name) for name in type(self).model_fields}
        return self.model_copy(update={name: named(value, name_of, name) for name, value in arguments.items()})

    def with_sizes(self, sizes: Mapping[str, int]) -> Self:
        """Return the op where these symbols, in its arguments, have these values."""
        arguments = {name: getattr(self, name) for name in type(self).model_fields}
        known = {name: _at(value, sizes) for name, value in arguments.items()}
        return self if known == arguments else self.model_copy(update=known)

    @classmethod
    def default(cls, argument: str) -> Any:
        """Return torch's default of an argument; Pydantic's ``PydanticUndefined`` where it has none."""
        return cls.torch_defaults.get(argument, cls.model_fields[argument].default)

    def detail(self) -> str:
        """Return the telling arguments in few characters, for tables and diagrams: ``7×7, 64, /2``."""
        value = None if self.main is None else getattr(self, self.main)
        if isinstance(value, float):
            return f"{value:.6g}"
        return "" if value is None else "×".join(map(str, value)) if isinstance(value, tuple) else str(value)

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the op's docstring, which ends in its shapes."""
        return (cls.__doc__ or "").strip().split("\n")[0]


def _at(value: Any, sizes: Mapping[str, int]) -> Any:
    if isinstance(value, tuple) and not isinstance(value, Named):
        return tuple(_at(item, sizes) for item in value)
    return substitute(value, sizes) if isinstance(value, Dim) else value
