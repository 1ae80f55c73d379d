"""Memory, in bytes, from the graph alone: what training keeps for the backward pass, and the peaks.

    memory = Memory(graph)
    memory.total_kept                       # what autograd keeps of one forward pass in training
    memory.kept("layer1.0.conv1")           # of that, what this step, or this level with all that is in it, keeps
    memory.inference_peak                   # weights, inputs, and the most that is alive at once
    memory.training_peak("adam", "mixed")   # of a step: network, losses, backward pass, optimizer

Each is a symbolic size in bytes (``4·N + 8``); ``dims.evaluate(size, graph.sizes)`` is its number. Where several
moments could be the peak, the formula is that of the largest at ``sizes``.

*Kept* is what ``torch.autograd.graph.saved_tensors_hooks`` sees, each piece of memory once: parameters and buffers are
left out, a network's input counts where a step keeps it, a view counts as what it looks at, and what several steps keep
counts for the first of them. On CUDA dropout keeps a mask of a byte an element; on ``device="cpu"`` it is four, no
kernel of attention takes dropout, and LSTMs keep the block of oneDNN's kernel. In a scan, what an iteration keeps
counts once for each iteration. On CUDA recurrent layers count what torch keeps step by step; cuDNN keeps about as much
in a block of its own. Inputs that may be left out are there, unless ``without`` names them.

*Peaks* count tensors and the larger workspaces of kernels, not what an allocator adds: ``with_margin`` leaves 5 % to
that. In inference a tensor lives from the step that makes it to the last that reads it, and the inputs of a block as
long as the block runs; an op of many steps says what it has at once on its way (``Op.workspace``), recurrent layers as
torch runs them on CPU. In training a tensor lives on if it is kept, until the backward pass has left its step, while
gradients come: one for each value, until all steps that read it are behind, and those of the parameters, which stay.
Back through a scan, the gradients of weights and of what all iterations read are added up on the way; those of what it
reads and leaves piece by piece are there as a whole.
Between the passes are the losses, at the end the optimizer, of a ``TrainingStep``: one by name is a fused kernel, with
the losses of the graph's recipe, or else the cross-entropy of all outputs. What is frozen has neither gradients nor
state, and keeps less. Statistics that norms track are left out (a few numbers a channel).

Optimizers: ``sgd`` keeps nothing, ``momentum`` a number for each parameter, ``adam`` and ``adamw`` two. Precisions:
``float32``; ``mixed``, bfloat16 by autocast as on CUDA, with weights, gradients and state in float32; ``bfloat16``,
everything in it.
"""

from netspec.analysis.memory.memory import Memory, with_margin
from netspec.analysis.memory.precision import PRECISIONS, counted_as
from netspec.analysis.memory.step import OPTIMIZERS, ScoreMemory, TrainingStep, trained_sizes

__all__ = [
    "OPTIMIZERS",
    "PRECISIONS",
    "Memory",
    "ScoreMemory",
    "TrainingStep",
    "counted_as",
    "trained_sizes",
    "with_margin",
]
