"""The base class of every op. One class an op, in this package, says everything there is to say about it.

The modules of ops have no ``from __future__ import annotations``: Pydantic would compile the text of every annotation
anew for every class that inherits it, which is half the time that importing them takes.
"""

from netspec.ops.core.roles.behaviour import Behaviour
from netspec.ops.core.roles.costs import OpCosts
from netspec.ops.core.roles.memory import MemoryUse
from netspec.ops.core.roles.onnx_form import OnnxForm
from netspec.ops.core.roles.shapes import Shapes
from netspec.ops.core.roles.signature import Signature
from netspec.ops.core.roles.torch_form import TorchForm


class Op(Shapes, Behaviour, OpCosts, MemoryUse, TorchForm, OnnxForm):
    """Base of every op: one class says how a spec writes it, what shapes it gives, what it costs and what it becomes.

    A docstring's first line says what the op computes and ends in its shapes (``(N, C) -> (N, D)``). The roles say
    what a class must say and what it may:

    - ``Signature``: the spec key, ports and arguments, by PyTorch's names.
    - ``Shapes``: the outputs' shapes and dtypes, and the inputs that it takes.
    - ``Behaviour``: what may be moved, merged or traced through it.
    - ``OpCosts``: parameters, buffers, multiply-accumulates.
    - ``MemoryUse``: what autograd saves, temporary tensors, where outputs lie.
    - ``TorchForm``: the module or the function of PyTorch.
    - ``OnnxForm``: the nodes of ONNX.
    """


for role in Op.__mro__:
    if issubclass(role, Signature):
        role.__annotations__ = {}  # class variables alone: Pydantic would evaluate them again for every op's class
