"""The base class of every op. One class an op, in this package, says everything there is to say about it.

The modules of ops have no ``from __future__ import annotations``: Pydantic would compile the text of every annotation
anew for every class that inherits it, which is half the time that importing them takes.
"""

from typing import Literal

from netspec.ops.core.roles.behaviour import OpBehaviour
from netspec.ops.core.roles.costs import OpCosts
from netspec.ops.core.roles.low_rank import OpLowRank
from netspec.ops.core.roles.memory import OpMemory
from netspec.ops.core.roles.onnx_form import OpOnnx
from netspec.ops.core.roles.origins import OpOrigins
from netspec.ops.core.roles.shapes import OpShapes
from netspec.ops.core.roles.signature import OpSignature

Unsaid = Literal["MACs", "memory"]


class Op(OpShapes, OpBehaviour, OpCosts, OpMemory, OpOrigins, OpOnnx, OpLowRank):
    """Base of every op: one class says how a spec writes it, what shapes it gives, what it costs and what it becomes.

    A docstring's first line says what the op computes and ends in its shapes (``(N, C) -> (N, D)``). The roles say
    what a class must say and what it may:

    - ``OpSignature``: the spec key, ports and arguments, by PyTorch's names.
    - ``OpShapes``: the outputs' shapes and dtypes, and the inputs that it takes.
    - ``OpBehaviour``: what may be moved, merged or traced through it.
    - ``OpCosts``: parameters, buffers, multiply-accumulates.
    - ``OpMemory``: what autograd saves, temporary tensors, where outputs lie.
    - ``OpTorch``: the module or the function of PyTorch.
    - ``OpOnnx``: the nodes of ONNX.
    - ``OpOrigins``: the operators of ATen and the nodes of ONNX that it is, for `netspec import`.
    - ``OpLowRank``: the low-rank change of its weight.
    """

    @classmethod
    def unsaid(cls) -> tuple[Unsaid, ...]:
        """Return what a class of one's own leaves open; netspec's ops, and what derives from them, say everything."""
        own = [kind for kind in cls.__mro__ if kind not in Op.__mro__]
        if any(kind.__module__.startswith("netspec.") for kind in own):
            return ()
        says_memory = cls.saved is not Op.saved or any("saved_for_backward" in vars(kind) for kind in own)
        return (*(("MACs",) if cls.macs is Op.macs else ()), *(() if says_memory else ("memory",)))


for role in Op.__mro__:
    if issubclass(role, OpSignature):
        role.__annotations__ = {}  # class variables alone: Pydantic would evaluate them again for every op's class
