"""Indices: the places that max pooling found its values at."""

from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.tensors import Tensor


def with_indices(wanted: bool) -> tuple[str, ...]:
    """Return the names of the outputs of a max pool that may give indices too."""
    return ("output", "indices") if wanted else ("output",)


def indexed(outputs: tuple[Tensor, ...], wanted: bool) -> tuple[Tensor, ...]:
    """Return the outputs of a max pool, with indices if they are wanted."""
    return (*outputs, Tensor(outputs[0].shape, "int64")) if wanted else outputs


def saved_indices(run: OpRun) -> Saved:
    """Return what a max pool saves: its input, and the indices, whether they are an output or not."""
    return Saved((0,), (1,)) if run.outputs[1:] else Saved((0,), made=(Tensor(run.outputs[0].shape, "int64"),))
