"""The memory that a run of an op takes: what autograd saves, what is there for a moment, where outputs lie."""

from typing import Any, ClassVar, NamedTuple

from netspec.ops.core.layout import NEW, OutputLayout, Strides, like
from netspec.ops.core.roles.signature import OpSignature
from netspec.ops.core.tensors import Tensor


class OpRun(NamedTuple):
    """One run of an op, as far as its memory depends on it.

    ``strides`` are those of the inputs (``None``: contiguous); ``needs`` says which inputs gradients flow to, ``reads``
    which outputs anything reads, and ``learns`` which of its parameters are trained. ``on_cpu``: torch runs it there,
    where some kernels are others than on CUDA.
    """

    inputs: tuple[Any, ...]
    outputs: tuple[Tensor, ...]
    strides: tuple[Strides | None, ...]
    needs: tuple[bool, ...]
    reads: tuple[bool, ...]
    training: bool = True
    learns: frozenset[str] = frozenset()
    on_cpu: bool = False


class Saved(NamedTuple):
    """The tensors that autograd saves of an op's run, besides parameters: inputs and outputs by their
    numbers, and tensors ``made`` on the way.
    """

    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    made: tuple[Tensor, ...] = ()


def precise(dtype: str) -> str:
    """Return the type that torch works out attention in, step by step: float32 for those of two bytes."""
    return "float32" if dtype in ("bfloat16", "float16") else dtype


class OpMemory(OpSignature):
    """The role that tells how much memory the op takes, and for how long.

    May say: ``saved_for_backward``, what autograd saves of it (``nothing``, ``input``, ``output``, ``both``), or
    ``saved``, where it depends on the run; ``elementwise``, whether its output lies in memory as its input does, or
    else ``output_layout``; ``workspace``, ``forward_workspace`` and ``backward_workspace``; ``autocast``, how torch's
    autocast runs it on CUDA: in ``bfloat16``, in ``float32``, or (empty) as its inputs are; ``keeps_state``, that on
    CPU it goes on in float32 from a second input of such, or from the first without one.
    """

    saved_for_backward: ClassVar[str] = "both"
    elementwise: ClassVar[bool] = False
    autocast: ClassVar[str] = ""
    keeps_state: ClassVar[bool] = False

    @property
    def overwrites(self) -> bool:
        """Return whether the output takes the place of the input, as the argument ``inplace`` says."""
        return bool(vars(self).get("inplace", False))

    def saved(self, run: OpRun) -> Saved:
        """Return what autograd saves, where gradients flow through the op or to its parameters.

        Judged by ``torch.autograd.graph.saved_tensors_hooks``. An op that says nothing keeps everything.
        """
        inputs = tuple(at for at, tensor in enumerate(run.inputs) if tensor is not None)
        return Saved(
            inputs if self.saved_for_backward in ("input", "both") else (),
            tuple(range(len(run.outputs))) if self.saved_for_backward in ("output", "both") else (),
        )

    def workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return the temporary tensors of a run in inference; default: those that training saves."""
        return self.saved(run).made

    def forward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return the temporary tensors of a run in training, beside what it saves."""
        return ()

    def backward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return the temporary tensors of a run's backward pass, beside the gradients of inputs and parameters."""
        return ()

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        """Return where each output lies: in memory of its own, or in an input's."""
        if self.overwrites:
            return (OutputLayout(0, run.strides[0]),)
        if self.elementwise and any(strides is not None for strides in run.strides):
            tensors = [
                (tensor.shape, strides) for tensor, strides in zip(run.inputs, run.strides) if tensor is not None
            ]
            return (OutputLayout(None, like(run.outputs[0].shape, tensors)),)
        return (NEW,) * len(run.outputs)
