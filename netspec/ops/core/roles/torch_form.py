"""The PyTorch that an op compiles to: a module's constructor, a call, or lines of ``forward``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from netspec.dataclass import dataclass
from netspec.ops.core.roles.signature import OpSignature
from netspec.ops.core.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Constructor:
    """A call that makes a module: ``nn.Conv2d(3, 64, kernel_size=7)``. Positional arguments carry names too.

    ``wrap`` is what is written around the call: ``nn.Parameter({})``.
    """

    callee: str
    positional: Mapping[str, Any]
    keywords: Mapping[str, Any]
    wrap: str = "{}"


@dataclass(frozen=True, slots=True)
class ForwardCall:
    """An op at its place in ``forward``.

    ``module`` is the submodule (``self.conv1``), or ``None`` for an op without one. ``arguments`` are the variables of
    the inputs and ``inputs`` their tensors, ``None`` for an optional one that is left out. ``targets`` are the
    variables for the outputs, ``None`` for one that nothing reads; a target may be an argument's variable. ``fresh``
    gives a variable that nothing else uses, named like its argument if that is free.
    """

    module: str | None
    arguments: Sequence[str | None]
    targets: Sequence[str | None]
    inputs: Sequence[Any]
    fresh: Callable[[str], str]

    @property
    def present(self) -> list[str]:
        """Return the variables of the inputs that are not left out."""
        return [argument for argument in self.arguments if argument is not None]

    def assign(self, expression: str) -> str:
        """Return the line that assigns an expression's value to the outputs."""
        return f"{assigned(self.targets)} = {expression}"


class OpTorch(OpSignature):
    """The role that writes the op in PyTorch.

    Must say: ``torch``, the module class (``nn.ReLU``), or ``functional``, the function that does it without a module
    (``F.relu``), or both where the op has no state; or else ``call`` or ``statements``. ``sizes``, if the constructor
    takes a size of the inputs. What is not torch's is named with its module, ``mine.layers.Gate``, which the source
    imports; ``imports`` are further modules that ``call`` or ``statements`` name. ``definition`` is the text of the
    class that ``torch`` names, where the source must bring it.
    """

    torch: ClassVar[str | None] = None
    functional: ClassVar[str | None] = None
    imports: ClassVar[tuple[str, ...]] = ()
    definition: ClassVar[str] = ""

    @classmethod
    def modules(cls) -> tuple[str, ...]:
        """Return the modules, beside torch's, that the op's PyTorch names."""
        named = [text.rpartition(".")[0] for text in (cls.torch, cls.functional) if text is not None]
        own = [name for name in named if name and name.partition(".")[0] not in ("nn", "F", "torch")]
        return tuple(dict.fromkeys((*own, *cls.imports)))

    @property
    def has_module(self) -> bool:
        """Return whether the op can be a module with these arguments."""
        return self.torch is not None

    def sizes(self, *inputs: Tensor) -> Mapping[str, Any]:
        """Return the constructor arguments that the inputs decide: ``{"in_channels": 3}``."""
        return {}

    def module(self, *inputs: Tensor) -> Constructor:
        """Return the call that makes the module: first sizes and the main argument, then whatever is not a default."""
        assert self.torch is not None, f"{self.name} has no module form"
        positional = dict(self.sizes(*inputs))
        keywords = self.changed()
        if self.main is not None and not self.keyword_main:
            positional[self.main] = keywords.pop(self.main, getattr(self, self.main))
        return Constructor(self.torch, positional, keywords)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        """Return the expression that does it without a module: ``F.relu(x)``. ``arguments`` are the inputs' names."""
        assert self.functional is not None, f"{self.name} has no functional form"
        keywords = self.changed()
        positional = list(arguments)
        if self.main is not None and not self.keyword_main:
            positional.append(repr(keywords.pop(self.main, getattr(self, self.main))))
        named = [f"{name}={value!r}" for name, value in keywords.items()]
        return f"{self.functional}({', '.join([*positional, *named])})"

    def statements(self, forward: ForwardCall) -> list[str]:
        """Return the lines of ``forward`` that run the op: ``y = self.conv1(x)``."""
        if forward.module is None:
            return [forward.assign(self.call(forward.present, forward.inputs))]
        return [forward.assign(f"{forward.module}({', '.join(forward.present)})")]


def assigned(targets: Sequence[str | None]) -> str:
    """Return the left side of an assignment; an output that nothing reads goes to ``_``."""
    return ", ".join(target or "_" for target in targets)
